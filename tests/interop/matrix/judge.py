"""What must be true of the events of load.cpp, whatever was lost."""
NOT_RUN = {"not_sent", "unreachable", "authentication_failed", "refused", "too_large", "rejected", "undeliverable"}
PERHAPS_RUN = {"in_doubt", "no_reply", "executing"}
SLACK = 0.75  # seconds that a busy machine may take to say that time is over
HANDSHAKE = 1.0  # what a connection takes on a busy machine beside the pause before it


class Verdict(object):
    """Faults are what must not be; figures are what there was."""

    def __init__(self):
        self.faults = []
        self.figures = {}

    def fault(self, text, ids=()):
        ids = list(ids)
        self.faults.append(text + (" (%d, such as %s)" % (len(ids), ids[:5]) if ids else ""))


def count_by_id(events, kind=None):
    counts = {}
    for event in events:
        if kind is None or event["kind"] == kind:
            counts[event["id"]] = counts.get(event["id"], 0) + 1
    return counts


def judge_ends(verdict, driven, deadline):
    over = [event for event in driven if event["event"] == "over"]
    if not over:
        verdict.fault("the client did not come to its end")
    elif over[0]["under_way"]:
        verdict.fault("%d of %d never ended" % (over[0]["under_way"], over[0]["issued"]))
    ended = [event for event in driven if event["event"] == "ended"]
    late = [event for event in ended if event["at"] - event["began"] > deadline + SLACK]
    if late:
        verdict.fault("ended after their deadline of %g s" % deadline, ["%s %d: %.2f s" % (e["kind"], e["id"], e["at"] - e["began"]) for e in late])
    strange = [event for event in ended if event["outcome"] != "ok" and event["outcome"] not in NOT_RUN | PERHAPS_RUN]
    if strange:
        verdict.fault("an outcome that no loss explains", ["%s %d: %s" % (e["kind"], e["id"], e["outcome"]) for e in strange])
    verdict.figures["slowest"] = round(max([event["at"] - event["began"] for event in ended] or [0]), 2)
    return ended


def judge_twice(verdict, served, kind, losses):
    """What ran twice, and did not run first in the second before a connection was lost."""
    first = {}
    twice = []
    for event in served:
        if event["kind"] == kind and first.setdefault(event["id"], event["at"]) != event["at"]:
            twice.append(event["id"])
    wrong = [id for id in twice if not any(first[id] - SLACK < lost < first[id] + 1 + SLACK for lost in losses)]
    if wrong:
        verdict.fault("%ss that ran twice" % kind, wrong)
    verdict.figures["%ss twice" % kind] = len(twice)


def judge_calls(verdict, ended, served, losses=()):
    ran = count_by_id(served, "call")
    calls = {event["id"]: event["outcome"] for event in ended if event["kind"] == "call"}
    wrong = [id for id, outcome in calls.items() if outcome == "ok" and not ran.get(id)]
    if wrong:
        verdict.fault("calls with a reply that no server gave", wrong)
    wrong = [id for id, outcome in calls.items() if outcome in NOT_RUN and ran.get(id)]
    if wrong:
        verdict.fault("calls said not to have run that ran", ["%d %s" % (id, calls[id]) for id in wrong])
    judge_twice(verdict, served, "call", losses)
    verdict.figures["calls"] = outcomes(calls)


def judge_casts(verdict, ended, served, losses=()):
    ran = count_by_id(served, "cast")
    casts = {event["id"]: event["outcome"] for event in ended if event["kind"] == "cast"}
    wrong = [id for id, outcome in casts.items() if outcome in NOT_RUN and ran.get(id)]
    if wrong:
        verdict.fault("casts said not to have been sent that ran", wrong)
    judge_twice(verdict, served, "cast", losses)
    verdict.figures["casts"] = outcomes(casts)
    verdict.figures["casts lost"] = sum(outcome == "ok" and not ran.get(id) for id, outcome in casts.items())


def judge_notifications(verdict, ended, told, must_be_there):
    got = count_by_id(told)
    notes = {event["id"]: event["outcome"] for event in ended if event["kind"] == "notification"}
    lost = [id for id, outcome in notes.items() if outcome == "ok" and not got.get(id)]
    if lost and must_be_there:
        verdict.fault("notifications reported as delivered that are not there", lost)
    wrong = [id for id, outcome in notes.items() if outcome in NOT_RUN and got.get(id)]
    if wrong:
        verdict.fault("notifications said not to be delivered that came", ["%d %s" % (id, notes[id]) for id in wrong])
    verdict.figures["notifications"] = outcomes(notes)
    verdict.figures["notifications lost"] = len(lost)
    verdict.figures["notifications twice"] = sum(times > 1 for times in got.values())


def outcomes(by_id):
    counts = {}
    for outcome in by_id.values():
        counts[outcome] = counts.get(outcome, 0) + 1
    return dict(sorted(counts.items()))


def judge_recovery(verdict, streams, back_at, retry):
    """Who has lost the connection has a new one within the pause that was under way, and the time that an attempt may take."""
    slowest = 0.0
    for name, events in streams.items():
        losses = [event["at"] for event in events if event["event"] == "connection_lost"]
        if not losses:
            continue
        again = [event["at"] for event in events if event["event"] == "connected" and event["at"] > losses[-1]]
        if not again:
            verdict.fault("%s has no connection again" % name)
            continue
        took = again[0] - back_at
        slowest = max(slowest, took)
        failures = sum(losses[-1] < event["at"] < again[0] for event in events if event["event"] == "connect_failed")
        # The attempt under way at that moment may be one that goes into the void, up to connect_timeout.
        step = min(retry["interval"] * 2 ** failures, retry["interval_max"])
        allowed = step + (retry["connect_timeout"] if retry["silent"] else 0) + HANDSHAKE
        if took > allowed:
            verdict.fault("%s was back %.2f s after the intermediary was, after %d failures: one step is %.2f s" % (name, took, failures, step))
    verdict.figures["back after"] = round(slowest, 2)
