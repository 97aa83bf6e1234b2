"""Medians, tables and the targets."""
import statistics


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def ratios(ours, theirs, value):
    """Median, least and most of `value(ours) / value(theirs)` over the repetitions, each pair from the same one."""
    each = [value(a) / value(b) for a, b in zip(ours, theirs) if value(b) > 0]
    return (statistics.median(each), min(each), max(each)) if each else None


def rate(run):
    return run["rate"]


def cpu(run):
    """Of both sides, for one message."""
    return run["active_cpu"] + run["passive_cpu"]


def spread(ratio):
    return "" if ratio is None else "%.2f [%.2f-%.2f]" % ratio


def number(value):
    return format(int(round(value)), ",") if value >= 100 else "%.3g" % value


def print_facts(facts):
    for name, text in facts.items():
        print("%-12s %s" % (name, text), flush=True)


COLUMNS = ["", "messages (warm-up)", "per second [min-max]", "the first is so many times as fast [min-max]", "CPU us/message, active + passive",
           "p50, p99, p99.9 us", "broker: CPU us, peak MiB", "active: peak, growth MiB", "system calls/message"]
IDLE_COLUMNS = ["", "connections", "octets of a connection: client, server", "octets of a link: client, server"]


def cells(each, first):
    """One competitor's line of a table, in the order of COLUMNS."""
    runs = each["runs"]
    rates = [run["rate"] for run in runs]
    calls = each.get("syscalls")
    return [each["label"], "%s (%s)" % (format(each["count"], ","), format(each["warm_up"], ",")),
            "%s [%s-%s]" % tuple(number(value) for value in (statistics.median(rates), min(rates), max(rates))),
            "" if runs is first else spread(ratios(first, runs, rate)),
            "%.2f + %.2f" % (median(runs, "active_cpu"), median(runs, "passive_cpu")),
            "%.0f, %.0f, %.0f" % tuple(median(runs, key) for key in ("p50", "p99", "p999")) if any(run["p99"] > 0 for run in runs) else "",
            "%.2f, %.0f" % (median(runs, "broker_cpu"), median(runs, "broker_peak") / 2**20) if "broker_cpu" in runs[0] else "",
            "%.0f, %.1f" % (median(runs, "active_peak") / 2**20, median(runs, "active_growth") / 2**20) if any(run["active_peak"] for run in runs) else "",
            "%.3g, %.3g" % tuple(calls) if calls else ""]


def idle_cells(each):
    runs = each["runs"]
    return [each["label"], format(each["count"], ",")] + ["%s, %s" % tuple(number(median(runs, side + what)) for side in ("active_", "passive_"))
                                                         for what in ("octets", "link")]


def table_of(row):
    """Lines of cells, the first of which is the head; columns with nothing in them are left out."""
    if row["work"] == "idle":
        return [IDLE_COLUMNS] + [idle_cells(each) for each in row["competitors"]]
    first = row["competitors"][0]["runs"]
    lines = [COLUMNS] + [cells(each, first) for each in row["competitors"]]
    kept = [i for i in range(len(COLUMNS)) if i == 0 or any(line[i] for line in lines[1:])]
    return [[line[i] for i in kept] for line in lines]


def print_row(row, markdown=False):
    title = "%s: %s" % (row["group"], row["name"])
    lines = table_of(row)
    if markdown:
        print("\n**%s**\n" % title)
        lines.insert(1, ["---"] * len(lines[0]))
        print("\n".join("| %s |" % " | ".join(line) for line in lines))
        return
    print("\n%s; %d runs each, interleaved, load %.1f" % (title, row["repetitions"], row["load"]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))), flush=True)


# What issue 9 wants: row, first, second, what is compared, at least or at most, how it is said.
def targets():
    one_way = ("one-way", "100 B, unsettled, credit 1000")
    settled = ("one-way", "100 B, settled, credit 1000")
    large = ("one-way", "64 KiB, unsettled, credit 1000")
    pinned = ("calls", "window 1, both ends on one core")
    rpc = ("calls", "window 64")
    through = ("calls-qpidd", "window 64, through qpidd")
    queue = ("brokers", "100 B, in and out of a queue, clients are Proton C")
    return [
        ("one way, 100 B, unsettled", one_way, "Aprotic", "Proton C++", "rate", 10, ">="),
        ("the same, CPU per message of both sides", one_way, "Proton C++", "Aprotic", "cpu", 8, ">="),
        ("one way, 100 B, unsettled", one_way, "Aprotic", "Proton C", "rate", 4, ">="),
        ("one way, 100 B, unsettled", one_way, "Aprotic", "Proton main C++", "rate", 1, ">="),
        ("one way, 100 B, unsettled", one_way, "Aprotic", "Proton main C", "rate", 1, ">="),
        ("one way, 100 B, settled", settled, "Aprotic", "raw TCP", "rate", 0.5, ">="),
        ("one way, 64 KiB", large, "Aprotic", "raw TCP", "rate", 0.8, ">="),
        ("one way, 64 KiB: sender's memory growth, MiB", large, "Aprotic", None, "active_growth", 16, "<="),
        ("calls, window 1, one core, p50", pinned, "Aprotic", "raw TCP", "p50", 1.6, "<="),
        ("calls, window 64", rpc, "Aprotic", "Proton C++", "rate", 4, ">="),
        ("calls, window 64, through qpidd", through, "Aprotic", "Proton C++", "rate", 1.3, ">="),
        ("the same, CPU per call of client and server", through, "Proton C++", "Aprotic", "cpu", 2, ">="),
        ("in and out of a queue, 100 B", queue, "embedded broker", "qpidd", "rate", 3, ">="),
        ("small messages beside a stream, p99", ("stream", None), "beside the stream", "alone", "p99", 3, "<="),
    ]


def measured(rows, target):
    """Median, least and most, or None where the row or one of both was not measured."""
    _, (group, name), first, second, what, _, _ = target
    row = next((row for row in rows if row["group"] == group and name in (None, row["name"])), None)
    sides = {each["label"]: each["runs"] for each in row["competitors"]} if row else {}
    if first not in sides or second and second not in sides:
        return None
    if second is None:
        values = [run[what] / 2**20 for run in sides[first]]
        return statistics.median(values), min(values), max(values)
    value = {"rate": rate, "cpu": cpu}.get(what, lambda run: run[what])
    return ratios(sides[first], sides[second], value)


def print_targets(rows, markdown=False):
    lines = []
    for target in targets():
        found = measured(rows, target)
        if found:
            title, _, first, second, _, limit, relation = target
            met = found[0] >= limit if relation == ">=" else found[0] <= limit
            form = "| %s | %s | %s | %s %g | %s |" if markdown else "  %-48s %-42s %-22s %s %-5g %s"
            lines.append(form % (title, "%s / %s" % (first, second) if second else first, spread(found), relation, limit, "met" if met else "missed"))
    if lines:
        print("\ntargets: median of the ratios [min-max]")
        print("\n".join(lines))
