"""Calls, casts, fanouts, errors and notifications through an intermediary, in both directions."""
import itertools
import json
import time

from intermediary import PASSWORD, USER
from run import Failed, check, expect

TOPICS = itertools.count()
PAYLOAD_OF_FOREIGN = {"n": 5}


def new_topic():
    """What one run has left in a queue is not for the next."""
    return "matrix-%d" % next(TOPICS)


class Servers(object):
    """Two servers of a topic, ended at the end of a `with`."""

    def __init__(self, start):
        self.programs = {name: start(name) for name in ("one", "two")}

    def __enter__(self):
        for program in self.programs.values():
            program.wait_for('"event": ?"started"', 60)
        return self

    def __exit__(self, kind, *_):
        for program in self.programs.values():
            if kind is None:
                program.finish()
            else:
                program.stop()

    def notes(self, expected):
        """Who got which; so many are waited for, and a little while for more."""
        return [(name, note["text"]) for name, note in collect(self.programs, "note", expected)]


def collect(programs, event, expected):
    """(name, object) of this event: waits until so many have come, and then a little for what should not come."""
    found, limit = [], time.monotonic() + 15
    while time.monotonic() < limit:
        for name, program in programs.items():
            while not program.incoming.empty():
                line = program.next_line(limit)
                if line.startswith("{") and json.loads(line).get("event") == event:
                    found.append((name, json.loads(line)))
        if len(found) >= expected:
            limit = min(limit, time.monotonic() + 0.7)
            expected = 1 << 30
        time.sleep(0.02)
    return found


def results_of(program, steps):
    found = {line["step"]: line for line in (line for line in program.objects(60)) if "step" in line}
    missing = [step for step in steps if step not in found]
    check(not missing, "%s has no result of %s" % (program.name, ", ".join(missing)))
    return found


def judged(parts):
    """Name of the check: what is wrong, or nothing. Each part is judged by itself."""
    found = {}
    for name, judge in parts:
        try:
            judge()
            found[name] = None
        except (Failed, KeyError, TypeError) as failure:
            found[name] = "%s" % failure if isinstance(failure, Failed) else "%s: %s" % (type(failure).__name__, failure)
    return found


# ---- ours and oslo.messaging, whose programs have the same steps ------------------------------------------------------

def steps_between(intermediary, client, server, ours_asks):
    """Whoever asks: a client of one kind, two servers of the other."""
    topic = new_topic()
    calls = not (intermediary.oslo_calls_expire and not ours_asks)
    steps = ["echo", "echo=one", "echo=two", "boom", "custom", "missing", "version", "slow=3"] if calls else []
    steps += ["note=cast"]
    with Servers(lambda name: server.rpc(intermediary, "server", topic, name, beside=client)) as servers:
        results = results_of(client.rpc(intermediary, "client", topic, *steps, beside=server), steps)
        cast = servers.notes(1)
        fanout = []
        if "fanout" not in intermediary.cannot:
            results.update(results_of(client.rpc(intermediary, "client", topic, "fanout=all", beside=server), ["fanout=all"]))
            fanout = servers.notes(2)

    def call():
        for step, names in (("echo", ("one", "two")), ("echo=one", ("one",)), ("echo=two", ("two",))):
            reply = results[step].get("result") or {}
            check(reply.get("same") and reply["server"] in names, "%s: %r" % (step, results[step]))

    def errors():
        expect(results, "boom", message="bad \u20ac value", **({"remote": "ValueError"} if ours_asks else {"raised": "ValueError"}))
        expect(results, "custom", remote="Trouble", message="custom trouble")
        expect(results, "missing", remote="NoSuchMethod")
        expect(results, "version", remote="UnsupportedVersion")

    judged_calls = (("call", call), ("large message", call), ("error", errors),
                    ("monitored call", lambda: expect(results, "slow=3", result="slept")))
    return judged((judged_calls if calls else ()) + (
                   ("cast", lambda: check([text for _, text in cast] == ["cast"], "the cast went to %r" % cast)),
                   ("fanout", lambda: check(sorted(fanout) == [("one", "all"), ("two", "all")], "the fanout went to %r" % fanout))))


