"""The rows: what is measured, between whom."""
import copy


class Row(object):
    """One line of a comparison. The first competitor is whom the others are compared with.

    work        messages (one way), calls, connections, idle
    via         None: peer to peer; aprotic, qpidd: through that broker
    rate        messages a second by a schedule, and then latencies are what is measured; 0: as fast as it goes
    count       for --scale 1; of a competitor that has a factor, so many times that
    """

    def __init__(self, group, name, work, competitors, count, **more):
        self.group, self.name, self.work, self.competitors, self.count = group, name, work, competitors, count
        self.size, self.settled, self.credit, self.window, self.rate = 100, False, 1000, 1, 0
        self.via, self.links, self.stream, self.tls, self.resume, self.pinned = None, 1, 0, False, False, False
        self.usual = True  # part of what runs without --all
        for key, value in more.items():
            if not hasattr(self, key):
                raise TypeError(key)
            setattr(self, key, value)

    def needs(self):
        """What a peer must be able to do for this row."""
        return ({self.work} | ({"rate"} if self.rate else set()) | ({"links"} if self.links > 1 and self.work == "messages" else set()) |
                ({"tls"} if self.tls else set()) | ({"stream"} if self.stream else set()))


class Competitor(object):
    """Who, if not just a peer: something of the row is otherwise for it."""

    def __init__(self, label, peer, **changes):
        self.label, self.peer, self.changes = label, peer, changes

    def row(self, row):
        """The row as it is for this competitor."""
        changed = copy.copy(row)
        for key, value in self.changes.items():
            setattr(changed, key, value)
        return changed


# How many of the row's messages one competitor passes: a second's worth for each is enough.
FACTORS = {"rhea": 0.1, "tcp": 2.0}
DIRECT = ["ours", "proton-cpp", "proton-c", "main-cpp", "main-c", "rhea", "tcp"]
IN_C = ["ours", "proton-cpp", "proton-c", "main-cpp", "main-c"]
THROUGH = ["ours", "proton-cpp", "proton-c", "main-cpp", "main-c", "rhea"]


def size_name(size):
    return "%d B" % size if size < 1024 else "%d KiB" % (size >> 10) if size < 1 << 20 else "%d MiB" % (size >> 20)


def one_way():
    usual = {(100, False, 1000), (100, True, 1000), (65536, False, 1000)}
    counts = {12: 600000, 100: 600000, 1024: 400000, 65536: 20000, 10 << 20: 100}
    for size, count in counts.items():
        for settled in (False, True):
            for credit in (1000, 100, 1) if size in (100, 65536) and not settled else (1000,):
                yield Row("one-way", "%s, %s, credit %d" % (size_name(size), "settled" if settled else "unsettled", credit),
                          "messages", DIRECT, min(count, 20000) if credit == 1 else count, size=size, settled=settled,
                          credit=credit, usual=(size, settled, credit) in usual)


def latency():
    yield Row("latency", "one way, 100 B, 10,000 a second", "messages", IN_C, 20000, rate=10000)
    yield Row("latency", "one way, 100 B, 100,000 a second", "messages", IN_C, 200000, rate=100000, usual=False)
    yield Row("latency", "calls, 5,000 a second", "calls", IN_C, 10000, rate=5000)


def calls():
    yield Row("calls", "window 1, both ends on one core", "calls", DIRECT, 30000, window=1, pinned=True)
    yield Row("calls", "window 1", "calls", DIRECT, 20000, window=1, usual=False)
    for window in (16, 64, 256):
        yield Row("calls", "window %d" % window, "calls", DIRECT, 100000, window=window, usual=window == 64)
    for via in ("aprotic", "qpidd"):
        for window in (1, 16, 64, 256):
            yield Row("calls-" + via, "window %d, through %s" % (window, BROKERS[via]), "calls", THROUGH,
                      8000 if window == 1 else 60000, via=via, window=window, usual=window == 64)


BROKERS = {"aprotic": "the embedded broker", "qpidd": "qpidd"}


def queues():
    for via in ("aprotic", "qpidd"):
        more = ["qpid-tools"] if via == "qpidd" else []
        for size, count in ((100, 200000), (1024, 150000)):
            yield Row("queue-" + via, "%s, in and out of a queue of %s" % (size_name(size), BROKERS[via]), "messages",
                      THROUGH + more, count, via=via, size=size, usual=size == 100)
    for client in ("ours", "proton-c"):
        yield Row("brokers", "100 B, in and out of a queue, clients are %s" % ("ours" if client == "ours" else "Proton C"), "messages",
                  [Competitor("embedded broker", client, via="aprotic"), Competitor("qpidd", client, via="qpidd")], 200000)


def fanout():
    for receivers in (1, 10, 100):
        yield Row("fanout", "100 B to %d receivers of a topic" % receivers, "messages",
                  [Competitor("embedded broker", "ours", via="aprotic"), Competitor("qpidd", "ours", via="qpidd"),
                   Competitor("embedded broker, Proton C", "proton-c", via="aprotic")],
                  max(2000, 100000 // receivers), links=receivers, usual=receivers == 10)


def connections():
    yield Row("connections", "opened and closed, one after the other", "connections", IN_C, 3000)
    yield Row("connections", "the same with a TLS handshake", "connections", ["ours", "proton-cpp", "main-cpp"], 500, tls=True, usual=False)
    yield Row("connections", "the same, TLS sessions resumed", "connections",
              ["ours"], 500, tls=True, resume=True, usual=False)
    for count in (1000, 10000):
        yield Row("idle", "%s connections, 10 links each" % format(count, ","), "idle", IN_C, count, links=10, usual=count == 1000)


def tls():
    yield Row("tls", "100 B, TLS 1.3", "messages", ["ours", "proton-cpp", "main-cpp"], 300000, tls=True, usual=False)
    yield Row("tls", "8 KiB, TLS 1.3", "messages", ["ours", "proton-cpp", "main-cpp"], 60000, tls=True, size=8192)


def stream():
    yield Row("stream", "100 B, 2,000 a second, while 1 GiB messages stream on another link", "messages",
              [Competitor("alone", "ours", stream=0), Competitor("beside the stream", "ours", stream=1 << 30)], 6000, rate=2000)


def all_rows():
    return [row for make in (one_way, latency, calls, queues, fanout, connections, tls, stream) for row in make()]
