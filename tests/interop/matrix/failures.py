#!/usr/bin/python3
"""Loses an intermediary while calls, casts and notifications go through it, and judges what became of each.

    failures.py [--only INTERMEDIARY …] [--fault FAULT …] [--rounds N] [--list] [--output FOLDER] [--build FOLDER]

kill (-9), stop (in order), restart, pause (SIGSTOP), blink (a pause that nobody should notice), cut (its network is down), silence
(packets vanish), half-silence (its answers vanish). The last three need root and are skipped without. Intermediaries are found as
by `run`. Exit code: 0, 1 when something was not as it must be, 77 when there was nothing to try (1 with APROTIC_INTEROP_REQUIRED).

Judged: every operation ends within its deadline; what is said not to have run has not, nothing runs twice; what was reported as
delivered is there, unless the intermediary lost it with its memory; the client is back within one step of its back-off.
"""
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import judge  # noqa: E402
from catalogue import KNOWN  # noqa: E402
from intermediary import Network, end_in_order_on_sigterm  # noqa: E402
from partition import Partition  # noqa: E402
from run import Failed, Keys, Missing, Program, check  # noqa: E402

PROGRAMS = {"aprotic": "aprotic", "proton_broker": "proton_example_broker", "load": "interop_load"}
RETRY = {"interval": 0.5, "interval_max": 2.0, "connect_timeout": 2.0, "silent": False}
DEADLINE = 4.0
RATE = 200          # of each kind, a second
RATE_ON_DISK = 15   # where each message waits for a disk
OPTIONS = ("?sasl_mechanisms=ANONYMOUS&connection_retry_interval=%g&connection_retry_interval_max=%g&connect_timeout=%g"
           "&link_retry_delay=0.5&idle_timeout=" % (RETRY["interval"], RETRY["interval_max"], RETRY["connect_timeout"]))
IDLE_TIMEOUT = 3  # seconds; times Intermediary.patience


class Fault(object):
    """What happens to an intermediary. `forgets`: what is in its memory only is lost. `silent`: connecting does not fail at once."""

    def __init__(self, name, lose, find, away, forgets=False, silent=False, network=False, unnoticed=False):
        self.name, self.lose, self.find, self.away = name, lose, find, away
        self.forgets, self.silent, self.network, self.unnoticed = forgets, silent, network, unnoticed


FAULTS = [
    Fault("kill", lambda i: i.kill(), lambda i: i.start(), 1.5, forgets=True),
    Fault("stop", lambda i: i.stop(), lambda i: i.start(), 1.5, forgets=True),
    Fault("restart", lambda i: i.stop(), lambda i: i.start(), 0, forgets=True),
    Fault("pause", lambda i: i.pause(), lambda i: i.resume(), 6, silent=True),
    Fault("blink", lambda i: i.pause(), lambda i: i.resume(), 1, unnoticed=True),
    Fault("cut", lambda i: i.network.cut(), lambda i: i.network.mend(), 6, silent=True, network=True),
    Fault("silence", lambda i: i.network.silence(), lambda i: i.network.speak(), 6, silent=True, network=True),
    Fault("half-silence", lambda i: i.network.silence_answers(), lambda i: i.network.speak(), 6, silent=True, network=True),
]


class Load(object):
    """A server, a listener and a client, each a process."""

    def __init__(self, options, intermediary):
        url = intermediary.url + "/" + OPTIONS + str(IDLE_TIMEOUT * intermediary.patience)
        durable = ("--durable",) if intermediary.keeps_messages else ()
        topic = "load-%d" % time.monotonic_ns()
        self.programs = {role: Program("load " + role, options.load, role, url, topic, *durable) for role in ("serve", "listen")}
        for program in self.programs.values():
            program.wait_for('"event": "started"', 60)
        rate = RATE_ON_DISK if durable else RATE
        self.programs["drive"] = Program("load drive", options.load, "drive", url, topic, "--rate", str(rate), "--deadline", str(DEADLINE),
                                         *durable)
        self.programs["drive"].wait_for('"event": "started"', 60)

    def finish(self):
        """The client first; what it has sent then has a little time to arrive. Events of all by role."""
        self.programs["drive"].finish(DEADLINE + 30)
        time.sleep(3)
        for role in ("serve", "listen"):
            self.programs[role].finish(30)
        return {role: [json.loads(line) for line in program.lines if line.startswith("{")] for role, program in self.programs.items()}


