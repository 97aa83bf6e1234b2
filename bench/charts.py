"""Bar charts as SVG, with nothing but the standard library."""
import os
import statistics
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, TOP = 760, 190, 22, 9, 58
OURS, OTHERS, LIMIT, TEXT, FAINT = "#1f6feb", "#8b949e", "#c9a227", "#57606a", "#d0d7de"
# file, title, unit, group, row, what each run gives
CHARTS = [
    ("one-way.svg", "One way, 100 octets, unsettled, peer to peer", "messages a second", "one-way", "100 B, unsettled, credit 1000",
     lambda run: run["rate"]),
    ("one-way-cpu.svg", "Processor time of one message of 100 octets, both sides", "microseconds", "one-way", "100 B, unsettled, credit 1000",
     lambda run: run["active_cpu"] + run["passive_cpu"]),
    ("large.svg", "One way, 64 KiB, peer to peer", "messages a second", "one-way", "64 KiB, unsettled, credit 1000", lambda run: run["rate"]),
    ("calls.svg", "Requests and replies, 64 under way, peer to peer", "a second", "calls", "window 64", lambda run: run["rate"]),
    ("round-trip.svg", "A request and its reply, both ends on one core, median", "microseconds", "calls", "window 1, both ends on one core",
     lambda run: run["p50"]),
    ("queue.svg", "100 octets in and out of a queue, clients are Proton C", "messages a second", "brokers",
     "100 B, in and out of a queue, clients are Proton C", lambda run: run["rate"]),
]


def human(value):
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit * 10:
            return "%.0f %s" % (value / limit, unit)
        if value >= limit:
            return "%.1f %s" % (value / limit, unit)
    return "%.0f" % value if value >= 10 else "%.2g" % value


def color(label):
    return OURS if label in ("Aprotic", "embedded broker") else LIMIT if label == "raw TCP" else OTHERS


def bars(title, unit, entries, note):
    """`entries`: (label, values). A bar is the median, a thin line goes from the least to the most."""
    height = TOP + len(entries) * (BAR + GAP) + 28
    most = max(max(values) for _, values in entries)
    scale = (WIDTH - LABEL - 90) / most
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" role="img">' %
           (WIDTH, height, WIDTH, height), "<title>%s, %s</title>" % (escape(title), escape(unit)),
           '<text x="12" y="24" font-size="17" font-weight="bold" fill="%s">%s</text>' % (TEXT, escape(title)),
           '<text x="12" y="43" font-size="13" fill="%s">%s</text>' % (TEXT, escape(unit))]
    for i, (label, values) in enumerate(entries):
        y = TOP + i * (BAR + GAP)
        middle = statistics.median(values)
        out.append('<text x="%d" y="%d" font-size="14" text-anchor="end" fill="%s">%s</text>' % (LABEL - 10, y + 16, TEXT, escape(label)))
        out.append('<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>' % (LABEL, y, max(1, middle * scale), BAR, color(label)))
        out.append('<path d="M%.1f %dH%.1f" stroke="%s" stroke-width="2"/>' % (LABEL + min(values) * scale, y + BAR // 2, LABEL + max(values) * scale, FAINT))
        out.append('<text x="%.1f" y="%d" font-size="14" fill="%s">%s</text>' % (LABEL + max(values) * scale + 8, y + 16, TEXT, human(middle)))
    out.append('<text x="12" y="%d" font-size="11" fill="%s">%s</text>' % (height - 8, TEXT, escape(note)))
    return "\n".join(out + ["</svg>", ""])


def write_all(rows, folder):
    os.makedirs(folder, exist_ok=True)
    for file, title, unit, group, name, value in CHARTS:
        row = next((row for row in rows if (row["group"], row["name"]) == (group, name)), None)
        if row is None:
            continue
        entries = [(each["label"], [value(run) for run in each["runs"]]) for each in row["competitors"]]
        ours = statistics.median(entries[0][1])
        # A limit that is far away would make a line of all the others.
        entries = [(label, values) for label, values in entries if label != "raw TCP" or ours / 4 < statistics.median(values) < ours * 4]
        note = "%s, %s; median of %d interleaved runs, line: least to most; %s" % (
            row["versions"]["machine"], row["versions"]["compiler"].split(" ")[0], row["repetitions"], row["when"])
        with open(os.path.join(folder, file), "w") as out:
            out.write(bars(title, unit, entries, note))
