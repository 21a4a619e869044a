#!/usr/bin/env python3
"""What scripts/plot_curves.py reads off a curve, and what it says of files that are none."""
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "plot_curves.py"
spec = importlib.util.spec_from_file_location("plot_curves", SCRIPT)
plot_curves = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plot_curves)

HEADER = "seconds,trials,model_ms,finals\n"


def check(claim, holds):
    if not holds:
        sys.exit(f"not so: {claim}")


def error_of(folder, text):
    path = pathlib.Path(folder) / "curve.csv"
    path.write_text(text, encoding="utf-8")
    out = pathlib.Path(folder) / "out.svg"
    run = subprocess.run([sys.executable, SCRIPT, out, f"curve={path}"], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stderr


with tempfile.TemporaryDirectory() as folder:
    good = HEADER + "1.0,3,,0\n2.5,40,30.0,0\n9,300,26.0,0\n40,1500,25.0,1\n"
    path = pathlib.Path(folder) / "curve.csv"
    path.write_text(good, encoding="utf-8")
    rows = plot_curves.read_curve(path)
    check("rows without a time of the whole model are left out", len(rows) == 3 and rows[0] == (2.5, 40, 30.0))
    check("the first moment below a line is found", plot_curves.first_below(rows, 27) == (9.0, 300, 26.0))
    check("a line never reached gives none", plot_curves.first_below(rows, 24) is None)
    check("another table is refused by its columns", "no column model_ms" in error_of(folder, "seconds,trials\n1,2\n"))
    check("a curve without times is refused", "no row has a time" in error_of(folder, HEADER + "1.0,3,,0\n"))
    check("a word for a number is refused", "could not convert" in error_of(folder, HEADER + "1.0,3,fast,0\n"))
    drawn = error_of(folder, good)
    if "matplotlib is missing" in drawn:
        print("matplotlib is missing: nothing was drawn")
    else:
        check("a curve is drawn", drawn == "" and "<svg" in (pathlib.Path(folder) / "out.svg").read_text("utf-8"))
