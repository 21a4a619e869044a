#!/usr/bin/env python3
"""Writes the small ONNX model that tests/system tunes: two convolutions, pooling, a dense layer, softmax.

usage: make_tiny_model.py OUT.onnx

Needs nothing but Python: the few protobuf messages are encoded by hand (field numbers from onnx.proto3).
"""
import pathlib
import random
import struct
import sys


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def integer(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    if isinstance(value, str):
        value = value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, int):
        return data(1, name) + integer(3, value) + integer(20, 2)
    return data(1, name) + b"".join(integer(8, i) for i in value) + integer(20, 7)


def node(op, inputs, output, **attributes):
    body = b"".join(data(1, name) for name in inputs) + data(2, output) + data(3, output) + data(4, op)
    return data(1, body + b"".join(data(5, attribute(k, v)) for k, v in attributes.items()))


def tensor(name, shape, values):
    packed = struct.pack(f"<{len(values)}f", *values)
    return data(5, b"".join(integer(1, d) for d in shape) + integer(2, 1) + data(8, name) + data(9, packed))


def value_info(field, name, shape):
    dims = b"".join(data(1, integer(1, d)) for d in shape)
    return data(field, data(1, name) + data(2, data(1, integer(1, 1) + data(2, dims))))


def main():
    rng = random.Random(1)

    def weights(name, shape):
        count = 1
        for d in shape:
            count *= d
        return tensor(name, shape, [round(rng.uniform(-0.5, 0.5), 3) for _ in range(count)])

    graph = (
        node("Conv", ["input", "w0", "b0"], "conv0", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
        + node("Relu", ["conv0"], "relu0")
        + node("Conv", ["relu0", "w1", "b1"], "conv1", kernel_shape=[1, 1])
        + node("Relu", ["conv1"], "relu1")
        + node("GlobalAveragePool", ["relu1"], "pool")
        + node("Flatten", ["pool"], "flat", axis=1)
        + node("Gemm", ["flat", "w2", "b2"], "logits", transB=1)
        + node("Softmax", ["logits"], "output", axis=1)
        + data(2, "tiny")
        + weights("w0", [16, 3, 3, 3]) + weights("b0", [16])
        + weights("w1", [32, 16, 1, 1]) + weights("b1", [32])
        + weights("w2", [10, 32]) + weights("b2", [10])
        + value_info(11, "input", [1, 3, 32, 32])
        + value_info(12, "output", [1, 10])
    )
    model = integer(1, 8) + data(2, "make_tiny_model.py") + data(7, graph) + data(8, data(1, "") + integer(2, 13))
    pathlib.Path(sys.argv[1]).write_bytes(model)


if __name__ == "__main__":
    main()
