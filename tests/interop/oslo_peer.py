#!/usr/bin/python3
"""An oslo.messaging RPC server or client, notifier or listener, as applications write them. Each line of output is one
JSON object.

    oslo_peer.py URL server TOPIC NAME          serves until standard input ends
    oslo_peer.py URL client TOPIC STEP...       runs the steps one after the other
    oslo_peer.py URL listener TOPIC [N,SECONDS] prints notifications, or batches of N, until standard input ends
    oslo_peer.py URL notifier TOPIC STEP...     sends notifications: DRIVER:PRIORITY:EVENT

Instead of a URL file:PATH takes everything from a configuration file.
OSLO_AMQP_OPTIONS in the environment may have a JSON object with options of the driver by name, such as ssl_ca_file.

Steps of the client: echo, echo=SERVER, plain (the reply as it is), boom, custom, missing, version, note=TEXT (cast),
fanout=TEXT, slow=SECONDS (call with monitoring), nobody (call to a topic without a server).
The listener asks for the first notification of the event "again" a second time.
"""
import json
import logging
import os
import sys
import time

from oslo_config import cfg
import oslo_messaging
from oslo_messaging._drivers.amqp1_driver import opts

logging.basicConfig(level=logging.ERROR)
NAMESPACE = "interop"
CONTEXT = {"user": "alice", "request_id": "req-1"}


def say(**what):
    print(json.dumps(what), flush=True)


class Trouble(Exception):
    """An exception that the other side cannot know."""

    def __init__(self, message, code=7):
        super().__init__(message)
        self.kwargs = {"code": code}


class Endpoint(object):
    target = oslo_messaging.Target(namespace=NAMESPACE, version="1.5")

    def __init__(self, name):
        self.name = name

    def echo(self, context, value):
        return {"value": value, "server": self.name, "context": context}

    def boom(self, context, why):
        raise ValueError(why)

    def custom(self, context):
        raise Trouble("custom trouble")

    def slow(self, context, seconds):
        time.sleep(seconds)
        return "slept"

    def note(self, context, text):
        say(event="note", server=self.name, text=text)


def serve(transport, topic, name):
    target = oslo_messaging.Target(topic=topic, server=name)
    server = oslo_messaging.get_rpc_server(transport, target, [Endpoint(name)], executor="threading")
    server.start()
    say(event="started", server=name)
    sys.stdin.read()
    server.stop()
    server.wait()


VALUE = {"text": "h\u00e9llo \U0001f600 \"quoted\" \\", "n": 2 ** 53, "f": 1.5, "none": None,
         "list": [1, "two", {"three": 3}], "yes": True, "large": "x" * 200000}


def run_step(client, topic, step):
    word, _, argument = step.partition("=")
    if word == "echo":
        caller = client.prepare(server=argument, timeout=20) if argument else client.prepare(timeout=20)
        reply = caller.call(CONTEXT, "echo", value=VALUE)
        return {"same": reply["value"] == VALUE, "server": reply["server"], "context": reply["context"]}
    if word == "plain":
        return client.prepare(timeout=20).call(CONTEXT, "echo", value=1)
    if word == "boom":
        return client.prepare(timeout=20).call(CONTEXT, "boom", why="bad \u20ac value")
    if word == "custom":
        return client.prepare(timeout=20).call(CONTEXT, "custom")
    if word == "missing":
        return client.prepare(timeout=20).call(CONTEXT, "missing")
    if word == "version":
        return client.prepare(timeout=20, version="2.0").call(CONTEXT, "echo", value=1)
    if word == "note":
        return client.cast(CONTEXT, "note", text=argument)
    if word == "fanout":
        return client.prepare(fanout=True).cast(CONTEXT, "note", text=argument)
    if word == "slow":
        return client.prepare(timeout=20, call_monitor_timeout=2).call(CONTEXT, "slow", seconds=float(argument))
    if word == "nobody":
        return client.prepare(topic=topic + "-nobody", timeout=2).call(CONTEXT, "echo", value=1)
    raise SystemExit("oslo_peer.py: no step '%s'" % word)


