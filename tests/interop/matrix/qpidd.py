"""qpidd, the broker of Qpid C++: QPIDD names the program, QPIDD_MODULES the folder of its modules (amqp.so at least)."""
import os
import shlex
import subprocess

import recipe
from artemis import key_store
from intermediary import PASSWORD, USER, Intermediary, need_command, output_of, program_of
from run import Failed, Missing


class Qpidd(Intermediary):
    name = "qpidd"
    title = "qpidd"
    altered = {20: "a char ends the connection: its decoder does not know the type"}

    def find(self):
        self.qpidd = program_of("QPIDD", "qpidd")
        self.modules = os.environ.get("QPIDD_MODULES", "")
        if self.modules and not os.path.exists(os.path.join(self.modules, "amqp.so")):
            raise Missing("QPIDD_MODULES=%s has no amqp.so" % self.modules)
        need_command("saslpasswd2")
        try:
            # Its TLS takes keys from a database of NSS.
            self.nss_tools = need_command("certutil"), need_command("pk12util")
        except Missing:
            self.nss_tools = None
            self.cannot = {"TLS": "its keys are in a database of NSS: no certutil and pk12util (Debian: libnss3-tools)"}

    def version(self):
        return output_of(self.qpidd, "--version").split()[-1]

    def prepare(self):
        self.write("qpidd.conf", "# all by options\n")
        self.write("sasl2/qpidd.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN ANONYMOUS\n" %
                   self.path("qpidd.sasldb"))
        done = subprocess.run((need_command("saslpasswd2"), "-c", "-p", "-f", self.path("qpidd.sasldb"), "-u", "QPID", USER),
                              input=PASSWORD, text=True, capture_output=True)
        if done.returncode:
            raise Failed("saslpasswd2: %s" % done.stderr)

        if self.nss_tools:
            self.make_nss_keys(*self.nss_tools)

    def make_nss_keys(self, certutil, pk12util):
        secret = self.write("nss/secret", "changeit\n")
        for command in ((certutil, "-N", "-d", self.path("nss"), "-f", secret),
                        (certutil, "-A", "-d", self.path("nss"), "-f", secret, "-n", "ca", "-t", "CT,,", "-a", "-i", self.keys.path("ca.pem")),
                        (pk12util, "-i", key_store(self.keys, self.path("server.p12")), "-d", self.path("nss"), "-k", secret, "-W", "changeit")):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Failed("%s: %s%s" % (os.path.basename(command[0]), done.stdout, done.stderr))

    def tls_options(self):
        return ("--ssl-cert-db", self.path("nss"), "--ssl-cert-password-file", self.path("nss/secret"), "--ssl-cert-name", "server",
                "--ssl-port", str(self.tls_port)) if self.nss_tools else ()

    def command(self):
        told = tuple(shlex.split(recipe.block("qpidd.md", "qpidd "))[1:])
        if self.modules:
            told = ("--no-module-dir",) + tuple(os.path.join(self.modules, word) if word == "amqp.so" else word for word in told)
        return (self.qpidd,) + told + self.tls_options() + (
            "--config", self.path("qpidd.conf"), "--interface", self.network.host, "--port", str(self.port), "--data-dir", self.path("data"),
            "--auth", "yes", "--realm", "QPID", "--sasl-config", self.path("sasl2"), "--log-enable", "warning+", "--log-to-stderr", "yes")
