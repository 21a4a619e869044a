#!/usr/bin/env python3
"""One side of the comparison: a process that holds one library with one model and times it when it is told to.

usage: side.py hone|onnxruntime FILE THREADS OUTPUT.npy

Says one JSON line when its first result is there (written to OUTPUT.npy), then answers each line "WARM CALLS" on
stdin: WARM untimed calls, then CALLS timed ones, one JSON line with the milliseconds of a call. Between two lines it
waits in a read, so its threads come to rest. The input is seeded: both sides make the same.

With several threads, the calling one is bound to the first CPU, and ONNX Runtime's further ones to one CPU each, by
its own option: left alone, two of them often share a CPU for seconds while another idles.
"""
import json
import os
import sys
import time

import numpy as np


def status_kib(field):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))


class Hone:
    """A compiled model, called through its C ABI."""

    def __init__(self, file, threads):
        import ctypes

        class Tensor(ctypes.Structure):
            """hone_model_tensor of codegen/runtime/model/abi.h."""
            _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                        ("shape", ctypes.c_int64 * 8)]

        self.library = lib = ctypes.CDLL(file)
        lib.hone_model_memory_bytes.restype = ctypes.c_size_t
        lib.hone_model_create.restype = ctypes.c_void_p
        lib.hone_model_create.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        for describe in (lib.hone_model_input, lib.hone_model_output):
            describe.argtypes = [ctypes.c_int32, ctypes.POINTER(Tensor)]
        lib.hone_model_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        self.memory = np.empty(lib.hone_model_memory_bytes() + 64, np.uint8)
        aligned = (self.memory.ctypes.data + 63) // 64 * 64
        self.instance = lib.hone_model_create(aligned, threads)
        if not self.instance:
            raise RuntimeError(f"{file}: hone_model_create failed")
        tensor = Tensor()
        lib.hone_model_input(0, ctypes.byref(tensor))
        self.shape = list(tensor.shape[:tensor.rank])
        lib.hone_model_output(0, ctypes.byref(tensor))
        self.output = np.empty(tensor.shape[:tensor.rank], np.float32)
        self.outputs = (ctypes.c_void_p * 1)(self.output.ctypes.data)
        self.pointers = ctypes.c_void_p * 1

    def bind(self, x):
        self.x, self.inputs = x, self.pointers(x.ctypes.data)

    def run(self):
        if self.library.hone_model_run(self.instance, self.inputs, self.outputs) != 0:
            raise RuntimeError("hone_model_run failed")

    def result(self):
        return self.output

    version = ""


class OnnxRuntime:
    """A session with its input and output bound, which spares ONNX Runtime all copies and allocations."""

    def __init__(self, file, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        cpus = sorted(os.sched_getaffinity(0))
        if 1 < threads <= len(cpus):
            # Its own threads, one after the other; it counts processors from 1.
            options.add_session_config_entry("session.intra_op_thread_affinities",
                                             ";".join(str(cpu + 1) for cpu in cpus[1:threads]))
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.shape = [d if isinstance(d, int) and d > 0 else 1 for d in self.session.get_inputs()[0].shape]
        self.version = onnxruntime.__version__

    def bind(self, x):
        self.x, self.binding = x, self.session.io_binding()
        self.binding.bind_cpu_input(self.session.get_inputs()[0].name, x)
        self.binding.bind_output(self.session.get_outputs()[0].name)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def result(self):
        return self.binding.copy_outputs_to_cpu()[0]


def main():
    library, file, threads, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    x = np.random.default_rng(0).uniform(-1, 1, 1).astype(np.float32)  # numpy's generator is loaded
    before_kib, start = status_kib("VmRSS"), time.perf_counter()
    side = {"hone": Hone, "onnxruntime": OnnxRuntime}[library](file, threads)
    prepared = time.perf_counter()
    if threads > 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # this thread alone: the others exist already
    x = np.random.default_rng(0).uniform(-1, 1, side.shape).astype(np.float32)
    side.bind(x)
    begin = time.perf_counter()
    side.run()
    first = prepared - start + time.perf_counter() - begin
    peak_kib = status_kib("VmHWM")
    np.save(output, side.result())
    print(json.dumps({"first_ms": first * 1e3, "peak_bytes": peak_kib * 1024, "before_bytes": before_kib * 1024,
                      "shape": side.shape, "version": side.version}), flush=True)
    for line in sys.stdin:
        warm, calls = map(int, line.split())
        for _ in range(warm):
            side.run()
        start = time.perf_counter()
        for _ in range(calls):
            side.run()
        print(json.dumps({"ms": (time.perf_counter() - start) * 1e3 / calls}), flush=True)


if __name__ == "__main__":
    main()
