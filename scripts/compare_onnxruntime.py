#!/usr/bin/env python3
"""Times compiled models against ONNX Runtime in one process, interleaved, and checks that both give the same answer.

usage: compare_onnxruntime.py [--threads N] [--rounds R] [--json FILE] MODEL.onnx=COMPILED.so...

Each round times every model once with hone and once with ONNX Runtime, a batch of calls each, in alternating order.
Printed: medians over rounds, the ratio's median with the 95 % interval of that median (bootstrap), and the relative
L2 difference of the outputs. scripts/compare makes the models, the environment and calls this.
"""
import argparse
import ctypes
import json
import pathlib
import time

import numpy as np
import onnxruntime


class Tensor(ctypes.Structure):
    """hone_model_tensor of codegen/runtime/model/abi.h."""
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("shape", ctypes.c_int64 * 8)]


class Hone:
    """A compiled model, called through its C ABI."""

    def __init__(self, file, threads):
        self.library = ctypes.CDLL(str(pathlib.Path(file).resolve()))
        lib = self.library
        lib.hone_model_memory_bytes.restype = ctypes.c_size_t
        lib.hone_model_create.restype = ctypes.c_void_p
        lib.hone_model_create.argtypes = [ctypes.c_void_p, ctypes.c_int32]
        lib.hone_model_output.argtypes = [ctypes.c_int32, ctypes.POINTER(Tensor)]
        lib.hone_model_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        size = lib.hone_model_memory_bytes()
        self.memory = np.zeros(size + 64, np.uint8)
        aligned = (self.memory.ctypes.data + 63) // 64 * 64
        self.instance = lib.hone_model_create(aligned, threads)
        if not self.instance:
            raise RuntimeError(f"{file}: hone_model_create failed")
        tensor = Tensor()
        lib.hone_model_output(0, ctypes.byref(tensor))
        self.output = np.empty(tensor.shape[:tensor.rank], np.float32)

    def run(self, x):
        inputs = (ctypes.c_void_p * 1)(x.ctypes.data)
        outputs = (ctypes.c_void_p * 1)(self.output.ctypes.data)
        if self.library.hone_model_run(self.instance, inputs, outputs) != 0:
            raise RuntimeError("hone_model_run failed")
        return self.output


class OnnxRuntime:
    def __init__(self, file, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]

    def run(self, x):
        return self.session.run(None, {self.input.name: x})[0]


def milliseconds(run, x, calls):
    start = time.perf_counter()
    for _ in range(calls):
        run(x)
    return (time.perf_counter() - start) * 1e3 / calls


def median_interval(values, rng):
    """Median and the 95 % bootstrap interval of it."""
    medians = np.median(rng.choice(values, (2000, len(values))), axis=1)
    return float(np.median(values)), float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    parser.add_argument("pairs", nargs="+", metavar="MODEL.onnx=COMPILED.so")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)

    models = []
    for pair in arguments.pairs:
        model, compiled = pair.split("=")
        hone, peer = Hone(compiled, arguments.threads), OnnxRuntime(model, arguments.threads)
        x = rng.uniform(-1, 1, [d if isinstance(d, int) and d > 0 else 1 for d in peer.input.shape]).astype(np.float32)
        expected, found = peer.run(x).ravel(), hone.run(x).ravel()
        error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
        calls = max(1, int(50 / milliseconds(peer.run, x, 3)))
        models.append({"name": pathlib.Path(compiled).stem, "hone": hone, "peer": peer, "x": x, "error": error,
                       "calls": calls, "times": {"hone": [], "peer": []}})

    for round_number in range(arguments.rounds):
        for model in models:
            for side in ("hone", "peer") if round_number % 2 else ("peer", "hone"):
                time.sleep(0.02)  # the other side's threads stop spinning
                model[side].run(model["x"])
                model["times"][side].append(milliseconds(model[side].run, model["x"], model["calls"]))

    print(f"ONNX Runtime {onnxruntime.__version__}, {arguments.threads} thread(s), {arguments.rounds} rounds")
    print(f"{'model':28} {'hone ms':>9} {'ORT ms':>9} {'ratio':>7} {'95 % of median':>16} {'difference':>11}")
    rows = []
    for model in models:
        hone, peer = np.array(model["times"]["hone"]), np.array(model["times"]["peer"])
        ratio, low, high = median_interval(peer / hone, rng)
        rows.append({"model": model["name"], "threads": arguments.threads, "hone_ms": float(np.median(hone)),
                     "onnxruntime_ms": float(np.median(peer)), "ratio": ratio, "ratio_low": low, "ratio_high": high,
                     "relative_l2": model["error"]})
        print(f"{model['name']:28} {np.median(hone):9.3f} {np.median(peer):9.3f} {ratio:7.3f} "
              f"{low:7.3f}..{high:6.3f} {model['error']:11.1e}")
    geometric = float(np.exp(np.mean([np.log(row["ratio"]) for row in rows])))
    print(f"geometric mean of ONNX Runtime's time over hone's: {geometric:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"onnxruntime": onnxruntime.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