def one_round(options, intermediary, fault):
    verdict = judge.Verdict()
    load = Load(options, intermediary)
    time.sleep(1.5)
    fault.lose(intermediary)
    time.sleep(fault.away * (intermediary.patience if fault.silent else 1))
    fault.find(intermediary)
    if fault.network:
        intermediary.wait_until_up()
    back_at = time.monotonic()
    # Until the last who may still be waiting for its next attempt has made it, and a while of ordinary work.
    time.sleep(RETRY["interval_max"] + (RETRY["connect_timeout"] if fault.silent else 0) + 3)
    events = load.finish()
    ended = judge.judge_ends(verdict, events["drive"], DEADLINE)
    served = [event for event in events["serve"] if event["event"] == "ran"]
    told = [event for event in events["listen"] if event["event"] == "told"]
    # Where requests outlive the intermediary, so may one whose acknowledgement was on the way when that was lost.
    losses = [event["at"] for event in events["serve"] if event["event"] == "connection_lost"] if intermediary.keeps_messages else []
    judge.judge_calls(verdict, ended, served, losses)
    judge.judge_casts(verdict, ended, served, losses)
    # What a router says to be delivered has been accepted by the listener.
    must_be_there = not intermediary.stores or not fault.forgets or intermediary.keeps_messages
    judge.judge_notifications(verdict, ended, told, must_be_there)
    judge.judge_recovery(verdict, events, back_at, dict(RETRY, silent=fault.silent))
    well = [event for event in ended if event["outcome"] == "ok" and event["kind"] == "call" and event["at"] > back_at]
    if not well:
        verdict.fault("no call succeeded after the intermediary was back")
    if fault.unnoticed and any(event["event"] == "connection_lost" for stream in events.values() for event in stream):
        verdict.fault("a connection was given up for a pause of %g s" % fault.away)
    if verdict.faults:
        # To be read by who wants to know why.
        with open(os.path.join(options.output, "events-%s-%s.json" % (intermediary.name, fault.name)), "w") as out:
            json.dump(dict(events, back_at=back_at), out)
    return verdict


def rounds(options, keys, kind, fault, table):
    network = Network()
    intermediary = None
    try:
        if fault.name in kind.unbearable:
            raise Missing(kind.unbearable[fault.name])
        network = Partition() if fault.network else network
        intermediary = kind(options, keys, network)
        intermediary.start()
        for number in range(options.rounds):
            verdict = one_round(options, intermediary, fault)
            state = "FAILED" if verdict.faults else "passed"
            table.append({"intermediary": intermediary.title, "version": intermediary.version(), "fault": fault.name, "state": state,
                          "faults": verdict.faults, "figures": verdict.figures})
            print("%-26s %-13s %s %s" % (intermediary.title, fault.name, state, json.dumps(verdict.figures)), flush=True)
            for text in verdict.faults:
                print("    " + text, flush=True)
    except Missing as why:
        table.append({"intermediary": kind.title, "version": "", "fault": fault.name, "state": "skipped", "faults": [str(why)], "figures": {}})
        print("%-26s %-13s skipped: %s" % (kind.title, fault.name, why), flush=True)
    except Failed as failure:
        table.append({"intermediary": kind.title, "version": "", "fault": fault.name, "state": "FAILED", "faults": [str(failure)], "figures": {}})
        print("%-26s %-13s FAILED: %s" % (kind.title, fault.name, failure), flush=True)
        Program.print_all()
    finally:
        if intermediary:
            intermediary.end()
        Program.stop_all()
        del Program.running[:]
        if fault.network and network.host:
            getattr(network, "remove", lambda: None)()


def markdown(table):
    out = ["| intermediary | lost by | | calls | casts lost | notifications lost | slowest end | back after |", "|---|---|---|---|---|---|---|---|"]
    for row in table:
        figures = row["figures"]
        cells = [row["intermediary"], row["fault"], row["state"] if not row["faults"] else "%s: %s" % (row["state"], "; ".join(row["faults"]))]
        if figures:
            calls = ", ".join("%d %s" % (count, outcome) for outcome, count in figures["calls"].items())
            casts, notes = sum(figures["casts"].values()), figures["notifications"].get("ok", 0)
            cells += [calls, "%d of %d" % (figures["casts lost"], casts), "%d of %d" % (figures["notifications lost"], notes),
                      "%.2f s" % figures["slowest"], "%.2f s" % figures["back after"]]
        out.append("| %s |" % " | ".join(cells + [""] * (8 - len(cells))))
    return "\n".join(out) + "\n"


def main():
    end_in_order_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[each.name for each in KNOWN])
    parser.add_argument("--fault", action="append", choices=[each.name for each in FAULTS])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--output", default=".")
    parser.add_argument("--build", default=os.path.join(HERE, "../../../build/dev"))
    for program in PROGRAMS:
        parser.add_argument("--" + program.replace("_", "-"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    for program, path in PROGRAMS.items():
        if not getattr(options, program):
            setattr(options, program, os.path.join(options.build, path))
    os.makedirs(options.output, exist_ok=True)
    keys = Keys()
    table = []
    try:
        for kind in KNOWN:
            if options.only and kind.name not in options.only:
                continue
            try:
                found = kind(options, keys)
            except Missing as why:
                print("%-10s not here: %s" % (kind.name, why))
                continue
            if options.list:
                print("%-10s %s %s" % (kind.name, found.title, found.version()))
                continue
            for fault in FAULTS:
                if not options.fault or fault.name in options.fault:
                    rounds(options, keys, kind, fault, table)
        if table:
            with open(os.path.join(options.output, "failures.md"), "w") as out:
                out.write(markdown(table))
            with open(os.path.join(options.output, "failures.json"), "w") as out:
                json.dump(table, out, indent=1)
    finally:
        keys.remove()
    if options.list:
        return 0
    if any(row["state"] == "FAILED" for row in table):
        return 1
    if not any(row["state"] == "passed" for row in table):
        return 1 if os.environ.get("APROTIC_INTEROP_REQUIRED") else 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
