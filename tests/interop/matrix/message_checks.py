"""Bodies of every kind, large messages, drain, TLS and passwords through an intermediary."""
import itertools

from intermediary import PASSWORD, USER
from run import check

LARGE = 5000000
NUMBERS = itertools.count()


def through(intermediary, sender, receiver, *more, url=None):
    """What one sends is what the other receives."""
    address = intermediary.queue("matrix-messages-%d" % next(NUMBERS))
    url = url or intermediary.url
    if intermediary.altered:
        more += ("--without", ",".join(str(kind) for kind in intermediary.altered))
    reading = receiver.start("receive", url, address, *more)
    reading.process.stdin.close()
    said = next(reading.objects(30), {"event": "failed", "why": "it said nothing"})
    check(said["event"] == "started", "%s cannot receive: %s" % (receiver.name, said.get("why")))
    sent = sender.said("send", url, address, *more)
    got = next(reading.objects(40), {"event": "failed", "why": "it said nothing"})
    reading.stop()
    check(sent["event"] == "sent" and not sent["others"], "%s sends: %r" % (sender.name, sent))
    check(got["event"] == "received" and not got["wrong"] and not got["why"], "%s receives: %r" % (receiver.name, got))
    check(sent["accepted"] == got["count"], "%s of %s came" % (got["count"], sent["accepted"]))


def bodies(intermediary, sender, receiver):
    through(intermediary, sender, receiver)


def large(intermediary, sender, receiver):
    through(intermediary, sender, receiver, "--count", "1", "--large", str(LARGE))


def drain(intermediary, sender, receiver):
    """Of an empty queue, and where it keeps messages of one with three."""
    address = intermediary.queue("matrix-drain-%d" % next(NUMBERS))
    expected = [0]
    if intermediary.stores:
        expected.append(3)
    for count in expected:
        if count:
            sent = sender.said("send", intermediary.url, address, "--count", str(count))
            check(sent.get("accepted") == count, "%s sends: %r" % (sender.name, sent))
        said = receiver.said("drain", intermediary.url, address)
        check(said["event"] == "drained" and said["count"] == count and not said["why"], "%s drains %d: %r" % (receiver.name, count, said))


def tls(intermediary, sender, receiver):
    url = "amqps://%s%s" % (intermediary.tls_credentials, intermediary.tls_at)
    through(intermediary, sender, receiver, "--count", "5", "--ca", intermediary.keys.path("ca.pem"), url=url)
    for each in {sender, receiver}:
        said = each.said("send", url, intermediary.queue("matrix-nobody"), "--count", "1", "--ca", intermediary.keys.path("me.pem"))
        check(said["event"] == "failed", "%s trusts whom it should not: %r" % (each.name, said))


def sasl(intermediary, sender, receiver):
    """The right password comes in, a wrong one does not."""
    scheme, at, more = "amqp", intermediary.passwords_at, ()
    if intermediary.passwords_need_tls:
        scheme, more = "amqps", ("--ca", intermediary.keys.path("ca.pem"))
    through(intermediary, sender, receiver, "--count", "5", *more, url="%s://%s:%s@%s" % (scheme, USER, PASSWORD, at))
    for each in {sender, receiver}:
        said = each.said("send", "%s://%s:wrong@%s" % (scheme, USER, at), intermediary.queue("matrix-nobody"), "--count", "1", *more)
        check(said["event"] == "failed", "%s came in with a wrong password: %r" % (each.name, said))


CHECKS = {"bodies": bodies, "large message": large, "drain": drain, "TLS": tls, "SASL": sasl}
