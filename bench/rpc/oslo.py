#!/usr/bin/python3
"""The sibling of ours.cpp with Python's oslo.messaging.

    oslo.py serve|call --at URL --count N [--size OCTETS] [--window N]
"""
import argparse
import json
import logging
import resource
import threading
import time

from oslo_config import cfg
import oslo_messaging

logging.basicConfig(level=logging.CRITICAL)
MASK = (1 << 64) - 1


class Digest(object):
    """As in e2e/common.hpp."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sum = 0
        self.count = 0

    def add(self, i, size):
        i ^= (size << 48) & MASK
        i = ((i + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9) & MASK
        i = ((i ^ (i >> 27)) * 0x94d049bb133111eb) & MASK
        with self.lock:
            self.sum = (self.sum + (i ^ (i >> 31))) & MASK
            self.count += 1
            return self.count


def report(digest, seconds, latencies=()):
    latencies = sorted(latencies)

    def percentile(share):
        return 1e6 * latencies[int(share * (len(latencies) - 1))] if latencies else 0

    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"count": digest.count, "digest": "%016x" % digest.sum, "seconds": seconds,
                      "cpu": used.ru_utime + used.ru_stime, "p50": percentile(0.5), "p99": percentile(0.99)}), flush=True)


def serve(transport, options):
    digest = Digest()
    done = threading.Event()

    class Endpoint(object):
        def echo(self, context, n, text):
            if digest.add(n, len(text)) == options.count:
                done.set()
            return {"n": n, "text": text}

        def warm(self, context):
            return None

    server = oslo_messaging.get_rpc_server(transport, oslo_messaging.Target(topic="bench", server="one"), [Endpoint()],
                                           executor="threading")
    server.start()
    print("ready", flush=True)
    done.wait()
    server.stop()
    server.wait()
    report(digest, 0)


def call(transport, options):
    client = oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(topic="bench"), timeout=10)
    for _ in range(5):
        try:
            client.prepare(timeout=2).call({}, "warm")
        except oslo_messaging.MessagingTimeout:
            pass  # the server may not be there yet
    text = "x" * options.size
    digest = Digest()
    numbers = iter(range(options.count))
    lock = threading.Lock()
    latencies = []
    failures = []

    def work():
        while not failures:
            with lock:
                n = next(numbers, None)
            if n is None:
                return
            start = time.monotonic()
            try:
                reply = client.call({}, "echo", n=n, text=text)
            except Exception as error:
                failures.append(error)
                return
            latencies.append(time.monotonic() - start)
            digest.add(reply["n"], len(reply["text"]))

    begin = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(options.window)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begin
    if failures:
        raise SystemExit("oslo.py: %r" % failures[0])
    report(digest, seconds, latencies)
    transport.cleanup()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("serve", "call"))
    parser.add_argument("--at", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--window", type=int, default=1)
    options = parser.parse_args()
    conf = cfg.CONF
    conf([], default_config_files=[])
    if options.mode == "serve":
        serve(oslo_messaging.get_rpc_transport(conf, url=options.at), options)
    else:
        call(oslo_messaging.get_rpc_transport(conf, url=options.at), options)


main()
