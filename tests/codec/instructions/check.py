"""Counts the instructions of the codec's hot paths with callgrind and compares them with budget.txt.

    check.py PROGRAM BUDGET COMPILER [--write]

Counts do not depend on what else the machine does, so a budget can be a test. They do depend on the compiler: the budget is g++ 12's,
others are let off with half as much again. Ends with 77 where there is no valgrind: the test is skipped. --write takes what was
counted for the new budget.
"""
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77


def count(program):
    """Instructions per operation, by name."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        environment = dict(os.environ, LD_BIND_NOW="1")
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--callgrind-out-file=" + out, program],
            capture_output=True, text=True, timeout=100, env=environment)
        if done.returncode != 0:
            sys.exit("valgrind ended with %d\n%s" % (done.returncode, done.stderr))
        times = dict(line.split() for line in done.stdout.splitlines())
        counts = {}
        for path in glob.glob(out + ".*"):
            with open(path) as dump:
                text = dump.read()
            name = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.M)
            total = re.search(r"^(?:totals|summary): (\d+)", text, re.M)
            if name and total:
                counts[name.group(1)] = int(total.group(1)) // int(times[name.group(1)])
        return {name: counts.get(name) for name in times}


def main():
    program, budget_path, compiler = sys.argv[1:4]
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return SKIPPED
    if platform.machine() != "x86_64":
        print("skipped: the budget is for x86_64")
        return SKIPPED
    counts = count(program)
    if None in counts.values():
        print("skipped: valgrind/callgrind.h was not there when this was built")
        return SKIPPED
    if "--write" in sys.argv[4:]:
        with open(budget_path, "w") as budget:
            budget.write("# Instructions per operation, g++ 12 -O2 on x86_64. check.py --write makes this file.\n")
            budget.writelines("%s %d\n" % item for item in counts.items())
    with open(budget_path) as file:
        budget = {line.split()[0]: int(line.split()[1]) for line in file if not line.startswith("#")}
    tolerance = 1.1 if compiler.startswith("GNU-12") else 1.5
    failed = False
    for name, counted in counts.items():
        allowed = budget.get(name, 0) * tolerance
        failed |= counted > allowed
        print("%-26s %7d of %7d%s" % (name, counted, budget.get(name, 0), "  OVER BUDGET" if counted > allowed else ""))
    for name in sorted(budget.keys() - counts.keys()):
        failed = True
        print("%s has a budget and was not counted" % name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
