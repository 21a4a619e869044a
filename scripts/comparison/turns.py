#!/usr/bin/env python3
"""Times built models with `hone bench` in turns, so that a slow minute of the machine is slow for all of them.

usage: turns.py [--rounds N] [--seconds S] HONE FIRST.so OTHER.so...

Prints one JSON object: the milliseconds of each model's run, the median over rounds of the rounds' medians, and for each
the median over rounds of its time over the first's in the same round.
"""
import argparse
import json
import statistics
import subprocess


def bench(hone, model, seconds):
    """Median milliseconds of one run."""
    done = subprocess.run([hone, "bench", model, "--seconds", str(seconds), "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["median_ms"]


def in_turns(measure, models, rounds):
    """What measure(model) gives, a list for each model; the order turns with every round."""
    times = {model: [] for model in models}
    for number in range(rounds):
        for model in models if number % 2 == 0 else reversed(models):
            times[model].append(measure(model))
    return [times[model] for model in models]


def summary(models, times):
    return [{"model": model, "ms": statistics.median(own),
             "ratio": statistics.median(one / first for one, first in zip(own, times[0]))} for model, own in zip(models, times)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each model in each round")
    parser.add_argument("hone")
    parser.add_argument("models", nargs="+", metavar="MODEL.so")
    arguments = parser.parse_args()
    times = in_turns(lambda model: bench(arguments.hone, model, arguments.seconds), arguments.models, arguments.rounds)
    print(json.dumps({"rounds": arguments.rounds, "models": summary(arguments.models, times)}))


if __name__ == "__main__":
    main()
