"""A router: qdrouterd (Qpid Dispatch) or skrouterd (Skupper). QDROUTERD names the program, and QDROUTERD_PYTHON the folder of its
Python modules where that is not the one it was built for."""
import os
import subprocess

import recipe
from intermediary import PASSWORD, USER, Intermediary, need_command, output_of, program_of
from run import Failed, Missing

CONFIGURATION = """
router {
    mode: standalone
    id: interop
    saslConfigDir: %(folder)s/sasl2
    saslConfigName: router
}
sslProfile {
    name: keys
    certFile: %(cert)s
    privateKeyFile: %(key)s
}
listener {
    host: %(host)s
    port: %(port)d
    authenticatePeer: no
    saslMechanisms: %(open_mechanisms)s
}
listener {
    host: %(host)s
    port: %(tls_port)d
    authenticatePeer: %(must)s
    saslMechanisms: %(mechanisms)s
    sslProfile: keys
    requireSsl: yes
}
log {
    module: DEFAULT
    enable: warning+
}
"""
ADDRESS = """
address {
    prefix: %s
    distribution: %s
}
"""
# Of messages that are not the driver's, and of notifications to more than one.
MORE = [("openstack.org/om/notify/multicast", "multicast"), ("queue", "balanced")]


class Router(Intermediary):
    name = "router"
    title = "router"
    stores = False

    def find(self):
        try:
            self.router = program_of("QDROUTERD", "qdrouterd")
        except Missing:
            if os.environ.get("QDROUTERD"):
                raise
            self.router = program_of("QDROUTERD", "skrouterd")
        self.title = os.path.basename(self.router)
        need_command("saslpasswd2")
        # Debian's Proton is built without Cyrus SASL, and its own mechanisms know no users.
        self.knows_users = "libsasl2" in "".join(output_of("ldd", path) for path in [self.router] + [
            line.split("=>")[1].split()[0] for line in output_of("ldd", self.router).splitlines() if "libqpid-proton" in line and "=>" in line])
        if not self.knows_users:
            self.cannot = {"SASL": "its Proton was built without Cyrus SASL, so it knows no users"}

    def version(self):
        return output_of(self.router, "--version").split()[-1]

    def prepare(self):
        text = CONFIGURATION % {
            "folder": self.folder, "host": self.network.host, "port": self.port, "tls_port": self.tls_port,
            "must": "yes" if self.knows_users else "no", "mechanisms": "PLAIN" if self.knows_users else "ANONYMOUS",
            "open_mechanisms": "ANONYMOUS PLAIN" if self.knows_users else "ANONYMOUS", "cert": self.keys.path("server.pem"), "key": self.keys.path("server.key")}
        self.write("router.conf", text + recipe.block("routers.md", "# qdrouterd.conf") + "".join(ADDRESS % each for each in MORE))
        self.write("sasl2/router.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN ANONYMOUS\n" %
                   self.path("router.sasldb"))
        for realm in ((), ("-u", "localhost")):
            done = subprocess.run((need_command("saslpasswd2"), "-c", "-p", "-f", self.path("router.sasldb")) + realm + (USER,),
                                  input=PASSWORD, text=True, capture_output=True)
            if done.returncode:
                raise Failed("saslpasswd2: %s" % done.stderr)

    def command(self):
        python = os.environ.get("QDROUTERD_PYTHON")
        return (self.router,) + (("-I", python) if python else ()) + ("-c", self.path("router.conf"))

    def environment(self):
        python = os.environ.get("QDROUTERD_PYTHON")
        return dict({"HOME": self.folder, "PYTHONDONTWRITEBYTECODE": "1"}, **({"PYTHONPATH": python} if python else {}))

    @property
    def tls_credentials(self):
        return super().tls_credentials if self.knows_users else ""

    def queue(self, name):
        return "queue/" + name

    def addresses(self, topic):
        return ("openstack.org/om/rpc/anycast/openstack/" + topic, "openstack.org/om/rpc/multicast/openstack/" + topic,
                "openstack.org/om/notify/anycast/openstack/%s.info" % topic)
