#!/usr/bin/env python3
"""Compares what a message, a connection, a link, a header and a program cost with baseline.txt.

    check.py --build BUILD-FOLDER --compiler C++ --version GNU-12 [--includes FOLDER] [--program FILE …] [--release FOLDER] [--write]
    check.py --blame NAME [--good COMMIT] [--bad COMMIT]

None of it depends on load. Some of it depends on the compiler and its library: the baseline is g++ 12's, with others the lines of headers
and programs are not compared. --write takes what was measured for the new baseline, of lines that have moved alone, and notes at which
commit. --blame looks for the commit that moved a line beyond its tolerance, by halves, building each in a tree of its own.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BASELINE = os.path.join(HERE, "baseline.txt")
HEADERS = ["codec/message.hpp", "codec/message_view.hpp", "engine/engine.hpp", "engine/container.hpp", "engine/broker.hpp",
           "driver/rpc.hpp", "driver/notifier.hpp", "driver/notification_listener.hpp"]
# By the beginning of a name: how far it may go up before the test fails, at least one whole unit below ten.
TOLERANCES = [("allocations-", 0.02), ("copied-octets-", 0.02), ("system-calls-", 0.15), ("octets-of-", 0.02), ("header-", 0.03),
              ("program-", 0.03)]


def tolerance_of(name):
    return next((share for start, share in TOLERANCES if name.startswith(start)), 0.1)


def messages(build):
    """What budget_program counts. The sanitizers' own output is not looked at."""
    done = subprocess.run([os.path.join(build, "budget_program")], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit("budget_program ended with %d: %s" % (done.returncode, done.stderr))
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def headers(build, compiler, includes):
    """Lines that a file has once it includes this one header, and nothing else."""
    farms = [path for path in sorted(glob.glob(os.path.join(build, "farm", "*"))) if not path.endswith(".private")]
    flags = [word for path in farms for word in ("-I", path)] + (["-idirafter", includes] if includes else [])
    lines = {}
    for header in HEADERS:
        done = subprocess.run([compiler, "-std=c++20", "-E", "-P", "-x", "c++", *flags, "-DASIO_STANDALONE", "-"], capture_output=True, text=True,
                              input="#include <aprotic/%s>\n" % header)
        if done.returncode != 0:
            sys.exit("%s: %s" % (header, done.stderr))
        lines["header-lines-" + header] = float(done.stdout.count("\n"))
    return lines


def sizes(programs):
    """Octets of instructions and of data that cannot change."""
    found = {}
    for path in programs:
        text = subprocess.run(["size", path], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
        found["program-" + os.path.basename(path)] = float(text[0]) + float(text[1])
    return found


def measure(options):
    measured = messages(options.build)
    if options.version.startswith("GNU-12"):
        measured.update(headers(options.build, options.compiler, options.includes))
        measured.update(sizes(options.program))
        release = os.path.join(options.release, "aprotic") if options.release else ""
        if os.path.exists(release):
            measured.update({"program-release-aprotic": sizes([release])["program-aprotic"]})
    return measured


def baseline(path=BASELINE):
    """By name: value, commit at which it was measured."""
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {name: (float(value), commit) for name, value, commit in lines}


def git(*words, folder=ROOT):
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def limit_of(name, value):
    """Small numbers are averages of what is counted in whole: a little more of one is no change."""
    return value * (1 + tolerance_of(name)) + 0.005


def suspects(commit):
    """What was changed since, where a cost can come from."""
    return git("log", "--format=%h %s", commit + "..HEAD", "--", "codec", "engine", "driver", "CMakeLists.txt").splitlines()


def explain(name, commit):
    found = suspects(commit)
    if len(found) == 1:
        print("    moved by " + found[0])
    elif found:
        print("    measured last at %s; moved by one of %d commits since. To find it: python3 tests/budget/check.py --blame %s" %
              (commit, len(found), name))
    else:
        print("    measured last at %s; the change is not committed, or the history is not here" % commit)


def compare(measured):
    known = baseline()
    failed = False
    for name, value in measured.items():
        before, commit = known.get(name, (None, None))
        if before is None:
            print("%-44s %12.3f  has no baseline: --write" % (name, value))
            failed = True
            continue
        over = value > limit_of(name, before)
        failed |= over
        below = value < before * (1 - tolerance_of(name)) - 0.005
        print("%-44s %12.3f of %12.3f%s" % (name, value, before, "  OVER" if over else "  less: --write holds it" if below else ""))
        if over:
            explain(name, commit)
    return failed


def write(measured):
    known = baseline()
    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    for name, value in measured.items():
        before = known.get(name)
        if before is None or abs(value - before[0]) > 0.005 + before[0] * tolerance_of(name) / 4:
            known[name] = (value, commit)
    with open(BASELINE, "w") as file:
        file.write("# Name, value, commit at which it was measured last; g++ 12 on x86_64, Debian 12. Messages: build/dev. check.py --write.\n")
        file.writelines("%s %.3f %s\n" % (name, value, since) for name, (value, since) in sorted(known.items()))


def measure_at(commit, name, folder, options):
    """The value of one line at that commit, in a tree of its own."""
    subprocess.run(["git", "-C", folder, "checkout", "--quiet", "--detach", commit], check=True)
    build = os.path.join(folder, "build", "blame")
    subprocess.run(["cmake", "-S", folder, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug"], check=True, stdout=subprocess.DEVNULL)
    if name.startswith("header-"):
        return headers(build, options.compiler, options.includes).get(name)
    target = name[len("program-"):].replace("release-", "") if name.startswith("program-") else "budget_program"
    subprocess.run(["cmake", "--build", build, "--target", target], check=True, stdout=subprocess.DEVNULL)
    if name.startswith("program-"):
        return sizes([os.path.join(build, target)]).get("program-" + target)
    return messages(build).get(name)


def blame(options):
    """The first commit from which on the line is beyond its tolerance."""
    name = options.blame
    if name not in baseline():
        sys.exit("baseline.txt has no line %s" % name)
    good = options.good or baseline()[name][1]
    commits = git("rev-list", "--reverse", "--first-parent", "%s..%s" % (good, options.bad)).splitlines()
    if not commits:
        sys.exit("there is no commit between %s and %s" % (good, options.bad))
    folder = tempfile.mkdtemp(prefix="aprotic-blame-")
    subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", "--force", folder, good], check=True)
    try:
        before = measure_at(good, name, folder, options)  # as this machine and these options have it
        print("%s at %s: %s" % (name, good, before))
        low, high = -1, len(commits) - 1
        value = measure_at(commits[high], name, folder, options)
        print("%s at %s: %s" % (name, commits[high][:12], value))
        if before is None or value is None:
            sys.exit("it cannot be measured at both ends")
        if value <= limit_of(name, before):
            print("no commit has moved it")
            return
        while high - low > 1:
            middle = (low + high) // 2
            value = measure_at(commits[middle], name, folder, options)
            print("%s at %s: %s" % (name, commits[middle][:12], value))
            low, high = (low, middle) if value is not None and value > limit_of(name, before) else (middle, high)
        print("moved by %s" % git("log", "-1", "--format=%h %an: %s", commits[high]))
    finally:
        subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", folder])
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--version", default="GNU-12")
    parser.add_argument("--includes", default="")
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--release", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--blame", metavar="NAME")
    parser.add_argument("--good", default="")
    parser.add_argument("--bad", default="HEAD")
    options = parser.parse_args()
    if options.blame:
        return blame(options)
    measured = measure(options)
    if options.write:
        write(measured)
    return 1 if compare(measured) else 0


if __name__ == "__main__":
    sys.exit(main())
