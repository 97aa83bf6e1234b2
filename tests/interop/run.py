#!/usr/bin/python3
"""Runs one scenario between our programs and software that nobody here wrote, on loopback and free ports.

    run.py SCENARIO [--aprotic PROGRAM] [--rpc-peer PROGRAM] [--proton-peer PROGRAM] [--proton-broker PROGRAM]

Exit code 77 when a peer is not installed (1 instead if APROTIC_INTEROP_REQUIRED is set in the environment).
"""
import argparse
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # Debian's, whose packages the peers are
MESSAGES = 10000


class Missing(Exception):
    pass


class Failed(Exception):
    pass


class Program(object):
    """A process of ours with its lines of output; ended at the end of the scenario, whatever happens."""
    running = []

    def __init__(self, name, *command, environment=None, group=False):
        """With `group`, signal() reaches what the program starts too."""
        self.name = name
        self.lines = []
        self.group = group
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=group,
                                        env=dict(os.environ, **(environment or {})))
        self.incoming = queue.Queue()
        threading.Thread(target=self.pump, daemon=True).start()
        Program.running.append(self)

    def pump(self):
        for line in self.process.stdout:
            self.incoming.put(line.rstrip("\n"))
        self.incoming.put(None)

    def next_line(self, deadline):
        try:
            line = self.incoming.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise Failed("%s said nothing for too long" % self.name)
        if line is None:
            raise Failed("%s ended with %s" % (self.name, self.process.wait()))
        self.lines.append(line)
        return line

    def wait_for(self, pattern, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.next_line(deadline))
            if found:
                return found

    def wait_end(self, seconds):
        """All its output; it must succeed."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.next_line(deadline)
        except Failed:
            if self.process.poll() is None:
                raise Failed("%s was not done after %d s" % (self.name, seconds))
        if self.process.returncode != 0:
            raise Failed("%s ended with %d" % (self.name, self.process.returncode))
        return self.lines

    def objects(self, seconds):
        """The JSON objects it says until it has been silent for this time."""
        while True:
            try:
                line = self.next_line(time.monotonic() + seconds)
            except Failed:
                return
            if line.startswith("{"):
                yield json.loads(line)

    def finish(self, seconds=20):
        """Closes its standard input; it must end by itself and well."""
        self.process.stdin.close()
        self.wait_end(seconds)

    def signal(self, number):
        if self.group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
                self.process.wait()
                raise Failed("%s did not end on SIGTERM" % self.name)
        return self.process.returncode

    @classmethod
    def stop_all(cls):
        for program in reversed(cls.running):
            try:
                program.stop()
            except Failed as failure:
                print(failure)

    @classmethod
    def print_all(cls):
        for program in cls.running:
            while not program.incoming.empty():
                line = program.incoming.get()
                if line is not None:
                    program.lines.append(line)
            print("---- %s" % program.name)
            for line in program.lines[-60:]:
                print("     %.400s" % line)


def check(condition, text):
    if not condition:
        raise Failed(text)


def need_modules(*names):
    for name in names:
        if subprocess.call([PYTHON, "-c", "import " + name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            raise Missing("%s has no module %s" % (PYTHON, name))


def need_program(path, what):
    if not path or not os.path.exists(path):
        raise Missing("%s was not built" % what)
    return path


def start_our_broker(options):
    broker = Program("aprotic broker", need_program(options.aprotic, "aprotic"), "broker", "--listen", "127.0.0.1:0")
    return broker, broker.wait_for(r"^listening on (\S+)").group(1)


def start_proton_broker(options):
    program = need_program(options.proton_broker, "Proton's example broker (libqpid-proton11-dev-examples)")
    broker = Program("Proton example broker", program, "-a", "127.0.0.1:0")
    return broker, "127.0.0.1:" + broker.wait_for(r"^broker listening on (\d+)").group(1)


# ---- messages -------------------------------------------------------------------------------------------------------

def proton_python(options):
    need_modules("proton")
    broker, at = start_our_broker(options)
    script = os.path.join(HERE, "proton_peer.py")
    peer = Program("Proton Python", PYTHON, script, at, "unicast.interop.python", str(MESSAGES))
    print(peer.wait_end(240)[-1])
    check(broker.stop() == 0, "the broker did not end cleanly")


def proton_transactions(options):
    need_modules("proton")
    broker, at = start_our_broker(options)
    peer = Program("Proton Python", PYTHON, os.path.join(HERE, "proton_transactions.py"), at, "500")
    print(peer.wait_end(120)[-1])
    check(broker.stop() == 0, "the broker did not end cleanly")


class Keys(object):
    """A CA and certificates of it, made by OpenSSL's own command for the length of a scenario."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="aprotic-interop-")
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=Interop CA", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))
        for name, extension in (("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"), ("me", "basicConstraints=CA:FALSE")):
            with open(self.path(name + ".ext"), "w") as out:
                out.write(extension)
            self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                     "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
            self.run("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.pem"), "-CAkey",
                     self.path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", self.path(name + ".ext"), "-out",
                     self.path(name + ".pem"))

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def run(*arguments):
        subprocess.run(("openssl",) + arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def named(at):
    """By name: Proton does not look for addresses in a certificate."""
    return at.replace("127.0.0.1", "localhost")


def say_by_s_client(at, keys, octets, *arguments):
    """What our broker answers OpenSSL's client."""
    command = ("openssl", "s_client", "-connect", at, "-CAfile", keys.path("ca.pem"), "-verify_return_error",
               "-servername", "localhost", "-quiet") + arguments
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        client.stdin.write(octets)
        client.stdin.flush()
        said = client.stdout.read(len(octets))
        client.kill()
    return said


def proton_tls(options):
    need_modules("proton")
    program = need_program(options.aprotic, "aprotic")
    if not shutil.which("openssl"):
        raise Missing("no openssl command")
    keys = Keys()
    script = os.path.join(HERE, "proton_tls.py")
    ours = ("--tls-cert", keys.path("server.pem"), "--tls-key", keys.path("server.key"))
    try:
        # A password over TLS, and what has no place on such a port.
        broker = Program("aprotic broker", program, "broker", "--listen", "127.0.0.1:0", "--user", "me:secret", *ours)
        at = broker.wait_for(r"^listening on (\S+)").group(1)
        url = "amqps://me:secret@" + named(at)
        peer = Program("Proton Python", PYTHON, script, "client", url, "unicast.tls", "500", keys.path("ca.pem"))
        print(peer.wait_end(120)[-1])
        header = b"AMQP\x03\x01\x00\x00"
        for version in ("-tls1_2", "-tls1_3"):
            check(say_by_s_client(at, keys, header, version, "-alpn", "amqp") == header,
                  "openssl s_client %s is not understood" % version)
        check(say_by_s_client(at, keys, header, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") == b"", "TLS 1.1 is spoken")
        plain = subprocess.run((program, "send", "amqp://me:secret@" + at, "unicast.tls", "x"), capture_output=True,
                               text=True, timeout=30)
        check(plain.returncode == 3 and "amqps" in plain.stderr, "a plain client: %s" % plain.stderr)
        check(broker.stop() == 0, "the broker did not end cleanly")

        # A certificate instead of a password.
        broker = Program("aprotic broker", program, "broker", "--listen", "127.0.0.1:0", "--tls-client-ca",
                         keys.path("ca.pem"), *ours)
        at = broker.wait_for(r"^listening on (\S+)").group(1)
        peer = Program("Proton Python", PYTHON, script, "client", "amqps://" + named(at), "unicast.tls", "100",
                       keys.path("ca.pem"), keys.path("me.pem"), keys.path("me.key"))
        print(peer.wait_end(120)[-1])
        check(broker.stop() == 0, "the broker did not end cleanly")

        # The other way round: our client and a server of Proton's.
        port = free_port()
        server = Program("Proton server", PYTHON, script, "server", str(port), keys.path("server.pem"),
                         keys.path("server.key"), keys.path("ca.pem"))
        server.wait_for(r"^listening")
        us = (program, "send", "amqps://localhost:%d" % port, "anywhere", "hello", "--tls-ca", keys.path("ca.pem"))
        sent = subprocess.run(us + ("--tls-cert", keys.path("me.pem"), "--tls-key", keys.path("me.key")),
                              capture_output=True, text=True, timeout=60)
        check(sent.returncode == 0, "our client: %s" % sent.stderr)
        server.wait_for(r"^got 5 ")
        refused = subprocess.run(us, capture_output=True, text=True, timeout=60)
        check(refused.returncode == 3 and "certificate" in refused.stderr, "without a certificate: %s" % refused.stderr)
        stranger = subprocess.run(us[:-1] + (keys.path("me.pem"),), capture_output=True, text=True, timeout=60)
        check(stranger.returncode == 3 and "Interop CA" in stranger.stderr, "with a CA unknown: %s" % stranger.stderr)
    finally:
        keys.remove()


def proton_cpp(options):
    program = need_program(options.proton_peer, "proton_peer (libqpid-proton-cpp12-dev)")
    broker, at = start_our_broker(options)
    peer = Program("Proton C++", program, at, "unicast.interop.cpp", str(MESSAGES))
    print(peer.wait_end(240)[-1])
    check(broker.stop() == 0, "the broker did not end cleanly")


# ---- RPC ------------------------------------------------------------------------------------------------------------

TOPIC = "interop-topic"


def python_peer(url, *arguments):
    script = os.path.join(HERE, "oslo_peer.py")
    return Program("oslo.messaging " + " ".join(arguments[:3]), PYTHON, script, url, *arguments)


def our_peer(options, url, *arguments):
    return Program("rpc_peer " + " ".join(arguments[:3]), need_program(options.rpc_peer, "rpc_peer"), url, *arguments)


def start_servers(start, url, names):
    servers = {name: start(url, "server", TOPIC, name) for name in names}
    for server in servers.values():
        server.wait_for('"event": "started"', 60)
    return servers


def run_client(start, url, *steps):
    lines = start(url, "client", TOPIC, *steps).wait_end(120)
    results = {}
    for line in lines:
        if line.startswith("{"):
            result = json.loads(line)
            results[result["step"]] = result
    missing = [step for step in steps if step not in results]
    check(not missing, "the client has no result of %s" % ", ".join(missing))
    return results


def notes(servers):
    """Who got which note, in the order of the servers' names."""
    return sorted((note["server"], note["text"]) for server in servers.values() for note in server.objects(1.5)
                  if note.get("event") == "note")


def expect(results, step, **fields):
    got = results[step]
    for name, value in fields.items():
        check(got.get(name) == value, "%s: expected %s = %r, got %r" % (step, name, value, got))


def rpc(options, start_broker, start_server, start_client, multicast, check_errors, first_steps=()):
    """Two servers of one kind, a client of the other: every kind of request, every kind of answer."""
    broker, at = start_broker(options)
    url = "amqp://" + at
    servers = start_servers(start_server, url, ["one", "two"])
    context = {"user": "alice", "request_id": "req-1"}
    steps = list(first_steps) + ["echo=one", "echo=two", "echo", "boom", "custom", "missing", "version", "slow=4", "nobody", "note=cast"]
    results = run_client(start_client, url, *steps)
    for name in ("one", "two"):
        expect(results, "echo=" + name, result={"same": True, "server": name, "context": context})
    reply = results["echo"].get("result", {})
    check(reply.get("same") and reply["server"] in ("one", "two"), "echo: %r" % results["echo"])
    expect(results, "slow=4", result="slept")
    expect(results, "note=cast", result=None)
    check_errors(results)
    got = notes(servers)
    check(len(got) == 1 and got[0][1] == "cast", "the cast went to %r" % got)
    if multicast:
        expect(run_client(start_client, url, "fanout=all"), "fanout=all", result=None)
        got = notes(servers)
        check(got == [("one", "all"), ("two", "all")], "the fanout went to %r" % got)
    for server in servers.values():
        server.finish()
    returned = broker.stop()
    if start_broker is start_our_broker:
        check(returned == 0, "the broker did not end cleanly")


def errors_seen_by_python(results):
    expect(results, "boom", raised="ValueError", message="bad \u20ac value")
    expect(results, "custom", remote="Trouble", message="custom trouble")
    expect(results, "missing", remote="NoSuchMethod")
    expect(results, "version", remote="UnsupportedVersion")
    expect(results, "nobody", raised="MessagingTimeout")


GIVEN_UP = ("giveup", "giveup=one")


def errors_seen_by_us(results):
    expect(results, "boom", remote="ValueError", module="builtins", message="bad \u20ac value")
    expect(results, "custom", remote="Trouble", message="custom trouble", kwargs={"code": 7})
    expect(results, "missing", remote="NoSuchMethod")
    expect(results, "version", remote="UnsupportedVersion")
    # What Python's servers do not know of does them no harm: the steps that follow these work.
    for step in GIVEN_UP:
        expect(results, step, raised="cancelled")
    expect(results, "marked", result=5)
    nobody = results["nobody"]
    check("remote" not in nobody and "nobody" in nobody.get("message", ""), "nobody: %r" % nobody)


def python_client(options, start_broker, multicast):
    need_modules("oslo_messaging", "pyngus", "proton")
    rpc(options, start_broker, lambda *a: our_peer(options, *a), python_peer, multicast, errors_seen_by_python)


def python_servers(options, start_broker, multicast):
    need_modules("oslo_messaging", "pyngus", "proton")
    rpc(options, start_broker, python_peer, lambda *a: our_peer(options, *a), multicast, errors_seen_by_us,
        GIVEN_UP + ("marked",))


# ---- notifications --------------------------------------------------------------------------------------------------

PRIORITIES = ("audit", "debug", "info", "warn", "error", "critical", "sample")
PAYLOAD = {"text": "h\u00e9llo \U0001f600", "n": 5, "none": None, "list": [1.5, {"x": True}]}


def notifications(options, start_listener, start_notifier):
    """A listener of one kind, a notifier of the other: both forms, all priorities, what comes again, batches."""
    need_modules("oslo_messaging", "pyngus", "proton")
    broker, at = start_our_broker(options)
    url = "amqp://" + at
    listener = start_listener(url, "listener", TOPIC)
    listener.wait_for('"event": "started"', 60)
    steps = ["%s:%s:e.%s.%s" % (driver, priority, driver, priority)
             for driver in ("messaging", "messagingv2") for priority in PRIORITIES] + ["messagingv2:info:again"]
    start_notifier(url, "notifier", TOPIC, *steps).wait_end(120)
    got = {}
    for line in listener.objects(3):
        if line.get("event") == "notification":
            got.setdefault(line["event_type"], []).append(line)
    for step in steps:
        driver, priority, event = step.split(":")
        lines = got.pop(event, [])
        check(len(lines) == (2 if event == "again" else 1), "%s came %d times" % (event, len(lines)))
        for line in lines:
            check(line["priority"] == priority and line["publisher_id"] == "pub.host1", "%s came as %r" % (step, line))
            check(line["payload"] == PAYLOAD and line["context"] == {"user": "alice", "request_id": "req-1"},
                  "%s came with %r" % (step, line))
            check(line["metadata"] == {"message_id": 36, "timestamp": 26}, "%s came with %r" % (step, line))
    check(not got, "nobody sent %r" % got)
    listener.finish()

    # Sent before anybody listens, so that the batches are full.
    topic = TOPIC + "-batch"
    sent = ["e%d" % i for i in range(7)]
    start_notifier(url, "notifier", topic, *["messaging:info:" + event for event in sent]).wait_end(60)
    listener = start_listener(url, "listener", topic, "5,2")
    batches = [line["events"] for line in listener.objects(4) if line.get("event") == "batch"]
    check(batches == [sent[:5], sent[5:]], "the batches were %r" % batches)
    start_notifier(url, "notifier", topic, "messaging:error:again").wait_end(60)
    again = [line["events"] for line in listener.objects(4) if line.get("event") == "batch"]
    check(again == [["again"], ["again"]], "what was to come again came as %r" % again)
    listener.finish()
    check(broker.stop() == 0, "the broker did not end cleanly")


def oslo_client_direct(options):
    """Python calls a server of ours that listens itself: to its driver it is a broker that has this server's addresses only."""
    need_modules("oslo_messaging", "pyngus", "proton")
    at = "127.0.0.1:%d" % free_port()
    server = our_peer(options, "amqp+direct://" + at, "server", TOPIC, "one")
    server.wait_for('"event": "started"', 60)
    steps = ["echo=one", "echo", "boom", "custom", "missing", "version", "slow=4", "note=cast", "fanout=all"]
    results = run_client(python_peer, "amqp://" + at, *steps)
    for step in ("echo=one", "echo"):
        check(results[step].get("result", {}).get("server") == "one", "%s: %r" % (step, results[step]))
    expect(results, "slow=4", result="slept")
    expect(results, "boom", raised="ValueError", message="bad \u20ac value")
    expect(results, "custom", remote="Trouble", message="custom trouble")
    expect(results, "missing", remote="NoSuchMethod")
    expect(results, "version", remote="UnsupportedVersion")
    got = notes({"one": server})
    check(got == [("one", "all"), ("one", "cast")], "cast and fanout: %r" % got)
    server.finish()


SERVICE_FILE = """
[DEFAULT]
debug = false
transport_url = amqp://%s/tenant
control_exchange = shop
rpc_response_timeout = 25

[database]
connection = not ours

[oslo_messaging_amqp]
idle_timeout = 60
server_request_prefix = one-of
group_request_prefix = any-of
broadcast_prefix = all-of
pre_settled = rpc-cast
addressing_mode = legacy
"""


def oslo_config(options):
    """One configuration file drives oslo.messaging and our command. The broker knows none of the default addresses."""
    need_modules("oslo_messaging", "pyngus", "proton")
    program = need_program(options.aprotic, "aprotic")
    broker = Program("aprotic broker", program, "broker", "--listen", "127.0.0.1:0", "--queue-patterns", "one-of", "any-of",
                     "--topic-patterns", "all-of")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(SERVICE_FILE % broker.wait_for(r"^listening on (\S+)").group(1))
        file.flush()
        # Theirs serves, ours calls.
        server = python_peer("file:" + file.name, "server", TOPIC, "one")
        server.wait_for('"event": "started"', 60)
        ours = (program, "call", "--config-file", file.name, "--topic", TOPIC, "--namespace", "interop", "--version", "1.3")
        for which in ([], ["--server", "one"]):
            called = subprocess.run(ours + tuple(which) + ("echo", '{"value": 5}'), capture_output=True, text=True, timeout=60)
            check(called.returncode == 0, "our call: %s" % called.stderr)
            check(json.loads(called.stdout)["value"] == 5, "our call brought %s" % called.stdout)
        cast = subprocess.run((program, "cast") + ours[2:] + ("--fanout", "note", '{"text": "all"}'), capture_output=True,
                              text=True, timeout=60)
        check(cast.returncode == 0, "our cast: %s" % cast.stderr)
        check(notes({"one": server}) == [("one", "all")], "the fanout did not arrive")
        server.finish()
        # Ours serves, theirs calls.
        server = Program("aprotic serve", program, "serve", "--config-file", file.name, "--topic", TOPIC, "--server", "two",
                         "--namespace", "interop", "--version", "1.5")
        server.wait_for("^serving")
        results = run_client(python_peer, "file:" + file.name, "plain", "missing")
        expect(results, "plain", result={"value": 1})
        expect(results, "missing", remote="NoSuchMethod")
        check(server.stop() == 0, "aprotic serve did not end cleanly")
    check(broker.stop() == 0, "the broker did not end cleanly")


SCENARIOS = {
    "oslo-config": oslo_config,
    "proton-python": proton_python,
    "proton-cpp": proton_cpp,
    "proton-tls": proton_tls, "proton-transactions": proton_transactions,
    "oslo-client-direct": oslo_client_direct,
    "oslo-notifier": lambda options: notifications(options, lambda *a: our_peer(options, *a), python_peer),
    "oslo-listener": lambda options: notifications(options, python_peer, lambda *a: our_peer(options, *a)),
    "oslo-client": lambda options: python_client(options, start_our_broker, True),
    "oslo-servers": lambda options: python_servers(options, start_our_broker, True),
    # That broker has queues only: no message goes to two servers.
    "oslo-client-over-proton": lambda options: python_client(options, start_proton_broker, False),
    "oslo-servers-over-proton": lambda options: python_servers(options, start_proton_broker, False),
}


def main(scenarios):
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario", choices=sorted(scenarios))
    for program in ("aprotic", "rpc-peer", "proton-peer", "proton-broker"):
        parser.add_argument("--" + program)
    options = parser.parse_args()
    try:
        scenarios[options.scenario](options)
    except Missing as missing:
        print("skipped: %s" % missing)
        return 1 if os.environ.get("APROTIC_INTEROP_REQUIRED") else 77
    except Failed as failure:
        print("FAILED: %s" % failure)
        Program.stop_all()
        Program.print_all()
        return 1
    finally:
        Program.stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(SCENARIOS))
