#!/usr/bin/env python3
"""Draws a flame graph from what perf has recorded: who was on the processor, and who had called it.

    perf record -e cpu-clock -F 1500 --call-graph dwarf,4096 -o FILE PROGRAM …
    flame.py FILE [--title T] [--below FUNCTION] [--least PERCENT] > GRAPH.svg

--below leaves out what lies under the first frame whose name has FUNCTION in it, such as the thread's start and the event loop.
Frames narrower than --least percent (0.2) are left out.
"""
import argparse
import collections
import html
import re
import subprocess
import zlib

WIDTH, ROW, FONT = 1200, 17, 11


def short(name):
    """A function's name without its arguments and return type, which would fill the frame."""
    name = re.sub(r"\[clone [^]]*\]|\(anonymous namespace\)::|aprotic::|std::__cxx11::", "", name).strip()
    depth, kept = 0, []
    for c in name.replace("->", "").replace("operator()", "operator"):
        depth += (c in "<(") - (c in ">)")
        if depth == 0 and c not in ">)":
            kept.append(c)
    words = "".join(kept).replace(" const", "").split()
    return words[-1] if words else name[:60]


def stacks(path, below):
    """The recorded stacks, outermost frame first, with how often each was seen."""
    text = subprocess.run(["perf", "script", "-i", path, "-F", "ip,sym", "--no-inline"], capture_output=True, text=True, check=True).stdout
    seen = collections.Counter()
    for sample in text.split("\n\n"):
        frames = [line.split(None, 1)[1] if len(line.split(None, 1)) > 1 else "?" for line in sample.strip().splitlines()]
        frames = [short(frame) for frame in reversed(frames)]
        at = next((i for i, frame in enumerate(frames) if below and below in frame), 0)
        if frames[at:]:
            seen[tuple(frames[at:])] += 1
    return seen


class Frame:
    def __init__(self, name):
        self.name, self.count, self.callees = name, 0, {}

    def depth(self, least):
        return 1 + max((c.depth(least) for c in self.callees.values() if c.count >= least), default=0)


def tree(seen):
    root = Frame("all")
    for stack, count in seen.items():
        frame = root
        frame.count += count
        for name in stack:
            frame = frame.callees.setdefault(name, Frame(name))
            frame.count += count
    return root


def colour(name):
    """The same for a function wherever it is: warm, by a sum over its name; what is not ours is grey."""
    number = zlib.crc32(name.encode())
    if "::" not in name:
        grey = 190 + number % 40
        return "rgb(%d,%d,%d)" % (grey, grey, grey)
    return "rgb(%d,%d,%d)" % (205 + number % 50, 80 + (number >> 8) % 140, 30 + (number >> 16) % 50)


def draw(frame, x, level, scale, bottom, total, least, out):
    width = frame.count * scale
    top = bottom - (level + 1) * ROW
    label = html.escape(frame.name)
    out.append('<g><title>%s: %.1f%%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' %
               (label, 100.0 * frame.count / total, x, top, max(width - 0.5, 0.3), ROW - 1, colour(frame.name)))
    room = int(width / (FONT * 0.58))
    if room > 3:
        text = frame.name if len(frame.name) <= room else frame.name[:room - 1] + "…"
        out.append('<text x="%.1f" y="%d">%s</text>' % (x + 3, top + ROW - 5, html.escape(text)))
    out.append("</g>")
    for callee in sorted(frame.callees.values(), key=lambda c: c.name):
        if callee.count >= least:
            draw(callee, x, level + 1, scale, bottom, total, least, out)
        x += callee.count * scale


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recording")
    parser.add_argument("--title", default="")
    parser.add_argument("--below", default="")
    parser.add_argument("--least", type=float, default=0.2)
    options = parser.parse_args()
    root = tree(stacks(options.recording, options.below))
    least = root.count * options.least / 100
    height = root.depth(least) * ROW + 40
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="%d">' %
           (WIDTH, height, FONT),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="10" y="20" font-size="14">%s</text>' % html.escape("%s (%d samples)" % (options.title, root.count))]
    draw(root, 10, 0, (WIDTH - 20) / root.count, height - 10, root.count, least, out)
    out.append("</svg>")
    print("\n".join(out))


main()
