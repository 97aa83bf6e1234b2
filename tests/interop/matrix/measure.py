#!/usr/bin/python3
"""Our event layer and Proton C++ do the same through every intermediary that is here, one after the other.

    measure.py [--only INTERMEDIARY …] [--repetitions N] [--scale X] [--build FOLDER] [--output FOLDER]

Messages of 100 octets, unsettled: one way, and requests with their answers with 1 and 64 under way, by the programs of bench/e2e. A
row is the median over the repetitions of ours divided by Proton's, each pair run one right after the other, who is first changing;
CPU is that of both programs of a library for a message (a request and its answer count as one). The first tenth of the messages is
warm-up. Needs an optimised build with the benchmarks (bash bench/run.sh makes one).
"""
import argparse
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from catalogue import KNOWN  # noqa: E402
from intermediary import end_in_order_on_sigterm  # noqa: E402
from run import Failed, Keys, Missing, Program, need_program  # noqa: E402

ROWS = [("one way", "send", "receive", 50000, 1), ("calls, window 1", "request", "respond", 3000, 1),
        ("calls, window 64", "request", "respond", 20000, 64)]
LIBRARIES = {"ours": "bench_ours", "proton": "bench_proton"}
USED = [0]


def once(programs, library, intermediary, row, scale):
    name, active, passive, count, window = row
    count = max(200, int(count * scale))
    USED[0] += 1
    address = intermediary.queue("measure-%d" % USED[0])
    common = ("--at", intermediary.at, "--address", address, "--count", str(count), "--warm-up", str(count // 10))
    more = ("--window", str(window))
    if active == "request" and not intermediary.dynamic:
        more += ("--reply-to", intermediary.queue("measure-reply-%d" % USED[0]))
    waiting = Program("%s %s" % (library, passive), programs[library], passive, *common)
    waiting.wait_for("^ready", 30)
    acting = Program("%s %s" % (library, active), programs[library], active, *common, *more)
    sent, got = (json.loads(next(line for line in reversed(each.wait_end(120)) if line.startswith("{"))) for each in (acting, waiting))
    Program.running.remove(waiting)
    Program.running.remove(acting)
    if sent["count"] != count or got["count"] != count or sent["digest"] != got["digest"]:
        raise Failed("%s through %s: not the same on both sides: %r, %r" % (library, intermediary.title, sent, got))
    timed = got if active == "send" else sent
    return {"rate": timed["timed"] / timed["seconds"], "cpu": 1e6 * sum(each["cpu"] / each["timed"] for each in (sent, got))}


def measured(options, programs, intermediary, out):
    results = {(row[0], library): [] for row in ROWS for library in LIBRARIES}
    for repetition in range(options.repetitions + 1):
        for row in ROWS:
            for library in sorted(LIBRARIES, reverse=repetition % 2 == 1):
                figures = once(programs, library, intermediary, row, options.scale)
                if repetition > 0:  # the first is for compilers that work as they go
                    results[row[0], library].append(figures)
    for row in ROWS:
        ours, proton = results[row[0], "ours"], results[row[0], "proton"]

        def ratio(key):
            ratios = [a[key] / b[key] for a, b in zip(ours, proton)]
            return "%.2f [%.2f-%.2f]" % (statistics.median(ratios), min(ratios), max(ratios))

        def middle(runs, key):
            return statistics.median(run[key] for run in runs)

        out.append("| %s %s | %s | %.0f | %.0f | %s | %.1f | %.1f | %s |" % (
            intermediary.title, intermediary.version(), row[0], middle(ours, "rate"), middle(proton, "rate"), ratio("rate"),
            middle(ours, "cpu"), middle(proton, "cpu"), ratio("cpu")))
        print(out[-1], flush=True)


def main():
    end_in_order_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[each.name for each in KNOWN])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--output", default=".")
    parser.add_argument("--build", default=os.path.join(HERE, "../../../build/release"))
    options = parser.parse_args()
    options.aprotic = os.path.join(options.build, "aprotic")
    options.proton_broker = os.path.join(options.build, "proton_example_broker")
    programs = {library: need_program(os.path.join(options.build, name), name) for library, name in LIBRARIES.items()}
    out = ["| through | | ours /s | Proton /s | ratio | ours CPU us | Proton CPU us | ratio |", "|---|---|---|---|---|---|---|---|"]
    failed = False
    keys = Keys()
    try:
        for kind in KNOWN:
            if options.only and kind.name not in options.only:
                continue
            try:
                intermediary = kind(options, keys)
            except Missing as why:
                print("%-10s not here: %s" % (kind.name, why))
                continue
            try:
                intermediary.start()
                measured(options, programs, intermediary, out)
            except Failed as failure:
                failed = True
                print("FAILED: %s" % failure)
                Program.print_all()
            finally:
                intermediary.end()
                Program.stop_all()
                del Program.running[:]
    finally:
        keys.remove()
    os.makedirs(options.output, exist_ok=True)
    with open(os.path.join(options.output, "measured.md"), "w") as file:
        file.write("\n".join(out) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
