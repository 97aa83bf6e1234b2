#!/usr/bin/python3
"""Who one is and what others can read, with software that nobody here wrote. As run.py, whose pieces it uses.

    secure.py SCENARIO [--aprotic PROGRAM] [--rpc-peer PROGRAM] [--proton-peer PROGRAM]
"""
import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(HERE, "..", "cli")]
import recipes  # noqa: E402
from run import (MESSAGES, PYTHON, Keys, Missing, Program, check, expect, free_port, main, named, need_modules,  # noqa: E402
                 need_program, our_peer, python_peer, run_client, start_servers)

SECRET = "planted-53cr3t"


def need_command(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Missing("no command %s" % name)
    return found


def run(what, *command, code=0, environment=None):
    """Runs a program of ours to its end; gives what it said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ, **(environment or {})))
    check(done.returncode == code, "%s: exit code %d: %s" % (what, done.returncode, done.stderr))
    check(SECRET not in done.stdout + done.stderr, "%s tells the secret" % what)
    return done.stdout + done.stderr


# ---- Kerberos ---------------------------------------------------------------------------------------------------------

class Realm(object):
    """A Kerberos realm of the scenario's own: a server on a free port of loopback, and nothing outside of one folder."""
    NAME = "INTEROP.TEST"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="aprotic-krb5-")
        port = free_port()
        self.write("krb5.conf", """[libdefaults]
 default_realm = %s
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 qualify_shortname = ""
 rdns = false
 ignore_acceptor_hostname = true
[realms]
 %s = {
  kdc = 127.0.0.1:%d
 }
""" % (self.NAME, self.NAME, port))
        self.write("kdc.conf", """[kdcdefaults]
 kdc_listen = 127.0.0.1:%d
 kdc_tcp_listen = 127.0.0.1:%d
[realms]
 %s = {
  database_name = %s
  key_stash_file = %s
  acl_file = %s
 }
[logging]
 kdc = STDERR
""" % (port, port, self.NAME, self.path("principal"), self.path("stash"), self.path("acl")))
        # MIT Kerberos loses a credential of each client.
        self.write("lsan.supp", "leak:libgssapi_krb5\nleak:libkrb5\n")
        self.environment = {"LSAN_OPTIONS": "print_suppressions=0:suppressions=" + self.path("lsan.supp"), "KRB5_CONFIG": self.path("krb5.conf"), "KRB5_KDC_PROFILE": self.path("kdc.conf"),
                            "KRB5_KTNAME": self.path("keytab"), "KRB5CCNAME": self.path("tickets"),
                            "KRB5RCACHEDIR": self.folder}
        self.do("kdb5_util", "create", "-s", "-r", self.NAME, "-P", "master of the test")
        self.do("kadmin.local", "-q", "addprinc -pw %s alice" % SECRET)
        for host in sorted({"localhost", socket.gethostname()}):
            self.do("kadmin.local", "-q", "addprinc -randkey amqp/%s" % host)
            self.do("kadmin.local", "-q", "ktadd -k %s amqp/%s" % (self.path("keytab"), host))
        kdc = need_command("krb5kdc")
        self.server = Program("krb5kdc", "/usr/bin/env", *["%s=%s" % pair for pair in self.environment.items()], kdc, "-n")
        self.server.wait_for("commencing operation")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(text)

    def do(self, command, *arguments, stdin=None, code=0):
        done = subprocess.run((need_command(command),) + arguments, input=stdin, capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, **self.environment))
        check(done.returncode == code, "%s: %s%s" % (command, done.stdout, done.stderr))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def gssapi(options):
    program = need_program(options.aprotic, "aprotic")
    for command in ("kdb5_util", "kadmin.local", "krb5kdc", "kinit", "kdestroy", "saslpluginviewer"):
        need_command(command)
    if "GSSAPI" not in subprocess.run((need_command("saslpluginviewer"), "-c"), capture_output=True, text=True).stdout:
        raise Missing("no plug-in of Cyrus SASL for GSSAPI")
    realm = Realm()
    try:
        realm.do("kinit", "alice", stdin=SECRET + "\n")
        recipes.perform(recipes.recipes()["GSSAPI"], program, realm.folder, realm.environment)

        # Integrity and encryption without TLS, and large things through them.
        inside = ("--sasl-mechanism", "GSSAPI", "--sasl-frame-size", "65536")
        for bits in ("1", "56"):
            broker = Program("aprotic broker", "/usr/bin/env", *["%s=%s" % pair for pair in realm.environment.items()], program,
                             "broker", "--listen", "127.0.0.1:0", "--queue", "q", "--sasl-layer-bits", bits, *inside)
            url = "amqp://" + named(broker.wait_for(r"^listening on (\S+)").group(1))
            send = (program, "send", url, "q")
            receive = (program, "receive", url, "q", "--count", "50", "--timeout", "20", "--sasl-layer-bits", bits)
            run("send", *send, "--body-size", "50000", "--count", "50", "--sasl-layer-bits", bits, *inside,
                environment=realm.environment)
            got = run("receive", *receive, *inside, environment=realm.environment)
            check(got == ("x" * 50000 + "\n") * 50, "something else came than was sent")
            # Without the layer that the broker wants; with a frame too small for a ticket, where it is.
            run("send without a layer", *send, "x", *inside, code=3, environment=realm.environment)
            told = run("doctor", program, "doctor", url, "--sasl-layer-bits", bits, *inside, environment=realm.environment)
            check("used GSSAPI, outcome ok" in told, told)
            # No ticket, or one of nobody's.
            none = dict(realm.environment, KRB5CCNAME=realm.path("no-tickets"))
            told = run("send without a ticket", *send, "x", "--sasl-layer-bits", bits, *inside, code=3, environment=none)
            check("GSSAPI cannot be used here" in told, told)
            check(broker.stop() == 0, "the broker did not end cleanly")
        print("GSSAPI without a layer, with integrity and with encryption")
    finally:
        realm.server.stop() if hasattr(realm, "server") else None
        realm.remove()


