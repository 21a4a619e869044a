#!/usr/bin/env python3
"""Checks every #include of the project against scripts/include_rules.txt, and third-party headers against the design.

usage: include_rules_test.py ROOT    prints each broken rule as file:line; exit code 1 if there is one
"""
import pathlib
import re
import sys

THIRD_PARTY = re.compile(r"^(llvm|lld|zmq|capnp|kj|hdf5|H5|xgboost|google/protobuf|onnx|flatbuffers|nlohmann|jpeglib|png\.h)")
FOLDERS = ("codegen", "measure", "cost_model", "logs", "scheduler", "devices", "tuner")
# codegen/runtime/model is freestanding C: it may include only itself and the compiler's own headers.
FREESTANDING = "codegen/runtime/model"
COMPILER_HEADERS = {"stddef.h", "stdint.h", "stdarg.h", "limits.h", "float.h"}


def read_rules(root):
    rules = {}
    for line in (root / "scripts/include_rules.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            part, needed = line.split(":")
            rules[part.strip()] = needed.split()
    return rules


def reachable(rules, part):
    """All parts whose headers `part` may include: what it names, and what those include."""
    if rules[part] == ["*"]:
        return set(rules)
    seen, waiting = {part}, list(rules[part])
    while waiting:
        one = waiting.pop()
        if one not in rules:
            sys.exit(f"scripts/include_rules.txt: {part} names an unknown part {one}")
        if one not in seen:
            seen.add(one)
            waiting += rules[one]
    return seen


def part_of(path, rules):
    """The part a file belongs to: the longest folder of the rules that holds it."""
    fitting = [part for part in rules if path == part or path.startswith(part + "/")]
    return max(fitting, key=len, default=None)


def is_private(file):
    """A header whose first words are 'Private' serves its own part alone, and may include what its part links."""
    if not file.exists():  # generated when hone is built
        return False
    return re.match(r"(//|/\*)\s*private\b", file.read_text(errors="replace"), re.IGNORECASE) is not None


def check(root):
    rules = read_rules(root)
    allowed = {part: reachable(rules, part) for part in rules}
    broken = []
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cpp", ".c"):
                continue
            path = file.relative_to(root).as_posix()
            part = part_of(path, rules)
            if part is None:
                broken.append(f"{path}:1: belongs to no part of scripts/include_rules.txt")
                continue
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
                if not found:
                    continue
                header = found.group(1)
                other = part_of(header, rules)
                if other and other not in allowed[part]:
                    broken.append(f"{path}:{number}: {part} may not include {other} ({header})")
                if other and other != part and is_private(root / header):
                    broken.append(f"{path}:{number}: {header} is private to {other}")
                if file.suffix == ".h" and THIRD_PARTY.match(header) and not is_private(file):
                    broken.append(f"{path}:{number}: a public header lets in a third party's ({header})")
                if part == FREESTANDING and not other and header not in COMPILER_HEADERS and not (file.parent / header).exists():
                    broken.append(f"{path}:{number}: {FREESTANDING} is freestanding and may not include {header}")
    return broken


def main():
    broken = check(pathlib.Path(sys.argv[1]))
    print("\n".join(broken) or "every include obeys the rules")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
