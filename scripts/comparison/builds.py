#!/usr/bin/env python3
"""Times built models of the same network against each other: each in a process of its own, interleaved.

usage: builds.py [--threads N] [--rounds R] FIRST.so OTHER.so...     run it with build/compare/venv/bin/python

Prints each one's median and, for the others, the median ratio of their time to the first's with its 95 % interval.
"""
import argparse
import pathlib
import random
import sys
import tempfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from comparison import report  # noqa: E402
from comparison.sides import Side, interleaved  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("files", nargs="+", metavar="MODEL.so", type=pathlib.Path)
    arguments = parser.parse_args()
    sides = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for i, file in enumerate(arguments.files):
                sides.append(Side("hone", file.resolve(), arguments.threads, f"{folder}/{i}.npy"))
            times, disturbed = interleaved(sides, arguments.rounds)
            outputs = [np.load(f"{folder}/{i}.npy").ravel() for i in range(len(sides))]
        finally:
            for side in sides:
                side.close()
    rng, times = random.Random(0), np.array(times)
    for i, (file, output) in enumerate(zip(arguments.files, outputs)):
        ratio, low, high = report.median_interval(list(map(float, times[i] / times[0])), rng)
        difference = np.linalg.norm(output - outputs[0]) / np.linalg.norm(outputs[0])
        print(f"{file}: {np.median(times[i]):.3f} ms, {ratio:.3f} of the first's time ({low:.3f} to {high:.3f}), "
              f"difference {difference:.0e}")
    if disturbed:
        print(f"{disturbed} of {arguments.rounds} rounds were disturbed by other processes", file=sys.stderr)


if __name__ == "__main__":
    main()
