#!/usr/bin/env python3
"""Judges peers that nobody here wrote, each several times, and prints the tables of docs/conformance-results.md.

    run.py FOLDER [--aprotic PROGRAM] [--runs 2] [--jobs 3] PEER[@VERSION]=COMMAND ...
    run.py FOLDER                      prints the tables of the reports that are in the folder already
    run.py FOLDER --check PAGE         tells which failures of these the findings of PAGE do not name

PEER is one of the names in PEERS below, VERSION what the tables say of it. COMMAND starts it in the foreground, by /bin/sh: a
server on the port {port} of the loopback interface (the two ports behind it are free too); a client with the words of
docs/conformance.md behind the command, which are added here: send or receive, {url}, {address}, {count} and {size}. The reports
go to FOLDER as PEER.RUN.json and PEER.RUN.txt, the latter with every conversation of what failed. Ends with 1 where a run took
ten minutes or could not be made, and where --check has something to tell.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SECONDS_MAX = 600
FAILED = ("failed", "failed-silent", "failed-crash")

Peer = collections.namedtuple("Peer", "title short profile options findings")
PROTON = "Proton's C library"
PEERS = {
    "rabbitmq": Peer("RabbitMQ %s, rabbitmq_amqp1_0, `--timeout 4`", "RabbitMQ", "rabbitmq", ("--timeout", "4"),
                     ("RabbitMQ",)),
    "proton-cpp": Peer("Qpid Proton %s, C++ example broker", "Proton C++", "proton_example", (),
                       (PROTON, "Proton's C++ example broker")),
    "proton-c": Peer("Qpid Proton %s, C example broker", "Proton C", "proton_c_example", (),
                     (PROTON, "Proton's C example broker")),
    "proton-python": Peer("Qpid Proton %s, Python example broker", "Proton Python", "proton_example", (),
                          (PROTON, "Proton's Python example broker")),
    "artemis": Peer("ActiveMQ Artemis %s", "Artemis", "artemis", (), ("Artemis",)),
    "broker-j": Peer("Qpid Broker-J %s", "Broker-J", "broker_j", (), ("Broker-J",)),
    "qpidd": Peer("qpidd %s", "qpidd", "qpidd", (), (PROTON, "qpidd")),
    "rhea": Peer("rhea %s, broker of this tree", "rhea", "rhea_broker", (), ("rhea as a server",)),
    "router": Peer("Qpid Dispatch %s, a router alone", "Dispatch", "router", (), (PROTON, "Dispatch")),
    "proton-cpp-client": Peer("Qpid Proton %s, C++, client", "Proton C++", None, (), ("Proton as a client",)),
    "proton-python-client": Peer("Qpid Proton %s, Python, client", "Proton Python", None, (), ("Proton as a client",)),
    "rhea-client": Peer("rhea %s, client", "rhea", None, (), ("rhea as a client",)),
}


def free_ports(count):
    """The first of so many ports in a row that nobody listens on."""
    while True:
        first = random.randrange(20000, 30000)
        probes = []
        try:
            for port in range(first, first + count):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()


def judge(options, name, run, command):
    """One run; its result is in the files. What is wrong, or None."""
    peer = PEERS[name]
    base = os.path.join(options.folder, "%s.%d" % (name, run))
    words = [options.aprotic, "conform", "--verbose", "--json-report", base + ".json", *peer.options]
    if peer.profile is None:
        words += ["--sender", command + " send {url} {address} {count} {size}"]
        words += ["--receiver", command + " receive {url} {address} {count} {size}"]
    else:
        port = free_ports(3)
        words += ["amqp://127.0.0.1:%d" % port, "--profile", os.path.join(HERE, "peers", peer.profile + ".json")]
        words += ["--start", command.replace("{port}", str(port))]
    if os.path.exists(base + ".json"):
        os.remove(base + ".json")
    began = time.monotonic()
    scratch = tempfile.TemporaryDirectory(prefix="aprotic-conform-", ignore_cleanup_errors=True)
    with scratch as folder, open(base + ".txt", "w", encoding="utf-8") as out:
        code = subprocess.call(words, stdout=out, stderr=subprocess.STDOUT, env=dict(os.environ, TMPDIR=folder))
    seconds = time.monotonic() - began
    if not os.path.exists(base + ".json"):
        return "%s: no report, exit code %d; %s.txt has the reason" % (name, code, base)
    if seconds >= SECONDS_MAX:
        return "%s: run %d took %.0f s" % (name, run, seconds)
    return None


def reports(folder, name):
    found = []
    while os.path.exists(os.path.join(folder, "%s.%d.json" % (name, len(found) + 1))):
        with open(os.path.join(folder, "%s.%d.json" % (name, len(found) + 1)), encoding="utf-8") as file:
            found.append(json.load(file))
    return found


def row(folder, name, report):
    with open(os.path.join(folder, name + ".version"), encoding="utf-8") as file:
        title = PEERS[name].title % file.read()
    count = collections.Counter(case["verdict"] for case in report["cases"])
    cells = [len(report["cases"]), count["ok"], count["non-strict"], count["informational"], count["unimplemented"],
             sum(count[verdict] for verdict in FAILED), count["failed-silent"], count["inconclusive"]]
    return "| %s | %s | %.0f s |" % (title, " | ".join(str(cell) for cell in cells), report["seconds"])


def print_sections(all_reports, names):
    titles, cells = {}, {}
    for name in names:
        for score in all_reports[name][0]["sections"]:
            titles[score["section"]] = score["title"]
            judged = score["ok"] + score["non-strict"] + score["failed"]
            cells[score["section"], name] = "%(ok)d / %(non-strict)d / %(failed)d" % score if judged else "–"
    print("\n| section | %s |" % " | ".join(PEERS[name].short for name in names))
    print("|---" * (len(names) + 1) + "|")
    for section in sorted(titles, key=lambda text: [int(part) for part in text.split(".")]):
        row_of = " | ".join(cells.get((section, name), "–") for name in names)
        print("| %s %s | %s |" % (section, titles[section], row_of))


def print_tables(folder):
    all_reports = {name: reports(folder, name) for name in PEERS}
    present = [name for name in PEERS if all_reports[name]]
    print("| peer | cases | ok | non-strict | recorded | not judged | failed | of these silent | inconclusive | time |")
    print("|---" * 10 + "|")
    for name in present:
        print(row(folder, name, all_reports[name][0]))
    for names in ([n for n in present if PEERS[n].profile], [n for n in present if not PEERS[n].profile]):
        if names:
            print_sections(all_reports, names)
    print("\nCases whose verdict differs between the runs:")
    for name in present:
        verdicts = collections.defaultdict(list)
        for report in all_reports[name]:
            for case in report["cases"]:
                verdicts[case["id"]].append(case["verdict"])
        differing = ["%s (%s)" % (case, ", ".join(of)) for case, of in verdicts.items() if len(set(of)) > 1]
        times = ", ".join("%.0f s" % report["seconds"] for report in all_reports[name])
        print("  %s, %d runs of %s: %s" % (name, len(all_reports[name]), times, "; ".join(differing) or "none"))


def unlisted(folder, page):
    """How many failures no entry of the page names, by id or by clause, under a heading of the peer's. What has ended a
    peer is for its maintainers to hear first, and is not named."""
    with open(page, encoding="utf-8") as file:
        parts = re.split(r"^### (.*)$", file.read(), flags=re.MULTILINE)
    an_id = re.compile(r"\b\d+(?:\.\d+)*-[a-z]\b(?:/[\w.-]*\w)?")
    named = {title: set(an_id.findall(text)) for title, text in zip(parts[1::2], parts[2::2])}
    count = 0
    for name, peer in PEERS.items():
        ids = set().union(*(named[title] for title in peer.findings))
        failed = {case["id"] for report in reports(folder, name) for case in report["cases"]
                  if case["verdict"] in ("failed", "failed-silent")}
        for case in sorted(failed):
            if case not in ids and case.split("/")[0] not in ids:
                print("%s: %s is named nowhere" % (name, case))
                count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("peers", nargs="*", metavar="PEER=COMMAND")
    parser.add_argument("--aprotic", default=os.path.join(ROOT, "build", "release", "aprotic"))
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--check", metavar="PAGE")
    options = parser.parse_intermixed_args()
    if options.check:
        return 1 if unlisted(options.folder, options.check) else 0
    os.makedirs(options.folder, exist_ok=True)
    commands = {}
    for words in options.peers:
        peer, _, command = words.partition("=")
        name, _, version = peer.partition("@")
        if name not in PEERS or not command:
            parser.error("%s is no PEER=COMMAND of one of %s" % (words, ", ".join(PEERS)))
        commands[name] = command
        with open(os.path.join(options.folder, name + ".version"), "w", encoding="utf-8") as file:
            file.write(version or "of unknown version")
    problems = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(judge, options, name, run, command)
                for run in range(1, options.runs + 1) for name, command in commands.items()]
        for run in concurrent.futures.as_completed(runs):
            if run.result():
                problems.append(run.result())
                print(problems[-1], file=sys.stderr)
    print_tables(options.folder)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
