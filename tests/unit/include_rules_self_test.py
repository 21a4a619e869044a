#!/usr/bin/env python3
"""Shows that include_rules_test.py finds what it is for: a forbidden include, a leaked header, a file of no part."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import include_rules_test  # noqa: E402


def broken_by(files):
    """What check() says of a tree with these files and three parts: a, b (may include a), and c (may include b)."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {"scripts/include_rules.txt": "measure:\nlogs: measure\nscheduler: logs\n", **files}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return include_rules_test.check(root)


def expect(found, text):
    if len(found) != (1 if text else 0) or not all(text in line for line in found):
        sys.exit(f"expected {text!r}, got {found}")


expect(broken_by({"scheduler/a.cpp": '#include "measure/wire.h"\n'}), "")
expect(broken_by({"measure/a.cpp": '#include "logs/journal.h"\n'}), "measure may not include logs")
expect(broken_by({"logs/a.h": "// x\n#include <hdf5.h>\n"}), "lets in a third party's")
expect(broken_by({"logs/a.h": "// Private: rows.\n#include <hdf5.h>\n"}), "")
expect(broken_by({"logs/a.h": "// Private: rows.\n", "scheduler/a.cpp": '#include "logs/a.h"\n'}), "private to logs")
expect(broken_by({"logs/a.cpp": "#include <hdf5.h>\n"}), "")
expect(broken_by({"devices/a.cpp": "\n"}), "belongs to no part")
print("the include rules are enforced")