def call(transport, topic, steps):
    target = oslo_messaging.Target(topic=topic, namespace=NAMESPACE, version="1.3")
    client = oslo_messaging.get_rpc_client(transport, target)
    for step in steps:
        began = time.monotonic()
        try:
            outcome = {"result": run_step(client, topic, step)}
        except oslo_messaging.RemoteError as error:
            outcome = {"remote": error.exc_type, "message": str(error.value)}
        except Exception as error:
            outcome = {"raised": type(error).__name__, "message": str(error).split("\n")[0]}
        say(step=step, seconds=round(time.monotonic() - began, 3), **outcome)


class Listener(object):
    def __init__(self):
        self.again = True

    def requeue(self, events):
        if "again" in events and self.again:
            self.again = False
            return oslo_messaging.NotificationResult.REQUEUE
        return oslo_messaging.NotificationResult.HANDLED


class EachListener(Listener):
    def take(priority):
        def method(self, context, publisher, event, payload, metadata):
            say(event="notification", priority=priority, publisher_id=publisher, event_type=event, payload=payload,
                context=context, metadata={key: len(value) for key, value in metadata.items()})
            return self.requeue([event])
        return method

    audit, debug, info, warn = take("audit"), take("debug"), take("info"), take("warn")
    error, critical, sample = take("error"), take("critical"), take("sample")


class BatchListener(Listener):
    def take(priority):
        def method(self, messages):
            events = [each["event_type"] for each in messages]
            say(event="batch", priority=priority, events=events)
            return self.requeue(events)
        return method

    info, error = take("info"), take("error")


def listen(conf, url, topic, batch):
    transport = oslo_messaging.get_notification_transport(conf, url=url)
    targets = [oslo_messaging.Target(topic=topic)]
    if batch:
        size, seconds = batch.split(",")
        listener = oslo_messaging.get_batch_notification_listener(
            transport, targets, [BatchListener()], executor="threading", allow_requeue=True, batch_size=int(size),
            batch_timeout=float(seconds))
    else:
        listener = oslo_messaging.get_notification_listener(transport, targets, [EachListener()], executor="threading",
                                                            allow_requeue=True)
    listener.start()
    say(event="started")
    sys.stdin.read()
    listener.stop()
    listener.wait()
    transport.cleanup()


PAYLOAD = {"text": "h\u00e9llo \U0001f600", "n": 5, "none": None, "list": [1.5, {"x": True}]}


def notify(conf, url, topic, steps):
    transport = oslo_messaging.get_notification_transport(conf, url=url)
    for step in steps:
        driver, priority, event = step.split(":")
        notifier = oslo_messaging.Notifier(transport, "pub.host1", driver=driver, topics=[topic], retry=3)
        getattr(notifier, priority)(CONTEXT, event, PAYLOAD)
        say(step=step)
    transport.cleanup()


def main():
    url, what, topic, rest = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    conf = cfg.CONF  # not one of our own: the metrics of oslo.messaging read this one
    url, configured = (None, url[5:]) if url.startswith("file:") else (url, None)
    conf(["--config-file", configured] if configured else [])
    conf.register_opts(opts.amqp1_opts, group="oslo_messaging_amqp")
    for name, value in json.loads(os.environ.get("OSLO_AMQP_OPTIONS", "{}")).items():
        conf.set_override(name, value, group="oslo_messaging_amqp")
    if what == "listener":
        return listen(conf, url, topic, rest[0] if rest else None)
    if what == "notifier":
        return notify(conf, url, topic, rest)
    transport = oslo_messaging.get_rpc_transport(conf, url=url, allowed_remote_exmods=["builtins"])
    if what == "server":
        serve(transport, topic, rest[0])
    else:
        call(transport, topic, rest)
    transport.cleanup()


main()
