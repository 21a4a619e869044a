#!/usr/bin/env python3
"""Measures hone against ONNX Runtime model by model: times, accuracy, memory, first results. Called by scripts/compare.

usage: compare_onnxruntime.py [--threads 1,2] [--rounds R] [--tune SECONDS] [--output NAME] --hone PROGRAM --models FOLDER MODEL...

MODEL: name of FOLDER/MODEL.onnx. Each is built untuned, and tuned if asked for; then each library runs in a process of
its own, only while the other's threads sleep (comparison/sides.py). Every finished row is written at once to
NAME.json, NAME.md and NAME.svg, so a run that is stopped keeps what it has.
"""
import argparse
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import numpy as np

from comparison import report
from comparison.sides import Others, Side, interleaved


def run_hone(program, *arguments):
    """The JSON object that a command of hone ends with; its messages go through."""
    done = subprocess.run([program, *map(str, arguments), "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"hone {' '.join(map(str, arguments))} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith(("model name", "CPU part"))]
    return f"{names[0] if names else 'unknown CPU'}, {len(os.sched_getaffinity(0))} CPUs"


def commit():
    folder = pathlib.Path(__file__).parent
    git = lambda *words: subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=False).stdout
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" and changes" if git("status", "--porcelain", "-uno") else "")


def built(arguments, model, threads, seconds):
    """(file, bytes of packed constants) of the model, tuned for so many seconds if that is not 0."""
    folder = arguments.models
    source = folder / f"{model}.onnx"
    log = folder / f"{model}.{threads}.h5"
    file = folder / (f"{model}.{threads}.tuned.so" if seconds else f"{model}.so")
    if seconds:
        tuned = run_hone(arguments.hone, "tune", source, "--target", "host", "--threads", threads, "--log", log, "--time",
                         f"{seconds}s")
        print(f"{model}: tuned {tuned.get('trials', '')} trials", file=sys.stderr)
    facts = file.with_suffix(".json")
    newest = max(os.stat(path).st_mtime for path in (source, arguments.hone))
    if seconds or not (file.exists() and facts.exists()) or facts.stat().st_mtime < newest:
        words = ["build", source, "--target", "host", "-o", file] + (["--log", log, "--threads", threads] if seconds else [])
        facts.write_text(json.dumps(run_hone(arguments.hone, *words)))
    return file, json.loads(facts.read_text())["weight_bytes"]


def initialiser_bytes(model):
    """Of the weights in the file; they are nearly all of it."""
    return model.stat().st_size


def fresh(library, file, threads, folder, constants):
    """Memory and first result: medians of five fresh processes; one beside other busy processes is repeated, once each."""
    found, spare = [], 5
    while len(found) < 5:
        Others.wait(["self"])
        others = Others(["self"])
        with Side(library, file, threads, f"{folder}/fresh.npy") as side:
            others.pids.append(side.process.pid)
            if others.disturb() and spare > 0:
                spare -= 1
                continue
            found.append(side.facts)
    peak = float(np.median([facts["peak_bytes"] - facts["before_bytes"] for facts in found]))
    return {"first_ms": float(np.median([facts["first_ms"] for facts in found])), "peak_bytes": peak,
            "whole_peak_bytes": float(np.median([facts["peak_bytes"] for facts in found])),
            "constant_bytes": constants, "memory_mb": max(peak - constants, 0.0) / 1e6}


