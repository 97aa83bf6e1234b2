"""Whether somebody opens an AMQP connection: a client of a hundred octets, so that no library is in the way."""
import socket
import struct
import time

OPEN, CLOSE, SASL_OUTCOME = 0x10, 0x18, 0x44


def frame(kind, descriptor, *fields):
    listed = b"".join(fields)
    body = b"\x00\x53" + bytes([descriptor]) + b"\xc0" + bytes([len(listed) + 1, len(fields)]) + listed
    return struct.pack(">IBBH", len(body) + 8, 2, kind, 0) + body


def text(constructor, value):
    return bytes([constructor, len(value)]) + value.encode()


def read_exactly(stream, count):
    octets = b""
    while len(octets) < count:
        more = stream.recv(count - len(octets))
        if not more:
            raise OSError("the end")
        octets += more
    return octets


def next_performative(stream):
    """Its descriptor; empty frames are passed over."""
    while True:
        size, offset = struct.unpack(">IB", read_exactly(stream, 5))
        rest = read_exactly(stream, size - 5)[4 * offset - 5:]
        if rest[:2] == b"\x00\x53":
            return rest[2]
        if rest[:2] == b"\x00\x80":
            return rest[9]
        if rest:
            raise OSError("no performative")


def opens(host, port, seconds=3):
    """A connection is opened, without a name, and not closed at once."""
    try:
        with socket.create_connection((host, port), 1) as stream:
            stream.settimeout(seconds)
            stream.sendall(b"AMQP\x03\x01\x00\x00" + frame(1, 0x41, text(0xa3, "ANONYMOUS"), text(0xa0, "probe")))
            if read_exactly(stream, 8)[:5] != b"AMQP\x03":
                return False
            while next_performative(stream) != SASL_OUTCOME:
                pass
            stream.sendall(b"AMQP\x00\x01\x00\x00" + frame(0, OPEN, text(0xa1, "probe-%d" % time.time_ns()), text(0xa1, host)))
            read_exactly(stream, 8)
            if next_performative(stream) != OPEN:
                return False
            stream.settimeout(0.05)
            try:
                return next_performative(stream) != CLOSE
            except socket.timeout:
                stream.settimeout(seconds)
                stream.sendall(frame(0, CLOSE))
                return next_performative(stream) == CLOSE
    except OSError:
        return False
