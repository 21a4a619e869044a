"""Times two processes in turn: the one that is not asked rests, all of its threads asleep, before the other begins.

Needed because both libraries' threads go on spinning after a run (ONNX Runtime's for milliseconds): on a machine with
as many CPUs as threads they would take the other's CPU from it.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

SIDE = pathlib.Path(__file__).with_name("side.py")


def sleeping(pid):
    """Whether all threads of the process wait for something, and the processor time that they have used."""
    states, ticks = [], 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended meanwhile
        states.append(fields[0])
        ticks += int(fields[11]) + int(fields[12])
    return all(state in "SZX" for state in states), ticks


def wait_until_asleep(pid, seconds=2.0):
    """Returns when all threads were asleep at five looks in a row, a millisecond apart; TimeoutError if they never are."""
    deadline, quiet = time.monotonic() + seconds, 0
    while quiet < 5:
        quiet = quiet + 1 if sleeping(pid)[0] else 0
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} does not come to rest within {seconds:g} s")
        time.sleep(0.001)


class Side:
    """One process of side.py."""

    def __init__(self, library, file, threads, output):
        # numpy's own threads spin for some 20 ms after its import, on a CPU that a first result then lacks.
        self.process = subprocess.Popen([sys.executable, str(SIDE), library, str(file), str(threads), str(output)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
        self.file = file
        self.facts = self.answer()
        wait_until_asleep(self.process.pid)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.file}: the process ended with {self.process.wait()}")
        return json.loads(line)

    def milliseconds(self, warm, calls):
        """Of one call, the mean of `calls` in a row after `warm` untimed ones; returns when its threads rest again."""
        self.process.stdin.write(f"{warm} {calls}\n")
        self.process.stdin.flush()
        result = self.answer()["ms"]
        wait_until_asleep(self.process.pid)
        return result

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ticks(pids):
    """Ticks (10 ms) of processor time that everybody has used, and that these processes have."""
    lines = pathlib.Path("/proc/stat").read_text().splitlines()
    fields = [int(field) for field in lines[0].split()[1:]]
    return sum(fields[:3] + fields[5:8]), sum(sleeping(pid)[1] for pid in pids)


class Others:
    """What processor time others take meanwhile: a measurement beside a compiler says nothing."""

    def __init__(self, pids):
        self.pids, self.begin, self.start = pids, ticks(pids), time.monotonic()

    def disturb(self):
        """More than a tenth of a CPU, since this was made; single ticks do not count."""
        everybody, ours = ticks(self.pids)
        foreign = (everybody - self.begin[0]) - (ours - self.begin[1])
        return foreign > max(2, 0.1 * 100 * (time.monotonic() - self.start))

    @staticmethod
    def wait(pids, seconds=20.0):
        """Until the machine is ours, or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            others = Others(pids)
            time.sleep(0.1)
            if not others.disturb():
                return


def interleaved(sides, rounds, budget_ms=50.0, warm_ms=20.0):
    """Milliseconds of a call, one per side and round, and how many rounds were disturbed by other processes.

    The order of the sides turns with every round. A batch lasts about `budget_ms` (one call at least) after untimed
    calls of about `warm_ms` (one at least). A disturbed round is done again, up to twice as many as `rounds` in all.
    """
    counts, pids = [], ["self"] + [side.process.pid for side in sides]
    for side in sides:
        once = side.milliseconds(1, 2)
        counts.append((max(1, round(warm_ms / once)), max(1, round(budget_ms / once))))
    times, disturbed, again = [[] for _ in sides], 0, rounds
    while len(times[0]) < rounds:
        others = Others(pids)
        order = list(range(len(sides)))
        if len(times[0]) % 2:
            order.reverse()
        found = {i: sides[i].milliseconds(*counts[i]) for i in order}
        if others.disturb():
            if again > 0:
                again -= 1
                Others.wait(pids)
                continue
            disturbed += 1
        for i, milliseconds in found.items():
            times[i].append(milliseconds)
    return times, disturbed
