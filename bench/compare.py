#!/usr/bin/env python3
"""Runs the siblings of bench/e2e one after the other, checks that every pair passed the same set of messages, prints
medians.

    compare.py BUILD-FOLDER [--repetitions N] [--scale X] [--only WORD]
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from harness import Failed, Program, output_of, print_versions

LIBRARIES = ("ours", "proton")
# name, sending mode, receiving mode, through our broker, count, window
ROWS = [
    ("one way, direct", "send", "receive", False, 300000, 0),
    ("one way, through the broker", "send", "receive", True, 200000, 0),
    ("calls, window 1, direct", "request", "respond", False, 20000, 1),
    ("calls, window 64, direct", "request", "respond", False, 100000, 64),
    ("calls, window 1, through the broker", "request", "respond", True, 10000, 1),
    ("calls, window 64, through the broker", "request", "respond", True, 60000, 64),
    ("one way over TLS, 100 octets", "send", "receive", False, 300000, 0),
    ("one way over TLS, 8 KiB", "send", "receive", False, 60000, 0),
]
SIZE = 100
KEYS = tempfile.mkdtemp(prefix="aprotic-bench-")  # a certificate for localhost, made by make_keys()


def once(folder, library, row, scale):
    name, active, passive, through_broker, count, window = row
    count = max(1000, int(count * scale))
    program = os.path.join(folder, "bench_" + library)
    common = ["--count", str(count), "--size", str(8192 if "8 KiB" in name else SIZE)]
    tls = "TLS" in name
    running = []
    try:
        if through_broker:
            running.append(Program(os.path.join(folder, "aprotic"), "broker", "--listen", "127.0.0.1:0"))
            at = running[-1].line_starting("listening on ").split()[-1]
            waiting = Program(program, passive, "--at", at, *common)
            running.append(waiting)
            waiting.line_starting("ready")
        else:
            identity = ["--tls-cert", KEYS + "/cert.pem", "--tls-key", KEYS + "/key.pem"] if tls else []
            waiting = Program(program, passive, "--listen", "--at", "127.0.0.1:0", *common, *identity)
            running.append(waiting)
            at = waiting.line_starting("listening on ").split()[-1]
        if tls:  # by name: Proton does not look for addresses in a certificate
            common += ["--tls-ca", KEYS + "/cert.pem"]
            at = at.replace("127.0.0.1", "localhost")
        acting = Program(program, active, "--at", at, "--window", str(max(1, window)), *common)
        running.append(acting)
        sent, got = acting.result(), waiting.result()
    finally:
        for process in reversed(running):
            process.stop()
    if sent["count"] != count or got["count"] != count or sent["digest"] != got["digest"] or sent["seconds"] <= 0:
        raise Failed("%s, %s: not the same set on both sides: %r, %r" % (name, library, sent, got))
    timed = got if active == "send" else sent
    return {"rate": count / timed["seconds"], "p50": sent["p50"], "p99": sent["p99"], "digest": sent["digest"],
            "active": 1e6 * sent["cpu"] / count, "passive": 1e6 * got["cpu"] / count}


def make_keys():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", KEYS + "/cert.pem",
                    "-keyout", KEYS + "/key.pem"], check=True, capture_output=True)


def handshakes(folder):
    """Connections per second, one after the other, with and without sessions that are taken up again."""
    broker = Program(os.path.join(folder, "aprotic"), "broker", "--listen", "127.0.0.1:0", "--tls-cert", KEYS + "/cert.pem",
                     "--tls-key", KEYS + "/key.pem")
    try:
        at = broker.line_starting("listening on ").split()[-1].replace("127.0.0.1", "localhost")
        for more in ([], ["--resume"]):
            print("handshakes%s: %s" % (" resumed" if more else "", output_of(
                os.path.join(folder, "bench_ours"), "handshakes", "--at", at, "--count", "500", "--tls-ca", KEYS + "/cert.pem", *more)))
    finally:
        broker.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for all counts")
    parser.add_argument("--only", default="", help="rows with this word in their name")
    options = parser.parse_args()
    rows = [row for row in ROWS if options.only in row[0]]

    print_versions(("proton", "libqpid-proton-cpp12"))
    print("messages   %d octets of body, unsettled; %d repetitions, interleaved; scale %g" %
          (SIZE, options.repetitions, options.scale))

    make_keys()
    results = {(row[0], library): [] for row in rows for library in LIBRARIES}
    for repetition in range(options.repetitions):
        for row in rows:
            # Who goes first changes, so that neither always meets the warmer machine.
            order = LIBRARIES if repetition % 2 == 0 else LIBRARIES[::-1]
            pair = {library: once(options.folder, library, row, options.scale) for library in order}
            if pair["ours"]["digest"] != pair["proton"]["digest"]:
                raise Failed("%s: the libraries passed different sets" % row[0])
            for library in LIBRARIES:
                results[row[0], library].append(pair[library])
        print("repetition %d of %d done" % (repetition + 1, options.repetitions), file=sys.stderr)

    form = "%-38s %-7s %22s %7s %10s %10s %9s %9s"
    print()
    print(form % ("", "", "per second [min-max]", "ratio", "CPU us/msg", "CPU us/msg", "p50 us", "p99 us"))
    print(form % ("", "", "", "", "active", "passive", "", ""))
    for row in rows:
        ours, proton = results[row[0], "ours"], results[row[0], "proton"]
        ratio = statistics.median(a["rate"] / b["rate"] for a, b in zip(ours, proton))
        for library, runs in (("ours", ours), ("proton", proton)):
            rates = [run["rate"] for run in runs]

            def median(key):
                return statistics.median(run[key] for run in runs)

            latency = ("%.0f" % median("p50"), "%.0f" % median("p99")) if row[5] else ("", "")
            print(form % (row[0] if library == "ours" else "", library,
                          "%.0f [%.0f-%.0f]" % (statistics.median(rates), min(rates), max(rates)),
                          "%.2f" % ratio if library == "ours" else "", "%.2f" % median("active"),
                          "%.2f" % median("passive"), *latency))
    if any("TLS" in row[0] for row in rows):
        print()
        handshakes(options.folder)
        print("the limit: openssl speed -evp aes-256-gcm -bytes 16384 -seconds 1")
        print("\n".join(line for line in output_of("openssl", "speed", "-evp", "aes-256-gcm", "-bytes", "16384", "-seconds",
                                                   "1").splitlines() if "GCM" in line.upper()))
    print("\nratio: median over the repetitions of ours divided by proton, each pair run one right after the other")


try:
    main()
except Failed as failure:
    sys.exit("compare.py: %s" % failure)
finally:
    shutil.rmtree(KEYS, ignore_errors=True)
