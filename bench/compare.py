#!/usr/bin/env python3
"""Lets Aprotic compete with other libraries on this machine and prints medians; docs/benchmarks.md says how to read them."""
import argparse
import json
import os
import sys
import time

import charts
import peers as known
import report
import rows as table
from harness import Failed, versions_of
from measure import checked, warm_up_of
from syscalls import Counter, Shaped

FAMILIES = ("proton", "qpidd", "rhea", "limit")


def arguments():
    parser = argparse.ArgumentParser(prog="bash bench/run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="bash bench/run.sh rpc --help: the driver's calls beside oslo.messaging.\n"
                                     "Other programs are found on PATH or by QPIDD, QPID_SEND, QPID_RECEIVE, NODE_PATH (rhea) and PROTON_MAIN_ROOT\n"
                                     "(where a Proton of your own is installed). Whoever is not there is skipped by name.")
    parser.add_argument("folder", help=argparse.SUPPRESS)
    parser.add_argument("--compare", action="append", choices=FAMILIES, help="these alone beside Aprotic, instead of all that are there")
    parser.add_argument("--all", action="store_true", help="all rows; without, those that fit in ten minutes")
    parser.add_argument("--list", action="store_true", help="show the rows and who is there, measure nothing")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="rows of this group, or with this in their name; also of --all")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for all message counts")
    parser.add_argument("--no-syscalls", action="store_true", help="leave out the runs that count system calls")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--merge", action="store_true", help="keep the rows that the file has and that were not measured now")
    parser.add_argument("--charts", metavar="DIR", help="write charts there")
    parser.add_argument("--markdown", action="store_true", help="with --from: tables for a page")
    parser.add_argument("--from", dest="earlier", metavar="FILE", help="measure nothing: report the figures of this file")
    return parser.parse_args()


def chosen_rows(options):
    for row in table.all_rows():
        if any(word == row.group or word in row.name for word in options.only) if options.only else options.all or row.usual:
            yield row


def competitors_of(row, there, wanted):
    """Those who take part, and why the others do not."""
    part, missing = [], {}
    for each in row.competitors:
        competitor = each if isinstance(each, table.Competitor) else table.Competitor(None, each)
        peer = there[competitor.peer]
        label = competitor.label or peer.title
        its = competitor.row(row)
        if peer.family != "ours" and wanted and peer.family not in wanted and not (its.via == "qpidd" and "qpidd" in wanted):
            continue
        if its.needs() - peer.works:
            continue
        if peer.command is None:
            missing[label] = "not there"
        elif its.via == "qpidd" and known.qpidd() is None:
            missing[label] = "qpidd is not there"
        else:
            part.append((label, competitor, peer, its))
    return part, missing


def measure_row(lab, row, part, options):
    """All repetitions of one row."""
    results = {label: [] for label, *_ in part}
    calls = {}
    for repetition in range(options.repetitions):
        # Who goes first changes, so that none always meets the warmer machine.
        for label, _, peer, its in part if repetition % 2 == 0 else part[::-1]:
            results[label].append(checked(lab, its, label, peer, lab.count(its, peer, table.FACTORS)))
    same = {}
    for label, runs in results.items():
        for run in runs:
            if same.setdefault(run["count"], run.get("digest")) not in (run.get("digest"), "sequence") and run["digest"] != "sequence":
                raise Failed("%s, %s: the libraries passed different sets" % (row.group, row.name))
    if not options.no_syscalls:
        counter = Counter(lab)
        for label, _, peer, its in part:
            calls[label] = counter.per_message(its, peer, min(20000, lab.count(its, peer, table.FACTORS)))
    return [{"label": label, "peer": peer.name, "count": results[label][0]["count"], "warm_up": warm_up_of(its, results[label][0]["count"]),
             "runs": results[label], "syscalls": calls.get(label)} for label, _, peer, its in part]


def versions(there):
    packages = [package for peer in there.values() if peer.command for package in peer.packages]
    found = versions_of(*packages)
    if there["main-c"].command:
        root = os.environ.get("PROTON_MAIN_ROOT", "")
        found["proton main"] = os.environ.get("PROTON_MAIN_VERSION") or root or "built by hand"
    if there["rhea"].command:
        found["rhea"] = there["rhea"].version
    if known.qpidd():
        found["qpidd"] = known.qpidd_version()
    return found


def show(options, there):
    for peer in there.values():
        print("%-12s %s" % (peer.name, "there" if peer.command else "not there"))
    print("%-12s %s\n" % ("qpidd", "there" if known.qpidd() else "not there"))
    for row in table.all_rows():
        print("%-14s %s%s" % (row.group, row.name, "" if row.usual else "  (--all)"))


def main():
    options = arguments()
    options.before = []
    if options.earlier:
        with open(options.earlier) as file:
            rows = json.load(file)["rows"]
        for row in rows:
            report.print_row(row, options.markdown)
        return finish(rows, options)
    if options.json and options.merge and os.path.exists(options.json):
        with open(options.json) as file:
            options.before = json.load(file)["rows"]
    there = known.all_peers(options.folder)
    if options.list:
        return show(options, there)
    lab = Shaped(options.folder, there, options.scale)
    measured, skipped, failed = [], {}, []
    facts = versions(there)
    report.print_facts(facts)
    try:
        for row in chosen_rows(options):
            part, missing = competitors_of(row, there, options.compare)
            skipped.update(missing)
            if not part or options.compare and len(part) < 2:
                continue
            if row.tls:
                lab.make_keys()
            try:
                competitors = measure_row(lab, row, part, options)
            except Failed as failure:
                failed.append(str(failure))
                print("\n%s: %s: no figure: %s" % (row.group, row.name, failure), flush=True)
                continue
            entry = {"group": row.group, "name": row.name, "work": row.work, "rate": row.rate, "repetitions": options.repetitions,
                     "versions": facts, "load": os.getloadavg()[0], "when": time.strftime("%Y-%m-%d"),
                     "competitors": competitors}
            measured.append(entry)
            report.print_row(entry)
            save(measured, options)  # what is cut short keeps what it has
    finally:
        lab.close()
    for label, why in sorted(skipped.items()):
        print("skipped: %s: %s" % (label, why))
    finish(save(measured, options), options)
    if failed:
        raise Failed("%d rows have no figure" % len(failed))


def save(measured, options):
    """All rows that the file has now, in the table's order."""
    rows = list(measured)
    if options.json:
        names = {(row["group"], row["name"]) for row in rows}
        rows = [row for row in options.before if (row["group"], row["name"]) not in names] + rows
        order = {(row.group, row.name): i for i, row in enumerate(table.all_rows())}
        rows.sort(key=lambda row: order.get((row["group"], row["name"]), len(order)))
        with open(options.json, "w") as file:
            json.dump({"rows": rows}, file, indent=1)
    return rows


def finish(rows, options):
    report.print_targets(rows, options.markdown)
    if options.charts:
        charts.write_all(rows, options.charts)


try:
    main()
except Failed as failure:
    sys.exit("compare.py: %s" % failure)
