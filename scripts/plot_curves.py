#!/usr/bin/env python3
"""Draws how models' times fell while they were tuned, from the files of `hone tune --curve`, and prints when.

usage: plot_curves.py OUT.svg [--title TEXT] [--line LABEL=MS]... [--log] LABEL=CURVE.csv...

A --line is a time to beat, e.g. ONNX Runtime's: drawn across, and the first moment below it is printed. Of each curve
also the first moment within 5 % of where it ends. A moment is in seconds since the command began, and in trials.
"""
import argparse
import csv
import pathlib
import sys


def read_curve(path):
    """Rows of seconds, trials and model_ms; those without a time for every task yet are left out."""
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = {"seconds", "trials", "model_ms"} - set(reader.fieldnames or [])
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}; is it of hone tune --curve?")
        rows = [(float(r["seconds"]), int(r["trials"]), float(r["model_ms"])) for r in reader if r["model_ms"]]
    if not rows:
        raise ValueError(f"{path}: no row has a time of the whole model")
    return rows


def first_below(rows, ms):
    """The first row at or below a time, or None."""
    return next((row for row in rows if row[2] <= ms), None)


def moment(row):
    return "never" if row is None else f"{row[0]:.1f} s, {row[1]} trials"


def named(text):
    label, separator, value = text.rpartition("=")
    if not separator or not label:
        raise argparse.ArgumentTypeError(f"'{text}' is not LABEL=VALUE")
    return label, value


def draw(out, title, curves, lines, logarithmic):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "hone"  # the same picture is the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for label, rows in curves:
        seconds, _, ms = zip(*rows)
        axes.step(seconds, ms, where="post", label=label)
    for i, (label, ms) in enumerate(lines):
        axes.axhline(ms, linestyle="--", linewidth=1, color=f"C{len(curves) + i}", label=f"{label} {ms:g} ms")
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xlabel("seconds since hone tune began")
    axes.set_ylabel("model, estimated ms")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="the picture, *.svg")
    parser.add_argument("curves", nargs="+", type=named, metavar="LABEL=CURVE.csv")
    parser.add_argument("--title", default="")
    parser.add_argument("--line", action="append", default=[], type=named, metavar="LABEL=MS")
    parser.add_argument("--log", action="store_true", help="logarithmic seconds")
    flags = parser.parse_args()
    try:
        lines = [(label, float(ms)) for label, ms in flags.line]
        curves = [(label, read_curve(path)) for label, path in flags.curves]
        draw(flags.out, flags.title, curves, lines, flags.log)
    except ImportError:
        sys.exit("plot_curves.py: matplotlib is missing: scripts/packages installs it (python3-matplotlib)")
    except (OSError, ValueError) as error:
        sys.exit(f"plot_curves.py: {error}")
    for label, rows in curves:
        first, last = rows[0], rows[-1]
        print(f"{label}: {first[2]:.3f} ms after {moment(first)}; {last[2]:.3f} ms after {moment(last)}")
        print(f"  within 5 % of the end: {moment(first_below(rows, last[2] * 1.05))}")
        for name, ms in lines:
            print(f"  faster than {name} ({ms:g} ms): {moment(first_below(rows, ms))}")


if __name__ == "__main__":
    main()
