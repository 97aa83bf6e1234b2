#!/usr/bin/python3
"""Two brokers of this library, of which one is there at a time: each round the other one is started and the first is killed.

    failover.py [--rounds N] [--build FOLDER]

A server, a listener and a client that calls, casts and notifies all the time go from one to the other. Judged as by failures.py,
and each round a call must succeed within a step of the back-off and the time that connections take. Exit code 0 or 1.
"""
import argparse
import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import judge  # noqa: E402
from run import Failed, Program, free_port, need_program  # noqa: E402

INTERVAL, DEADLINE, RATE = 0.1, 4.0, 50
OPTIONS = "?connection_retry_interval=%g&connection_retry_interval_max=%g&link_retry_delay=0.1&connect_timeout=2" % (INTERVAL, INTERVAL)
LIMIT = INTERVAL + judge.HANDSHAKE


class Broker(object):
    def __init__(self, aprotic):
        self.aprotic, self.port, self.program = aprotic, free_port(), None

    def start(self):
        self.program = Program("aprotic broker", self.aprotic, "broker", "--listen", "127.0.0.1:%d" % self.port)
        self.program.wait_for("^listening on")

    def kill(self):
        self.program.process.kill()
        self.program.process.wait(20)
        Program.running.remove(self.program)


class Following(object):
    """Reads what a process says without keeping all of it in the way."""

    def __init__(self, program):
        self.program, self.events = program, []

    def read(self):
        while not self.program.incoming.empty():
            line = self.program.incoming.get()
            if line and line.startswith("{"):
                self.events.append(json.loads(line))

    def wait_for_call(self, since, seconds):
        """The moment of the first call that began after `since` and succeeded."""
        limit = time.monotonic() + seconds
        seen = len(self.events)
        while time.monotonic() < limit:
            self.read()
            for event in self.events[seen:]:
                if event["event"] == "ended" and event["kind"] == "call" and event["outcome"] == "ok" and event["began"] > since:
                    return event["at"]
            seen = len(self.events)
            time.sleep(0.005)
        raise Failed("no call succeeded within %g s of a failover" % seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--build", default=os.path.join(HERE, "../../../build/dev"))
    parser.add_argument("--aprotic", help=argparse.SUPPRESS)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    options = parser.parse_args()
    aprotic = need_program(options.aprotic or os.path.join(options.build, "aprotic"), "aprotic")
    load = need_program(options.load or os.path.join(options.build, "interop_load"), "interop_load")
    brokers = [Broker(aprotic), Broker(aprotic)]
    verdict = judge.Verdict()
    try:
        brokers[0].start()
        url = "amqp://%s/%s" % (",".join("127.0.0.1:%d" % broker.port for broker in brokers), OPTIONS)
        programs = {role: Program("load " + role, load, role, url, "failover") for role in ("serve", "listen")}
        for program in programs.values():
            program.wait_for('"event": "started"', 60)
        programs["drive"] = Program("load drive", load, "drive", url, "failover", "--rate", str(RATE), "--deadline", str(DEADLINE))
        programs["drive"].wait_for('"event": "started"', 60)
        streams = {role: Following(program) for role, program in programs.items()}
        streams["drive"].wait_for_call(0, 10)
        took = []
        for number in range(options.rounds):
            brokers[1].start()
            brokers[0].kill()
            lost_at = time.monotonic()
            took.append(streams["drive"].wait_for_call(lost_at, DEADLINE + 10) - lost_at)
            brokers.reverse()
            for stream in streams.values():
                stream.read()
            if (number + 1) % 100 == 0:
                print("%d failovers, the median of them %.0f ms" % (number + 1, 1e3 * statistics.median(took)), flush=True)
        programs["drive"].process.stdin.close()
        programs["drive"].process.wait(DEADLINE + 30)
        time.sleep(1)
        for role in ("serve", "listen"):
            programs[role].process.stdin.close()
            programs[role].process.wait(30)
        time.sleep(0.5)
        for stream in streams.values():
            stream.read()
        events = {role: stream.events for role, stream in streams.items()}
        ended = judge.judge_ends(verdict, events["drive"], DEADLINE)
        served = [event for event in events["serve"] if event["event"] == "ran"]
        judge.judge_calls(verdict, ended, served)
        judge.judge_casts(verdict, ended, served)
        judge.judge_notifications(verdict, ended, [event for event in events["listen"] if event["event"] == "told"], False)
        slow = [each for each in took if each > LIMIT]
        if slow:
            verdict.fault("%d of %d failovers took more than %.1f s, the longest %.2f s" % (len(slow), len(took), LIMIT, max(slow)))
        took.sort()
        print("%d failovers: a call succeeded after %.0f ms (median), %.0f ms (99 %%), %.0f ms (all); %s" % (
            len(took), 1e3 * statistics.median(took), 1e3 * took[int(0.99 * (len(took) - 1))], 1e3 * took[-1], json.dumps(verdict.figures)))
        for text in verdict.faults:
            print("FAILED: " + text)
        return 1 if verdict.faults else 0
    except Failed as failure:
        print("FAILED: %s" % failure)
        Program.print_all()
        return 1
    finally:
        Program.stop_all()


if __name__ == "__main__":
    sys.exit(main())
