#!/usr/bin/python3
"""Many clients come back at once: how long that takes, and that the option for jitter spreads them.

    crowd.py [--count N] [--interval SECONDS] [--jitter SHARE …] [--build FOLDER]

N servers (three links each) of one process lose their broker, which is killed and started again at once. With jitter J and the
pause P between two attempts they come within J x P, so that in no half second more than twice the even share may attach.
Exit code 0 or 1.
"""
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from run import Failed, Program, free_port, need_program  # noqa: E402

BIN = 0.5


def wait_for(program, name, seconds, events):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        line = program.next_line(limit)
        if line.startswith("{"):
            events.append(json.loads(line))
            if events[-1]["event"] == name:
                return events[-1]["at"]
    raise Failed("no %s within %d s" % (name, seconds))


def once(options, jitter):
    port = free_port()
    broker = ("aprotic broker", options.aprotic, "broker", "--listen", "127.0.0.1:%d" % port)
    first = Program(*broker)
    first.wait_for("^listening on")
    url = "amqp://127.0.0.1:%d/?connection_retry_interval=%g&connection_retry_backoff=1&connection_retry_jitter=%g&link_retry_delay=1" % (
        port, options.interval, jitter)
    many = Program("load many", options.load, "many", url, "crowd", "--count", str(options.count))
    events = []
    wait_for(many, "all_ready", 180, events)
    first.process.kill()
    first.process.wait(20)
    lost_at = time.monotonic()
    Program(*broker).wait_for("^listening on")
    events = []
    back_at = wait_for(many, "all_ready", 180, events)
    attaches = sorted(event["at"] for event in events if event["event"] == "attach" and event["at"] > lost_at)
    peak, first_of = 0, 0
    for last, at in enumerate(attaches):
        while attaches[first_of] < at - BIN:
            first_of += 1
        peak = max(peak, last - first_of + 1)
    even = 3 * options.count * BIN / (jitter * options.interval) if jitter else None
    print("jitter %g of %g s: %d clients are back after %.2f s (attaching for %.2f s); %d attaches, at most %d in %g s%s" % (
        jitter, options.interval, options.count, back_at - lost_at, attaches[-1] - attaches[0], len(attaches), peak, BIN,
        "" if even is None else ", an even share is %.0f" % even), flush=True)
    many.process.stdin.close()
    Program.stop_all()
    del Program.running[:]
    if len(attaches) < 3 * options.count:
        raise Failed("%d of %d links were attached" % (len(attaches), 3 * options.count))
    if even is not None and peak > 2 * even:
        raise Failed("%d attaches in %g s, where an even share is %.0f" % (peak, BIN, even))
    return peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=5)
    parser.add_argument("--jitter", type=float, action="append")
    parser.add_argument("--build", default=os.path.join(HERE, "../../../build/dev"))
    parser.add_argument("--aprotic", help=argparse.SUPPRESS)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.aprotic = need_program(options.aprotic or os.path.join(options.build, "aprotic"), "aprotic")
    options.load = need_program(options.load or os.path.join(options.build, "interop_load"), "interop_load")
    try:
        for jitter in options.jitter or [0, 0.5, 1]:
            once(options, jitter)
        return 0
    except Failed as failure:
        print("FAILED: %s" % failure)
        Program.print_all()
        return 1
    finally:
        Program.stop_all()


if __name__ == "__main__":
    sys.exit(main())