def notifications_between(intermediary, notifier, listener):
    topic = new_topic()
    reading = listener.rpc(intermediary, "listener", topic)
    reading.wait_for('"event": ?"started"', 60)
    steps = ["messaging:info:one", "messagingv2:error:two", "messagingv2:info:again"]
    told = {line.get("step") for line in notifier.rpc(intermediary, "notifier", topic, *steps).objects(60)}
    got = [line["event_type"] for _, line in collect({"": reading}, "notification", 4)]
    reading.finish()
    check(told >= set(steps), "the notifier was done with %r only" % sorted(told, key=str))
    return judged((("notification", lambda: check(got.count("one") == 1 and got.count("two") == 1, "there came %r" % got)),
                   ("requeue", lambda: check(got.count("again") == 2, "what was to come twice came %d times" % got.count("again")))))


# ---- ours and a library that knows nothing of RPC ---------------------------------------------------------------------

def foreign_asks(intermediary, ours, foreign):
    topic = new_topic()
    queue, broadcast, _ = intermediary.addresses(topic)
    with Servers(lambda name: ours.rpc(intermediary, "server", topic, name)) as servers:
        echo = foreign.answer(intermediary, queue, "echo", {"value": {"n": 5}})
        boom = foreign.answer(intermediary, queue, "boom", {"why": "bad"})
        slow = foreign.answer(intermediary, queue, "slow", {"seconds": 3}, monitor=2)
        cast_told = foreign.said("cast", intermediary.url, queue, "note", '{"text": "cast"}')
        cast = servers.notes(1)
        fanout, fanout_told = [], {"event": "sent"}
        if "fanout" not in intermediary.cannot:
            fanout_told = foreign.said("cast", intermediary.url, broadcast, "note", '{"text": "all"}')
            fanout = servers.notes(2)
    return judged((
        ("call", lambda: check((echo.get("response") or {}).get("value") == {"n": 5}, "its call: %r" % echo)),
        ("error", lambda: check((boom.get("failure") or {}).get("class") == "ValueError", "its call that fails: %r" % boom)),
        ("monitored call", lambda: check(slow.get("response") == "slept" and slow["heartbeats"] > 0, "its monitored call: %r" % slow)),
        ("cast", lambda: check(cast_told["event"] == "sent" and [text for _, text in cast] == ["cast"], "its cast: %r, %r" % (cast_told, cast))),
        ("fanout", lambda: check(fanout_told["event"] == "sent" and sorted(fanout) == [("one", "all"), ("two", "all")],
                                 "its fanout: %r, %r" % (fanout_told, fanout)))))


def foreign_answers(intermediary, ours, foreign):
    topic = new_topic()
    queue, broadcast, _ = intermediary.addresses(topic)
    nodes = [queue] if "fanout" in intermediary.cannot else [queue, broadcast]
    steps = ["plain", "boom", "missing", "slow=3", "note=cast"]
    with Servers(lambda name: foreign.start("serve", intermediary.url, *nodes)) as servers:
        results = results_of(ours.rpc(intermediary, "client", topic, *steps), steps)
        cast = servers.notes(1)
        fanout = []
        if len(nodes) > 1:
            results.update(results_of(ours.rpc(intermediary, "client", topic, "fanout=all"), ["fanout=all"]))
            fanout = servers.notes(2)

    def errors():
        expect(results, "boom", remote="ValueError", message="bad \u20ac value")
        expect(results, "missing", remote="NoSuchMethod")

    return judged((("call", lambda: check((results["plain"].get("result") or {}).get("value") == 1, "our call: %r" % results["plain"])),
                   ("error", errors), ("monitored call", lambda: expect(results, "slow=3", result="slept")),
                   ("cast", lambda: check([text for _, text in cast] == ["cast"], "our cast went to %r" % cast)),
                   ("fanout", lambda: check(sorted(fanout) == [("one", "all"), ("two", "all")], "our fanout went to %r" % fanout))))


