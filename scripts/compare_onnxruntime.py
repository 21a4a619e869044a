#!/usr/bin/env python3
"""Times compiled models against ONNX Runtime, interleaved, and checks that both give the same answer.

usage: compare_onnxruntime.py [--threads N] [--rounds R] [--json FILE] MODEL.onnx=COMPILED.so...

Each library runs in a process of its own, and only while the other's threads sleep; a round times a batch of calls of
each after untimed ones, in alternating order (comparison/sides.py). Rounds beside other busy processes are repeated.
Printed: medians over rounds, the ratio's median with the 95 % interval of that median (bootstrap), and the relative
L2 difference of the outputs. scripts/compare makes the models, the environment and calls this.
"""
import argparse
import json
import pathlib
import tempfile

import numpy as np

from comparison.sides import Side, interleaved


def median_interval(values, rng):
    """Median and the 95 % bootstrap interval of it."""
    medians = np.median(rng.choice(values, (2000, len(values))), axis=1)
    return float(np.median(values)), float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def compare(model, compiled, threads, rounds, rng):
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/hone.npy", f"{folder}/onnxruntime.npy"]
        with Side("hone", pathlib.Path(compiled).resolve(), threads, files[0]) as hone_side, \
                Side("onnxruntime", model, threads, files[1]) as peer_side:
            found, expected = (np.load(file).ravel() for file in files)
            (hone, peer), disturbed = interleaved([hone_side, peer_side], rounds)
            version = peer_side.facts["version"]
    ratio, low, high = median_interval(peer / hone, rng)
    return {"model": pathlib.Path(compiled).stem, "threads": threads, "hone_ms": float(np.median(hone)),
            "onnxruntime_ms": float(np.median(peer)), "ratio": ratio, "ratio_low": low, "ratio_high": high,
            "relative_l2": float(np.linalg.norm(found - expected) / np.linalg.norm(expected)),
            "disturbed_rounds": disturbed, "onnxruntime": version}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=pathlib.Path, help="also write the rows there")
    parser.add_argument("pairs", nargs="+", metavar="MODEL.onnx=COMPILED.so")
    arguments = parser.parse_args()
    rng, rows = np.random.default_rng(0), []
    print(f"{arguments.threads} thread(s), {arguments.rounds} rounds")
    print(f"{'model':28} {'hone ms':>9} {'ORT ms':>9} {'ratio':>7} {'95 % of median':>16} {'difference':>11}")
    for pair in arguments.pairs:
        model, compiled = pair.split("=")
        row = compare(model, compiled, arguments.threads, arguments.rounds, rng)
        rows.append(row)
        print(f"{row['model']:28} {row['hone_ms']:9.3f} {row['onnxruntime_ms']:9.3f} {row['ratio']:7.3f} "
              f"{row['ratio_low']:7.3f}..{row['ratio_high']:6.3f} {row['relative_l2']:11.1e}"
              + (f"  ({row['disturbed_rounds']} rounds disturbed)" if row["disturbed_rounds"] else ""), flush=True)
    geometric = float(np.exp(np.mean([np.log(row["ratio"]) for row in rows])))
    print(f"geometric mean of ONNX Runtime's time over hone's: {geometric:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
