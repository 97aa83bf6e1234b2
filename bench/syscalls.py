"""System calls per message, and what a library's writes look like: in runs of their own, never in those that are timed."""
import os
import re
import shutil
import subprocess

from harness import Failed
import measure

WRITES = {1: "write", 20: "writev", 44: "sendto", 46: "sendmsg"}  # x86-64
OVERHEAD = 40  # octets of frame header, transfer and section around a small body, where nobody can look


def perf_works():
    if shutil.which("perf") is None:
        return False
    done = subprocess.run(["perf", "stat", "-e", "raw_syscalls:sys_enter", "-x", ",", "true"], capture_output=True, text=True)
    return done.returncode == 0 and done.stderr.strip().split(",")[0].isdigit()


class Counter(object):
    """perf counts without slowing the program down; strace does, and so the larger writes of a busy program look larger."""

    def __init__(self, lab):
        self.lab = lab
        self.tool = "perf" if perf_works() else "strace" if shutil.which("strace") else None

    def around(self, path, writes=False):
        if self.tool == "perf":
            chosen = ["--filter", "||".join("id==%d" % number for number in WRITES)] if writes else []
            return ["perf", "stat", "-e", "raw_syscalls:sys_enter", *chosen, "-x", ",", "-o", path, "--"]
        return ["strace", "-f", "-c", *(["-e", "trace=" + ",".join(WRITES.values())] if writes else []), "-o", path]

    def read(self, path):
        with open(path) as file:
            text = file.read()
        if self.tool == "perf":
            found = re.search(r"^(\d+),", text, re.M)
        else:
            found = re.search(r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+)(?:\s+\d+)?\s+total", text, re.M)
        if not found:
            raise Failed("%s told nothing: %s" % (self.tool, text))
        return int(found.group(1))

    def count(self, row, peer, count, writes=False):
        """Of the active and of the passive side, start and end included."""
        paths = [os.path.join(self.lab.scratch, side + ".calls") for side in ("active", "passive")]
        measure.once(self.lab, row, peer, count, tuple(self.around(path, writes) for path in paths))
        return [self.read(path) for path in paths]

    def per_message(self, row, peer, count):
        """Two runs of different length, so that what a start and an end cost is not divided among the messages."""
        if self.tool is None or row.work not in ("messages", "calls") or peer.name == "qpid-tools":
            return None
        short = min(max(50, count // 10), count // 2)
        few, many = self.count(row, peer, short), self.count(row, peer, count)
        return [max(0.0, (b - a) / (count - short)) for a, b in zip(few, many)]


def octets_per_message(lab, row, peer, count):
    """Octets that each side writes for one message, by strace: of a request and of its reply."""
    if shutil.which("strace") is None:
        return None
    paths = [os.path.join(lab.scratch, side + ".writes") for side in ("active", "passive")]
    around = tuple(["strace", "-f", "-e", "trace=" + ",".join(WRITES.values()), "-s", "0", "-o", path] for path in paths)
    totals = []
    for each in (count // 2, count):
        measure.once(lab, row, peer, each, around)
        totals.append([written(path) for path in paths])
    return [(many - few) / (count - count // 2) for few, many in zip(*totals)]


def written(path):
    with open(path) as file:
        return sum(int(found) for found in re.findall(r"= (\d+)$", file.read(), re.M))


class Shaped(measure.Lab):
    """A lab that knows how large our messages are on the wire, and how many of them go in one write."""

    def shape(self, row):
        key = (row.work, row.size, row.settled, row.credit, row.window if row.work == "calls" else 0)
        if key not in self.shapes:
            self.shapes[key] = self.look(row)
        return self.shapes[key]

    def look(self, row):
        ours, counter = self.peers["ours"], Counter(self)
        count = max(60, min(row.count, 4000 if row.size <= 1024 else 100))
        octets = octets_per_message(self, row, ours, count)
        if octets is None:
            return row.size + OVERHEAD, row.size + OVERHEAD, 1 if row.size >= 65536 else 64
        wire, reply = (max(row.size, round(each)) for each in octets)
        if row.work == "calls" or counter.tool is None:
            return wire, reply, 1
        longer = max(60, int(row.count * self.scale))
        writes = counter.count(row, ours, longer, writes=True)[0]
        return wire, 0, max(1, round(longer / max(1, writes)))
