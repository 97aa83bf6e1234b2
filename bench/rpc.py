#!/usr/bin/env python3
"""Calls of the driver beside Python's oslo.messaging, a Proton C++ pair and raw TCP: interleaved runs, medians.

    rpc.py BUILD-FOLDER [--repetitions N] [--scale X] [--only WORD]

A row is only printed when both sides of every competitor counted the same set of calls.
"""
import argparse
import os
import socket
import statistics
import sys

from harness import Failed, Program, print_versions

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = 200  # octets of text in the arguments, and in the reply
# Octets on the wire of one request and of its reply, as the driver sends them directly.
REQUEST_OCTETS, REPLY_OCTETS = 512, 384


class Competitor(object):
    """How one row is run by one library. `count` is for --scale 1."""

    def __init__(self, name, run, count, window, **more):
        self.name, self.run, self.count, self.window, self.more = name, run, count, window, more


def broker_at(folder, running):
    running.append(Program(os.path.join(folder, "aprotic"), "broker", "--listen", "127.0.0.1:0"))
    return running[-1].line_starting("listening on ").split()[-1]


def through_broker(folder, running, count, window, library, arguments=(), server_arguments=()):
    at = broker_at(folder, running)
    common = ["--count", str(count), "--size", str(SIZE)]
    if library == "ours":
        program = [os.path.join(folder, "bench_rpc")]
        modes, at = ("serve", "call"), "amqp://" + at
    elif library == "oslo":
        program = ["/usr/bin/python3", os.path.join(HERE, "rpc", "oslo.py")]
        modes, at = ("serve", "call"), "amqp://" + at
    else:
        program = [os.path.join(folder, "bench_proton")]
        modes = ("respond", "request")
    serving = Program(*program, modes[0], "--at", at, *common, *server_arguments)
    running.append(serving)
    serving.line_starting("ready")
    calling = Program(*program, modes[1], "--at", at, "--window", str(window), *common, *arguments)
    running.append(calling)
    return calling.result(), serving.result()


def in_process(folder, running, count, window, arguments=()):
    both = Program(os.path.join(folder, "bench_rpc"), "both", "--at", "embedded:", "--count", str(count), "--size",
                   str(SIZE), "--window", str(window), *arguments)
    running.append(both)
    served, called = both.results()
    return called, served