def measure(arguments, model, threads, rng):
    source = arguments.models / f"{model}.onnx"
    files = {"hone": built(arguments, model, threads, 0)}
    if arguments.tune:
        files = {"hone": built(arguments, model, threads, arguments.tune), "untuned": files["hone"]}
    files["onnxruntime"] = (source, initialiser_bytes(source))
    row = {"model": model, "threads": threads}
    with tempfile.TemporaryDirectory() as folder:
        sides = {}
        try:
            for name, (file, constants) in files.items():
                library = "onnxruntime" if name == "onnxruntime" else "hone"
                row[name] = fresh(library, file.resolve(), threads, folder, constants)
                sides[name] = Side(library, file.resolve(), threads, f"{folder}/{name}.npy")
            times, row["disturbed_rounds"] = interleaved(list(sides.values()), arguments.rounds)
            found, expected = (np.load(f"{folder}/{name}.npy").ravel() for name in ("hone", "onnxruntime"))
            row["version"] = sides["onnxruntime"].facts["version"]
        finally:
            for side in sides.values():
                side.close()
    times = [np.array(of) for of in times]
    for name, of in zip(sides, times):
        row[name] |= {"ms": float(np.median(of)), "samples_ms": [round(float(t), 5) for t in of]}
    times = dict(zip(sides, times))
    row["ratio"], row["ratio_low"], row["ratio_high"] = report.median_interval(list(map(float, times["onnxruntime"] / times["hone"])), rng)
    if arguments.tune:
        row["untuned_ratio"] = float(np.median(times["onnxruntime"] / times["untuned"]))
        row["tuned_over_untuned"] = float(np.median(times["hone"] / times["untuned"]))
    row["relative_l2"] = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return row


def write(facts, rows, name):
    for ending, text in ((".json", json.dumps({**facts, "rows": rows}, indent=1) + "\n"),
                         (".md", report.markdown(facts, rows)), (".svg", report.svg(facts, rows))):
        partial = name.with_name(name.name + ending + ".partial")
        partial.write_text(text)
        partial.rename(name.with_name(name.name + ending))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1", help="numbers of threads, comma-separated")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tune", type=int, default=0, metavar="SECONDS")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="file names to write, without ending")
    parser.add_argument("--hone", required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("names", nargs="+", metavar="MODEL")
    arguments = parser.parse_args()
    facts = {"date": f"{datetime.date.today():%d %B %Y}", "commit": commit(), "machine": machine(),
             "rounds": arguments.rounds, "onnxruntime": "", "command": os.environ.get("HONE_COMMAND", "scripts/compare")}
    rng, rows, start = random.Random(0), [], time.monotonic()
    work = [(model, int(threads)) for model in arguments.names for threads in arguments.threads.split(",")]
    print(f"{'model':22} {'threads':>7} {'hone ms':>9} {'ORT ms':>9} {'ratio':>6} {'95 % of median':>15} {'difference':>10}"
          f" {'MB (ORT)':>15} {'first ms (ORT)':>15}")
    for done, (model, threads) in enumerate(work, 1):
        row = measure(arguments, model, threads, rng)
        facts["onnxruntime"] = row.pop("version")
        rows.append(row)
        write(facts, rows, arguments.output)
        hone, peer = row["hone"], row["onnxruntime"]
        left = (time.monotonic() - start) / done * (len(work) - done)
        print(f"{model:22} {threads:7} {hone['ms']:9.3f} {peer['ms']:9.3f} {row['ratio']:6.3f} "
              f"{row['ratio_low']:7.3f}..{row['ratio_high']:6.3f} {row['relative_l2']:10.1e} "
              f"{hone['memory_mb']:6.1f} ({peer['memory_mb']:6.1f}) {hone['first_ms']:6.1f} ({peer['first_ms']:6.1f})"
              + (f" untuned {row['untuned']['ms']:.3f}" if arguments.tune else "")
              + (f" ({row['disturbed_rounds']} rounds disturbed)" if row["disturbed_rounds"] else ""), flush=True)
        print(f"{done} of {len(work)}, about {left:.0f} s left", file=sys.stderr, flush=True)
    for threads in sorted({row["threads"] for row in rows}):
        of = [row for row in rows if row["threads"] == threads]
        print(f"{threads} thread(s): {report.summary(of, bool(arguments.tune))}")
    print(f"{arguments.output}.md, .svg, .json")


if __name__ == "__main__":
    main()
