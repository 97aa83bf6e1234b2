#!/usr/bin/python3
"""Sends messages of every kind of body to a queue, receives them from it with Proton's Python client, accepts each by itself
and checks that each came once, with the content and the types it was sent with.

    proton_peer.py URL ADDRESS COUNT
"""
import sys
import uuid

from proton import (Array, Data, Described, Message, UNDESCRIBED, byte, char, decimal64, float32, int32, short,
                    symbol, timestamp, ubyte, uint, ulong, ushort)
from proton.handlers import MessagingHandler
from proton.reactor import Container

LARGE = 1024 * 1024
WINDOW = 100


def bodies(i):
    """(body, inferred) of message i; inferred bodies become data and sequence sections."""
    nested = {"list": [i, "x", None, [True, False]], "text": "h\u00e9llo \U0001f600", "n": ulong(2 ** 64 - 1)}
    kinds = [
        ("text %d \u20ac" % i, False), ("", False), (b"\x00\xffvalue" * 3, False),
        (b"\x00\xffdata" * 3, True), (b"", True),
        (nested, False), ({}, False), ([i, "two", None, {"k": [1]}], False), ([i, "two", {"k": 1.5}], True),
        (None, False), (True, False), (False, False),
        (ubyte(255), False), (ushort(65535), False), (uint(0), False), (uint(2 ** 32 - 1), False), (ulong(0), False),
        (ulong(2 ** 64 - 1), False), (byte(-128), False), (short(-32768), False), (int32(-2 ** 31), False), (i, False),
        (-2 ** 63, False), (float32(0.5), False), (-1.5e300, False), (decimal64(12345), False), (char("\u20ac"), False),
        (timestamp(1234567890123), False), (uuid.UUID(int=i), False), (symbol("a-symbol"), False),
        (Array(UNDESCRIBED, Data.INT, 1, 2, 3), False), (Described(symbol("x:y"), [1, "z"]), False),
    ]
    return kinds[i % len(kinds)]


def message(i):
    if i % 1000 == 999:
        body, inferred = (bytes([i % 251]) * LARGE, True) if i % 2000 == 999 else (chr(97 + i % 26) * LARGE, False)
    else:
        body, inferred = bodies(i)
    return Message(body=body, inferred=inferred, id=ulong(i), subject="subject %d" % i, content_type="x/y",
                   priority=i % 10, properties={"number": i, "text": "p"}, annotations={symbol("x-opt-a"): i},
                   instructions={symbol("x-opt-d"): "instruction"} if i % 3 == 0 else None)


def differences(sent, got):
    for name in ("body", "inferred", "subject", "content_type", "priority", "properties", "annotations",
                 "instructions"):
        a, b = getattr(sent, name), getattr(got, name)
        if isinstance(b, memoryview):
            b = bytes(b)
        if a != b and not (name == "instructions" and not a and not b):
            return "%s: sent %.80r, got %.80r" % (name, a, b)
        if name == "body" and type(a) is not type(b) and not isinstance(a, (bytes, int)):
            return "%s: sent a %s, got a %s" % (name, type(a), type(b))
    return None


class Peer(MessagingHandler):
    def __init__(self, url, address, count):
        super().__init__(prefetch=0, auto_accept=False, auto_settle=True)
        self.url, self.address, self.count = url, address, count
        self.sent = self.accepted = 0
        self.received = set()
        self.problem = None

    def on_start(self, event):
        connection = event.container.connect(self.url, reconnect=False, heartbeat=20)
        self.sender = event.container.create_sender(connection, self.address)
        self.receiver = event.container.create_receiver(connection, self.address)
        self.receiver.flow(WINDOW)

    def on_sendable(self, event):
        while self.sender.credit and self.sent < self.count and self.sent - len(self.received) < 5 * WINDOW:
            self.sender.send(message(self.sent))
            self.sent += 1

    def on_accepted(self, event):
        self.accepted += 1
        self.finish_if_done(event)

    def on_rejected(self, event):
        self.fail(event, "rejected: %s" % event.delivery.remote.condition)

    def on_released(self, event):
        self.fail(event, "released")

    def on_message(self, event):
        got = event.message
        i = int(got.id)
        if i in self.received:
            return self.fail(event, "message %d came twice" % i)
        wrong = differences(message(i), got)
        if wrong:
            return self.fail(event, "message %d, %s" % (i, wrong))
        self.received.add(i)
        self.accept(event.delivery)
        self.receiver.flow(1)
        self.on_sendable(event)
        self.finish_if_done(event)

    def finish_if_done(self, event):
        if self.accepted == self.count and len(self.received) == self.count:
            self.sender.connection.close()

    def fail(self, event, why):
        self.problem = self.problem or why
        self.sender.connection.close()

    def on_transport_error(self, event):
        self.problem = self.problem or "transport: %s" % event.transport.condition

    def on_connection_error(self, event):
        self.problem = self.problem or "connection: %s" % event.connection.remote_condition

    def on_link_error(self, event):
        self.fail(event, "link: %s" % event.link.remote_condition)


def main():
    peer = Peer(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    Container(peer).run()
    print("sent %d, accepted %d, received %d" % (peer.sent, peer.accepted, len(peer.received)))
    if peer.problem or not (peer.sent == peer.accepted == len(peer.received) == peer.count):
        sys.exit("proton_peer.py: %s" % (peer.problem or "not everything arrived"))


main()