# ---- Proton C++ -------------------------------------------------------------------------------------------------------

def proton_cpp_secure(options):
    program = need_program(options.aprotic, "aprotic")
    peer = need_program(options.proton_peer, "proton_peer (libqpid-proton-cpp12-dev)")
    keys = Keys()
    try:
        broker = Program("aprotic broker", program, "broker", "--listen", "127.0.0.1:0", "--user", "me:" + SECRET,
                         "--tls-cert", keys.path("server.pem"), "--tls-key", keys.path("server.key"), "--tls-optional")
        at = named(broker.wait_for(r"^listening on (\S+)").group(1))
        for url, ca in (("amqps://me:%s@%s" % (SECRET, at), keys.path("ca.pem")), ("amqp://me:%s@%s" % (SECRET, at), "")):
            told = Program("Proton C++ at " + url[:6], peer, url, "unicast.interop.cpp", str(MESSAGES // 5), ca).wait_end(240)
            print(told[-1])
        for url, ca in (("amqps://me:wrong@" + at, keys.path("ca.pem")), ("amqps://me:%s@%s" % (SECRET, at), keys.path("me.pem"))):
            refused = subprocess.run((peer, url, "unicast.interop.cpp", "1", ca), capture_output=True, text=True, timeout=60)
            check(refused.returncode == 1, "not refused: %s" % refused.stdout)
        check(broker.stop() == 0, "the broker did not end cleanly")
        check(SECRET not in "".join(broker.lines), "the broker tells the secret")
    finally:
        keys.remove()


# ---- oslo.messaging ---------------------------------------------------------------------------------------------------

def oslo_secure(options):
    """Its ssl_* and SASL options against our broker: a password inside of TLS, and a certificate instead of one."""
    need_modules("oslo_messaging", "pyngus", "proton")
    program = need_program(options.aprotic, "aprotic")
    keys = Keys()
    ours = ("--tls-cert", keys.path("server.pem"), "--tls-key", keys.path("server.key"))
    trust = {"ssl": True, "ssl_ca_file": keys.path("ca.pem")}
    identity = {"ssl_cert_file": keys.path("me.pem"), "ssl_key_file": keys.path("me.key")}
    steps = ["echo=one", "boom", "note=cast"]
    try:
        for who, broker_options, peer_options, url_options in (
                ("me:%s@" % SECRET, ("--user", "me:" + SECRET), dict(trust, sasl_mechanisms="PLAIN"), "sasl_mechanisms=SCRAM-SHA-256"),
                ("", ("--tls-client-ca", keys.path("ca.pem"), "--sasl-mechanism", "EXTERNAL"),
                 dict(trust, sasl_mechanisms="EXTERNAL", **identity),
                 "sasl_mechanisms=EXTERNAL&ssl_cert_file=%(ssl_cert_file)s&ssl_key_file=%(ssl_key_file)s" % identity)):
            broker = Program("aprotic broker", program, "broker", "--listen", "127.0.0.1:0", *broker_options, *ours)
            at = named(broker.wait_for(r"^listening on (\S+)").group(1))
            os.environ["OSLO_AMQP_OPTIONS"] = json.dumps(peer_options)
            theirs = "amqp://%s%s" % (who, at)
            mine = "amqps://%s%s/?ssl_ca_file=%s&%s" % (who, at, keys.path("ca.pem"), url_options)
            servers = start_servers(python_peer, theirs, ["one"])
            for start, url in ((python_peer, theirs), (lambda *a: our_peer(options, *a), mine)):
                results = run_client(start, url, *steps)
                check(results["echo=one"].get("result", {}).get("same"), "echo: %r" % results["echo=one"])
                expect(results, "note=cast", result=None)
            for server in servers.values():
                server.finish()
            check(broker.stop() == 0, "the broker did not end cleanly")
            check(SECRET not in "".join(broker.lines), "the broker tells the secret")
        print("oslo.messaging with a password and with a certificate, inside of TLS")
    finally:
        os.environ.pop("OSLO_AMQP_OPTIONS", None)
        keys.remove()


# ---- RabbitMQ ---------------------------------------------------------------------------------------------------------

class Rabbit(object):
    """RabbitMQ of Debian with its plug-in for AMQP 1.0, as a process of the scenario's own; its port mapper too."""

    def __init__(self, keys):
        server = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # not the one in sbin, which changes the user
        if not os.path.exists(server):
            raise Missing("no rabbitmq-server")
        self.folder = tempfile.mkdtemp(prefix="aprotic-rabbit-")
        self.plain, self.tls, mapper, distribution = free_port(), free_port(), free_port(), free_port()
        salt = os.urandom(4)
        hashed = base64.b64encode(salt + hashlib.sha256(salt + SECRET.encode()).digest()).decode()
        self.write("definitions.json", json.dumps({
            "users": [{"name": "me", "password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""}],
            "vhosts": [{"name": "/"}],
            "permissions": [{"user": "me", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]}))
        self.write("rabbitmq.conf", "\n".join((
            "listeners.tcp.1 = 127.0.0.1:%d" % self.plain, "listeners.ssl.1 = 127.0.0.1:%d" % self.tls,
            "ssl_options.cacertfile = " + keys.path("ca.pem"), "ssl_options.certfile = " + keys.path("server.pem"),
            "ssl_options.keyfile = " + keys.path("server.key"), "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = true", "ssl_cert_login_from = common_name",
            "auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = EXTERNAL", "amqp1_0.default_user = none", "amqp1_0.default_vhost = /",
            "load_definitions = " + os.path.join(self.folder, "definitions.json"), "log.console = true", "log.file = false", "")))
        self.write("enabled_plugins", "[rabbitmq_amqp1_0,rabbitmq_auth_mechanism_ssl].\n")
        epmd = need_command("epmd")
        environment = {"HOME": self.folder, "RABBITMQ_NODENAME": "interop@localhost", "RABBITMQ_MNESIA_BASE": self.folder + "/mnesia",
                       "RABBITMQ_LOG_BASE": self.folder + "/log", "RABBITMQ_CONFIG_FILE": self.folder + "/rabbitmq.conf",
                       "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder + "/enabled_plugins",
                       "RABBITMQ_CONF_ENV_FILE": self.folder + "/none.conf", "RABBITMQ_DIST_PORT": str(distribution),
                       "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(mapper),
                       "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}
        words = ["%s=%s" % pair for pair in environment.items()]
        self.mapper = Program("epmd", "/usr/bin/env", *words, epmd, "-port", str(mapper), "-address", "127.0.0.1")
        self.server = Program("RabbitMQ", "/usr/bin/env", *words, server)
        self.server.wait_for(r"Server startup complete|completed with \d+ plugins", 180)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as out:
            out.write(text)

    def stop(self):
        for program in (self.server, self.mapper):
            program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def rabbitmq(options):
    program = need_program(options.aprotic, "aprotic")
    keys = Keys()
    rabbit = None
    try:
        rabbit = Rabbit(keys)
        plain = "amqp://%s@127.0.0.1:%d"
        tls = ("--tls-ca", keys.path("ca.pem"), "--tls-cert", keys.path("me.pem"), "--tls-key", keys.path("me.key"))
        by_certificate = ("amqps://localhost:%d" % rabbit.tls,)
        for name, url, more in (("PLAIN", (plain % ("me:" + SECRET, rabbit.plain),), ()),
                                ("EXTERNAL", by_certificate, tls + ("--sasl-mechanism", "EXTERNAL"))):
            run("send", program, "send", *url, "/queue/interop", name, *more)
            got = run("receive", program, "receive", *url, "/queue/interop", "--count", "1", "--timeout", "20", *more)
            check(got == name + "\n", "%s: %r came" % (name, got))
            told = run("doctor", program, "doctor", *url, *more)
            check("used %s, outcome ok" % name in told, told)
            print("%s: there and back" % name)
        run("a wrong password", program, "send", plain % ("me:wrong", rabbit.plain), "/queue/interop", "x", code=3)
        told = run("no certificate", program, "send", *by_certificate, "/queue/interop", "x", "--tls-ca", keys.path("ca.pem"), code=3)
        check("certificate" in told, told)
        stranger = tls[:2] + ("--tls-cert", keys.path("server.pem"), "--tls-key", keys.path("server.key"))
        run("somebody it does not know", program, "send", *by_certificate, "/queue/interop", "x", *stranger, "--sasl-mechanism",
            "EXTERNAL", code=3)
    finally:
        if rabbit:
            rabbit.stop()
        keys.remove()


if __name__ == "__main__":
    sys.exit(main({"gssapi": gssapi, "proton-cpp-secure": proton_cpp_secure, "oslo-secure": oslo_secure, "rabbitmq": rabbitmq}))