def soak(folder, calls):
    """What many calls of every kind leave behind."""
    program = Program(os.path.join(folder, "bench_rpc"), "soak", "--at", "embedded:", "--count", str(calls), "--size", str(SIZE))
    left = program.result()
    print("\n%d calls and casts that were answered, failed, timed out or were cancelled: %d still under way, %d KiB more resident" %
          (left["calls"], left["in_flight"], left["grown_octets"] // 1024))
    if left["in_flight"] != 0 or left["grown_octets"] >= 1 << 20:
        raise Failed("calls are left behind, or memory is: %r" % left)


def on_one_core(command):
    return ["taskset", "-c", "0", *command]


def peer_to_peer(folder, running, count, window, library, pinned=False):
    """Without a broker; with `pinned`, both ends on one core."""
    pin = on_one_core if pinned else list
    program = os.path.join(folder, "bench_limit" if library == "tcp" else "bench_proton")
    common = ["--count", str(count), "--size", str(SIZE)]
    if library == "tcp":
        common += ["--wire", str(REQUEST_OCTETS), "--reply", str(REPLY_OCTETS)]
    serving = Program(*pin([program, "respond", "--listen", "--at", "127.0.0.1:0", *common]))
    running.append(serving)
    at = serving.line_starting("listening on ").split()[-1]
    calling = Program(*pin([program, "request", "--at", at, "--window", str(window), *common]))
    running.append(calling)
    return calling.result(), serving.result()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def direct(folder, running, count, window, arguments=(), server_arguments=(), pinned=False):
    """Our client and our server without a broker."""
    pin = on_one_core if pinned else list
    common = ["--at", "amqp+direct://127.0.0.1:%d" % free_port(), "--count", str(count), "--size", str(SIZE)]
    program = os.path.join(folder, "bench_rpc")
    serving = Program(*pin([program, "serve", *common, *server_arguments]))
    running.append(serving)
    serving.line_starting("ready")
    calling = Program(*pin([program, "call", "--window", str(window), *common, *arguments]))
    running.append(calling)
    return calling.result(), serving.result()


ROWS = [
    ("through the broker, window 1", [
        Competitor("ours", through_broker, 4000, 1, library="ours"),
        Competitor("oslo.messaging", through_broker, 300, 1, library="oslo"),
        Competitor("Proton C++", through_broker, 6000, 1, library="proton")]),
    ("through the broker, window 64", [
        Competitor("ours", through_broker, 40000, 64, library="ours"),
        Competitor("ours, methods inline", through_broker, 40000, 64, library="ours", server_arguments=["--inline"]),
        Competitor("ours, from callbacks", through_broker, 40000, 64, library="ours", arguments=["--chained"],
                   server_arguments=["--inline"]),
        Competitor("oslo.messaging", through_broker, 1500, 64, library="oslo"),
        Competitor("Proton C++", through_broker, 40000, 64, library="proton")]),
    ("embedded, one process, window 1", [
        Competitor("ours", in_process, 10000, 1),
        Competitor("ours, methods inline", in_process, 10000, 1, arguments=["--inline"])]),
    ("embedded, one process, window 64", [
        Competitor("ours", in_process, 40000, 64),
        Competitor("ours, methods inline", in_process, 40000, 64, arguments=["--inline"]),
        Competitor("ours, from callbacks", in_process, 40000, 64, arguments=["--chained", "--inline"])]),
    ("64 under way, one thread and 8 that share the client", [
        Competitor("8 threads", through_broker, 40000, 64, library="ours", arguments=["--threads", "8"]),
        Competitor("1 thread", through_broker, 40000, 64, library="ours")]),
    ("no broker, window 64", [
        Competitor("ours", direct, 40000, 64),
        Competitor("ours, methods inline", direct, 40000, 64, server_arguments=["--inline"]),
        Competitor("ours, from callbacks", direct, 40000, 64, arguments=["--chained"], server_arguments=["--inline"]),
        Competitor("Proton C++", peer_to_peer, 40000, 64, library="proton")]),
    ("no broker, window 1, all on one core", [
        Competitor("ours", direct, 10000, 1, pinned=True),
        Competitor("ours, methods inline", direct, 10000, 1, server_arguments=["--inline"], pinned=True),
        Competitor("ours, from callbacks", direct, 10000, 1, arguments=["--chained"], server_arguments=["--inline"], pinned=True),
        Competitor("Proton C++", peer_to_peer, 10000, 1, library="proton", pinned=True),
        Competitor("raw TCP", peer_to_peer, 30000, 1, library="tcp", pinned=True)]),
]


def once(folder, competitor, scale):
    count = max(100, int(competitor.count * scale))
    running = []
    try:
        called, served = competitor.run(folder, running, count, competitor.window, **competitor.more)
    finally:
        for program in reversed(running):
            program.stop()
    if called["count"] != count or served["count"] != count or called["digest"] != served["digest"] or called["seconds"] <= 0:
        raise Failed("%s: not the same set on both sides: %r, %r" % (competitor.name, called, served))
    both = called is not served and competitor.run is in_process
    return {"rate": count / called["seconds"], "p50": called["p50"], "p99": called["p99"],
            "client": 1e6 * called["cpu"] / count, "server": 0.0 if both else 1e6 * served["cpu"] / count}


def at_last(folder, competitor, scale):
    """A call of oslo.messaging times out now and then, why was not found out; such a run is done again and counts for
    nothing."""
    for _ in range(2 if competitor.name == "oslo.messaging" else 0):
        try:
            return once(folder, competitor, scale)
        except Failed as failure:
            print("%s: %s; again" % (competitor.name, failure), file=sys.stderr)
    return once(folder, competitor, scale)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for all counts")
    parser.add_argument("--only", default="", help="rows with this word in their name")
    options = parser.parse_args()
    rows = [row for row in ROWS if options.only in row[0]]

    print_versions(("proton", "libqpid-proton-cpp12"), ("oslo", "python3-oslo.messaging"))
    print("calls      %d octets of text there and back; %d repetitions, interleaved; scale %g" %
          (SIZE, options.repetitions, options.scale))
    results = {(row, competitor.name): [] for row, competitors in rows for competitor in competitors}
    for repetition in range(options.repetitions):
        for row, competitors in rows:
            # Who goes first changes, so that none always meets the warmer machine.
            for competitor in competitors if repetition % 2 == 0 else competitors[::-1]:
                results[row, competitor.name].append(at_last(options.folder, competitor, options.scale))
        print("repetition %d of %d done, load %s" % (repetition + 1, options.repetitions, os.getloadavg()[0]), file=sys.stderr)

    form = "%-22s %24s %14s %10s %10s %9s %9s"
    for row, competitors in rows:
        print("\n" + row)
        print(form % ("", "calls/s [min-max]", "first is", "CPU us", "CPU us", "p50 us", "p99 us"))
        print(form % ("", "", "times as fast", "client", "server", "", ""))
        first = results[row, competitors[0].name]
        for competitor in competitors:
            runs = results[row, competitor.name]
            rates = [run["rate"] for run in runs]

            def median(key):
                return statistics.median(run[key] for run in runs)

            ratio = statistics.median(a["rate"] / b["rate"] for a, b in zip(first, runs))
            print(form % (competitor.name, "%.0f [%.0f-%.0f]" % (statistics.median(rates), min(rates), max(rates)),
                          "" if runs is first else "%.2f" % ratio, "%.1f" % median("client"), "%.1f" % median("server"),
                          "%.0f" % median("p50"), "%.0f" % median("p99")))
    if options.only in "soak":
        soak(options.folder, int(100000 * options.scale))


try:
    main()
except Failed as failure:
    sys.exit("rpc.py: %s" % failure)
