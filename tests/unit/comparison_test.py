#!/usr/bin/env python3
"""The comparison with ONNX Runtime without ONNX Runtime: statistics, tables, picture, and who runs when.

usage: comparison_test.py SOURCE_FOLDER
"""
import pathlib
import random
import subprocess
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(sys.argv.pop(1)) / "scripts"))
from comparison import report, sides, turns  # noqa: E402


def row(model, threads, ratio, **more):
    side = {"ms": 2.0, "memory_mb": 5.0, "first_ms": 4.0}
    peer = {"ms": 2.0 * ratio, "memory_mb": 50.0, "first_ms": 40.0}
    return {"model": model, "threads": threads, "hone": side, "onnxruntime": peer, "ratio": ratio, "ratio_low": ratio - 0.1,
            "ratio_high": ratio + 0.1, "relative_l2": 1e-6, "disturbed_rounds": 0, **more}


FACTS = {"date": "1 May 2026", "commit": "abc", "machine": "a <CPU>", "rounds": 20, "onnxruntime": "1.0", "command": "scripts/compare"}


class FakeSide:
    """Answers at once and notes the order of the calls."""
    process = subprocess.Popen(["true"])  # pylint: disable=consider-using-with

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def milliseconds(self, warm, calls):
        self.calls.append((self.name, warm, calls))
        return 10.0


class Report(unittest.TestCase):
    def test_the_interval_of_the_median_holds_it_and_shrinks_with_the_spread(self):
        rng = random.Random(0)
        for spread in (0.5, 0.01):
            values = [1.5 + spread * rng.uniform(-1, 1) for _ in range(20)]
            median, low, high = report.median_interval(values, rng)
            self.assertTrue(1.5 - spread <= low <= median <= high <= 1.5 + spread)

    def test_one_model_twice_as_fast_and_one_half_are_a_draw(self):
        self.assertAlmostEqual(report.geometric_mean([2.0, 0.5]), 1.0)

    def test_the_table_has_a_section_for_each_number_of_threads(self):
        text = report.markdown(FACTS, [row("one", 1, 1.5), row("two", 1, 1.5), row("one", 2, 1.2, disturbed_rounds=3)])
        self.assertIn("## 1 thread: geometric mean 1.50, least lower bound 1.40, memory 0.10", text)
        self.assertIn("## 2 threads: geometric mean 1.20", text)
        self.assertIn("| one (3 rounds disturbed) |", text)
        self.assertNotIn("untuned", text)

    def test_a_tuned_run_shows_the_untuned_speed_beside_it(self):
        tuned = row("one", 1, 1.5, untuned={"ms": 2.5}, untuned_ratio=1.2, tuned_over_untuned=0.8)
        text = report.markdown(FACTS, [tuned])
        self.assertIn("untuned 1.20", text)
        self.assertIn("| one | 2.50 | 2.00 |", text)
        self.assertIn("| 80 % |", text)

    def test_the_picture_is_well_formed_and_has_a_bar_for_each_row(self):
        rows = [row("one", 1, 1.5), row("one", 2, 0.9), row("two", 1, 2.4)]
        root = xml.etree.ElementTree.fromstring(report.svg(FACTS, rows))
        bars = [e for e in root if e.get("fill-opacity") == "0.85"]
        self.assertEqual(len(bars), 3)
        widths = [float(bar.get("width")) for bar in bars]
        self.assertAlmostEqual(widths[0] / widths[1], 1.5 / 0.9, places=2)


class Sides(unittest.TestCase):
    def test_a_busy_process_is_not_asleep_and_a_waiting_one_is(self):
        with subprocess.Popen([sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"], stdout=subprocess.PIPE) as busy:
            busy.stdout.readline()
            with self.assertRaisesRegex(TimeoutError, "does not come to rest within 0.05 s"):
                sides.wait_until_asleep(busy.pid, 0.05)
            busy.kill()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as waiting:
            sides.wait_until_asleep(waiting.pid)
            waiting.stdin.close()

    def test_sides_take_turns_and_the_order_turns_with_every_round(self):
        calls = []
        times, _ = sides.interleaved([FakeSide("a", calls), FakeSide("b", calls)], 4, budget_ms=50, warm_ms=20)
        self.assertEqual([len(t) for t in times], [4, 4])
        rounds = [name for name, warm, count in calls if (warm, count) == (2, 5)]
        pairs = [tuple(rounds[i:i + 2]) for i in range(0, len(rounds), 2)]
        self.assertIn(("a", "b"), pairs)
        self.assertIn(("b", "a"), pairs)
        self.assertTrue(all(set(pair) == {"a", "b"} for pair in pairs))

    def test_a_side_that_ends_is_an_error_that_names_its_file(self):
        with self.assertRaisesRegex(RuntimeError, "nothing.so: the process ended with 1"):
            sides.Side("hone", "/nonexistent/nothing.so", 1, "/dev/null")


class Turns(unittest.TestCase):
    def test_a_machine_that_slows_down_favours_none_of_two_models(self):
        own, calls = {"first": 10.0, "second": 8.0}, []

        def measure(model):
            calls.append(model)
            return own[model] * (1 + len(calls) / 10)  # three times as slow after twenty calls

        times = turns.in_turns(measure, ["first", "second"], 10)
        first, second = turns.summary(["first", "second"], times)
        self.assertEqual(first["ratio"], 1.0)
        self.assertAlmostEqual(second["ratio"], 0.8, delta=0.05)  # 1.3 if all of the first came before the second
        self.assertLess(second["ms"], first["ms"])
        self.assertEqual(calls[:4], ["first", "second", "second", "first"])

    def test_the_quickstart_compares_in_turns(self):
        text = (pathlib.Path(turns.__file__).parents[1] / "quickstart").read_text()
        self.assertIn("scripts/comparison/turns.py", text)
        self.assertNotIn(" bench ", text)


if __name__ == "__main__":
    unittest.main()
