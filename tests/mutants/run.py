#!/usr/bin/env python3
"""Plants one fault after the other into a copy of the tree and sees who notices: the unit tests of the core, then the seeds of
the simulator. Says in a table what caught which, and ends with 1 when more than two of them were missed.

    run.py --check               every entry of list.txt and conform.txt still has its place in the code
    run.py FOLDER [--seeds 2000] [--only NAME ...]
    run.py FOLDER --conform [--only NAME ...]

With --conform the faults are those of conform.txt, and each must be found by the case of `aprotic conform --self` that it
names: what that says of the engine without faults is ok, and with the fault failed or non-strict. Then none may be missed. FOLDER
gets the copy and its build, without sanitizers; a second run in the same folder builds only what has changed.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MISSED_MAX = 2
COUNT_MIN = 30
CONFORM_MIN = 15
UNIT_TESTS, SIMULATION, BROKEN = "unit tests", "simulation", "does not compile"


def read_list(name="list.txt"):
    """Entries: name, file, why, search, replacement, and the case that finds the fault where one is named."""
    entries = []
    lines = open(os.path.join(HERE, name), encoding="utf-8").read().split("\n")
    at = 0
    while at < len(lines):
        if not lines[at].startswith("mutant "):
            at += 1
            continue
        entry = {"name": lines[at][7:], "file": lines[at + 1].removeprefix("file "), "why": lines[at + 2].removeprefix("why ")}
        begin, middle = lines.index("<<<", at), lines.index("===", at)
        if begin == at + 4:
            entry["case"] = lines[at + 3].removeprefix("case ")
        end = lines.index(">>>", middle)
        assert begin - at in (3, 4), entry["name"]
        entry["search"] = "\n".join(lines[begin + 1:middle])
        entry["replacement"] = "\n".join(lines[middle + 1:end])
        entries.append(entry)
        at = end
    return entries


def check(entries, count_min):
    problems = []
    if len(entries) < count_min:
        problems.append(f"only {len(entries)} entries, of {count_min}")
    if len({entry["name"] for entry in entries}) != len(entries):
        problems.append("two entries have one name")
    for entry in entries:
        with open(os.path.join(ROOT, entry["file"]), encoding="utf-8") as file:
            found = file.read().count(entry["search"])
        if found != 1:
            problems.append(f"{entry['name']}: its text stands {found} times in {entry['file']}")
    print("\n".join(problems) or f"{len(entries)} entries, each has its place")
    return 1 if problems else 0


def call(words, folder, log, limit):
    """True when it succeeds in time."""
    try:
        return subprocess.run(words, cwd=folder, stdout=log, stderr=subprocess.STDOUT, timeout=limit, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Copy:
    """The tree that faults are planted in."""

    def __init__(self, folder, seeds, conform):
        self.folder = folder
        self.conform = conform
        self.tree = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "build")
        self.log = open(os.path.join(folder, "log.txt"), "w", encoding="utf-8")
        self.seeds = seeds

    def prepare(self):
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
        for name in filter(None, names):
            source, target = os.path.join(ROOT, name), os.path.join(self.tree, name)
            if not os.path.isfile(source):
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.exists(target) or open(source, "rb").read() != open(target, "rb").read():
                shutil.copyfile(source, target)
        made = call(["cmake", "-S", self.tree, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                     "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DAPROTIC_PRECOMPILE=ON"], None, self.log, 600)
        if not made or (self.judge_by(self.conform) if self.conform else self.judge()):
            sys.exit(f"the tree fails without any fault: see {self.log.name}")

    def compile(self, target):
        return call(["ninja", "-C", self.build, target], None, self.log, 7200)

    def program(self, name):
        for folder, _, files in os.walk(self.build):
            if name in files:
                return os.path.join(folder, name)
        sys.exit(f"{name} was not built")

    def judge(self):
        """What notices a fault, or None. The simulator is built only for what the unit tests let pass."""
        self.log.flush()
        if not self.compile("core_tests"):
            return BROKEN
        if not call([self.program("core_tests")], None, self.log, 120):
            return UNIT_TESTS
        if not self.compile("aprotic-sim"):
            return BROKEN
        if not call([self.program("aprotic-sim"), "--seeds", f"1-{self.seeds}"], None, self.log, 1800):
            return SIMULATION
        return None

    def judge_by(self, cases):
        """Those of these cases that fail or are not strict, or BROKEN, or None."""
        self.log.flush()
        if not self.compile("aprotic"):
            return BROKEN
        report = os.path.join(self.folder, "report.json")
        if os.path.exists(report):
            os.remove(report)
        call([self.program("aprotic"), "conform", "--self", "--timeout-factor", "3", "--json-report", report, *cases], None, self.log, 600)
        if not os.path.exists(report):
            return "no report"
        with open(report, encoding="utf-8") as file:
            failed = [one["id"] for one in json.load(file)["cases"] if one["verdict"].startswith(("failed", "non-strict"))]
        return ", ".join(failed) or None

    def plant(self, entry):
        path = os.path.join(self.tree, entry["file"])
        whole = open(path, encoding="utf-8").read()
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(whole.replace(entry["search"], entry["replacement"]))
            print(f"\n--- {entry['name']}", file=self.log, flush=True)
            return self.judge_by([entry["case"]]) if self.conform else self.judge()
        finally:
            with open(path, "w", encoding="utf-8") as file:
                file.write(whole)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--conform", action="store_true")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--only", nargs="+", default=[])
    arguments = parser.parse_args()
    entries = read_list("conform.txt" if arguments.conform else "list.txt")
    if arguments.check:
        return max(check(read_list(), COUNT_MIN), check(read_list("conform.txt"), CONFORM_MIN))
    if not arguments.folder:
        parser.error("where to?")
    os.makedirs(arguments.folder, exist_ok=True)
    if arguments.only:
        entries = [entry for entry in entries if entry["name"] in arguments.only]
    cases = [entry["case"] for entry in entries] if arguments.conform else []
    copy = Copy(os.path.abspath(arguments.folder), arguments.seeds, cases)
    copy.prepare()
    missed = broken = 0
    for entry in entries:
        start = time.monotonic()
        by = copy.plant(entry)
        missed += by is None
        broken += by == BROKEN
        print(f"{entry['name']:34} {by or 'MISSED':18} {time.monotonic() - start:6.1f} s  {entry['why']}", flush=True)
    print(f"{missed} missed, {broken} do not compile")
    return 1 if missed > (0 if arguments.conform else MISSED_MAX) or broken else 0


if __name__ == "__main__":
    sys.exit(main())