def foreign_listens(intermediary, ours, foreign):
    topic = new_topic()
    node = intermediary.addresses(topic)[2]
    reading = foreign.start("listen", intermediary.url, node)
    reading.wait_for('"event": ?"started"', 60)
    steps = ["messaging:info:one", "messagingv2:info:two", "messagingv2:info:again"]
    told = {line.get("step") for line in ours.rpc(intermediary, "notifier", topic, *steps).objects(60)}
    got = [line["event_type"] for _, line in collect({"": reading}, "notification", 4)]
    reading.finish()
    return judged((("notification", lambda: check(told >= set(steps) and got.count("one") == 1 and got.count("two") == 1,
                                                  "ours: told %r, came %r" % (told, got))),
                   ("requeue", lambda: check(got.count("again") == 2, "it got what was to come twice %d times" % got.count("again")))))


def foreign_notifies(intermediary, ours, foreign):
    topic = new_topic()
    node = intermediary.addresses(topic)[2]
    reading = ours.rpc(intermediary, "listener", topic)
    reading.wait_for('"event": ?"started"', 60)
    told = [foreign.said("notify", intermediary.url, node, event)["event"] for event in ("one", "again")]
    lines = [line for _, line in collect({"": reading}, "notification", 3)]
    got = [line["event_type"] for line in lines]
    reading.finish()
    return judged((("notification", lambda: check(told == ["sent", "sent"] and got.count("one") == 1 and lines[0]["payload"] == PAYLOAD_OF_FOREIGN,
                                                  "its notification: %r, %r" % (told, got))),
                   ("requeue", lambda: check(got.count("again") == 2, "ours got what was to come twice %d times" % got.count("again")))))


# ---- TLS and passwords with oslo.messaging ----------------------------------------------------------------------------

def oslo_secure(intermediary, ours, oslo, with_tls):
    """Each calls a server of the other; a wrong password calls nobody."""
    topic = new_topic()
    ca = intermediary.keys.path("ca.pem")
    encrypted = with_tls or intermediary.passwords_need_tls
    at = intermediary.tls_at if encrypted else intermediary.passwords_at
    user = not with_tls or intermediary.tls_credentials
    theirs = {"sasl_mechanisms": "PLAIN" if user else "ANONYMOUS"}
    mine = "%s://%s%s/?sasl_mechanisms=%s" % ("amqps" if encrypted else "amqp", "%s:%%s@" % USER if user else "", at, theirs["sasl_mechanisms"])
    if encrypted:
        mine += "&ssl_ca_file=" + ca
        theirs.update(ssl=True, ssl_ca_file=ca)
    as_them = "amqp://%s%s" % ("%s:%s@" % (USER, PASSWORD) if user else "", at)
    as_us, as_nobody = (mine % PASSWORD, mine % "wrong") if user else (mine, None)

    def call():
        for server, client in (("theirs", "ours"), ("ours", "theirs")):
            name = "%s-%s" % (topic, server)
            if server == "ours":
                if intermediary.oslo_calls_expire:
                    continue
                serving = ours.rpc(intermediary, "server", name, "one", url=as_us)
                asking = ("client", name, "echo")
                serving.wait_for('"event": ?"started"', 60)
                results = results_of(oslo.rpc(intermediary, *asking, url=as_them, **theirs), ["echo"])
            else:
                serving = oslo.rpc(intermediary, "server", name, "one", url=as_them, **theirs)
                serving.wait_for('"event": ?"started"', 60)
                results = results_of(ours.rpc(intermediary, "client", name, "echo", url=as_us), ["echo"])
                if as_nobody:
                    refused = results_of(ours.rpc(intermediary, "client", name, "plain", url=as_nobody), ["plain"])
                    check("raised" in refused["plain"], "a wrong password: %r" % refused["plain"])
            check((results["echo"].get("result") or {}).get("same"), "the call of %s: %r" % (client, results["echo"]))
            serving.finish()

    return judged((("TLS" if with_tls else "SASL", call),))
