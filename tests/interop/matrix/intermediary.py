"""What stands between the peers: found, started, stopped, lost and brought back, one class each (see `known` in catalogue.py)."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import probe
from run import Failed, Missing, Program, free_port

USER, PASSWORD = "me", "planted-53cr3t"


def need_command(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Missing("no command %s" % name)
    return found


def program_of(variable, name):
    """The program that a variable of the environment names, else what is on the path."""
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise Missing("%s=%s is no program" % (variable, named))
        return named
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Missing("no %s on PATH, and %s does not name one" % (name, variable))
    return found


def home_of(variable, contents):
    """The folder that a variable of the environment names; `contents` must be in it."""
    named = os.environ.get(variable)
    if not named:
        raise Missing("%s does not name its folder" % variable)
    if not os.path.exists(os.path.join(named, contents)):
        raise Missing("%s=%s has no %s" % (variable, named, contents))
    return named


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60).stdout.strip()


def package_version(name):
    return output_of("dpkg-query", "-W", "-f", "${Version}", name)


def end_in_order_on_sigterm():
    """So that what was started ends with us: it has process groups of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Network(object):
    """Where an intermediary runs: here, on loopback. partition.py has one that can be cut."""
    host = "127.0.0.1"
    prefix = ()


class Intermediary(object):
    """One process (or what a script of its own starts), on ports that stay the same over restarts, in a folder of its own."""
    name = ""             # of --only
    title = ""            # of the table
    keeps_messages = False  # what it has accepted is there after kill -9, where it is durable
    stores = True         # takes messages that nobody receives yet
    dynamic = True        # makes nodes for replies
    passwords_need_tls = False
    altered = {}          # kind of body (message_peer.cpp): what it does to it instead of passing it on
    stop_signal = signal.SIGTERM
    start_seconds = 240  # on a busy machine; Java and Erlang take their time
    patience = 1          # how much longer than the light ones it may be silent while it is well
    cannot = {}           # name of a check: why this intermediary cannot do it
    unbearable = {}       # the same, for faults of failures.py
    cannot_oslo = {}      # the same, for oslo.messaging's driver
    oslo_calls_expire = False  # before anybody sees them: see artemis.py
    oslo_options = {"sasl_mechanisms": "ANONYMOUS", "link_retry_delay": 1}

    def __init__(self, options, keys, network=Network()):
        """Raises Missing when it is not here."""
        self.options = options
        self.keys = keys
        self.network = network
        self.folder = None
        self.program = None
        self.port, self.tls_port = free_port(), free_port()
        self.find()

    # What each has of its own.

    def find(self):
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def prepare(self):
        """Writes its configuration into self.folder, once."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def queue(self, name):
        """An address of which each message goes to one receiver."""
        return "unicast." + name

    # What they have in common.

    def start(self):
        if self.folder is None:
            self.folder = tempfile.mkdtemp(prefix="aprotic-%s-" % self.name)
            self.prepare()
        self.program = Program(self.title, *self.network.prefix, *self.command(), environment=self.environment(), group=True)
        self.wait_until_up()
        return self

    def wait_until_up(self):
        """Until it opens connections; then, and not before, it is back for a client."""
        deadline, pause = time.monotonic() + self.start_seconds, 0.01
        while time.monotonic() < deadline:
            if self.program.process.poll() is not None:
                raise Failed("%s ended with %s" % (self.title, self.program.process.returncode))
            if probe.opens(self.network.host, self.port):
                return
            time.sleep(pause)
            pause = min(2 * pause, 0.2)
        raise Failed("%s did not come up within %d s" % (self.title, self.start_seconds))

    def stop(self):
        """In order."""
        self.program.signal(self.stop_signal)
        self.wait_end()

    def kill(self):
        self.program.signal(signal.SIGKILL)
        self.wait_end()

    def wait_end(self):
        try:
            self.program.process.wait(60)
        except subprocess.TimeoutExpired:
            self.program.signal(signal.SIGKILL)
            self.program.process.wait(20)
            raise Failed("%s did not end" % self.title)

    def pause(self):
        self.program.signal(signal.SIGSTOP)

    def resume(self):
        self.program.signal(signal.SIGCONT)

    def end(self):
        """After the last check, whatever happened."""
        try:
            if self.program and self.program.process.poll() is None:
                self.resume()
                self.stop()
        finally:
            if self.folder:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder = None

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as out:
            out.write(text)
        return self.path(name)

    @property
    def programs(self):
        return [program for program in (self.program,) if program]

    @property
    def at(self):
        return "%s:%d" % (self.network.host, self.port)

    @property
    def url(self):
        return "amqp://" + self.at

    @property
    def passwords_at(self):
        """Without TLS, unless `passwords_need_tls`."""
        return self.tls_at if self.passwords_need_tls else self.at

    @property
    def tls_credentials(self):
        """What stands before the host in a URL with TLS."""
        return "%s:%s@" % (USER, PASSWORD)

    @property
    def tls_at(self):
        """By name: Proton does not look for addresses in a certificate."""
        return "localhost:%d" % self.tls_port

    @property
    def driver_url(self):
        """For our driver, which without credentials goes without SASL unless it is told."""
        return self.url + "/?sasl_mechanisms=ANONYMOUS&link_retry_delay=1"

    @property
    def driver_url_with_oslo(self):
        return self.driver_url

    def addresses(self, topic):
        """Those of the driver for a topic of the exchange "openstack": (one of its servers, all of them, notifications)."""
        return ("unicast.openstack." + topic, "broadcast.openstack.%s.all" % topic, "unicast.openstack.%s.info" % topic)
