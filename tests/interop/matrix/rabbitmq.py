"""RabbitMQ 3.x of Debian with its plug-in for AMQP 1.0, as processes of our own: the service of the package is left alone."""
import base64
import hashlib
import json
import os
import shlex

import recipe
from intermediary import PASSWORD, USER, Intermediary, need_command, package_version
from run import Missing, Program, free_port

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # not the one in sbin, which changes the user


class Rabbitmq(Intermediary):
    name = "rabbitmq"
    title = "RabbitMQ"
    dynamic = False
    keeps_messages = True
    patience = 3
    altered = {5: "a list as amqp-value ends the connection", 7: "null comes as an empty data section",
               24: "an array of smallint (integers of one octet each) ends the connection"}
    cannot = {"drain": "it ends the session with amqp:internal-error when a classic queue is drained"}
    cannot_oslo = {"": "oslo.messaging's driver needs dynamic nodes, which the plug-in does not have"}

    def find(self):
        if not os.path.exists(SERVER):
            raise Missing("no %s (Debian: rabbitmq-server)" % SERVER)
        self.epmd = need_command("epmd")
        self.mapper_port, self.distribution_port = free_port(), free_port()
        self.mapper = None

    def version(self):
        return package_version("rabbitmq-server")

    def prepare(self):
        enable, policy = (shlex.split(line) for line in recipe.block("rabbitmq-3.md", "rabbitmq-plugins ").splitlines())
        assert policy[:4] == ["rabbitmqctl", "set_policy", "--apply-to", "queues"], policy
        name, pattern, definition = policy[4:]
        salt = os.urandom(4)
        users = []
        for name, password in ((USER, PASSWORD), ("guest", "guest")):
            hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
            users.append({"name": name, "password_hash": hashed, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""})
        self.write("definitions.json", json.dumps({
            "users": users, "vhosts": [{"name": "/"}],
            "policies": [{"vhost": "/", "name": name, "pattern": pattern, "apply-to": "queues", "definition": json.loads(definition), "priority": 0}],
            "permissions": [{"user": user["name"], "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"} for user in users]}))
        self.write("rabbitmq.conf", "\n".join((
            "listeners.tcp.1 = %s:%d" % (self.network.host, self.port), "listeners.ssl.1 = %s:%d" % (self.network.host, self.tls_port),
            "ssl_options.cacertfile = " + self.keys.path("ca.pem"), "ssl_options.certfile = " + self.keys.path("server.pem"),
            "ssl_options.keyfile = " + self.keys.path("server.key"), "ssl_options.verify = verify_none",
            "auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = AMQPLAIN", "amqp1_0.default_user = guest", "amqp1_0.default_vhost = /",
            "loopback_users = none", "load_definitions = " + self.path("definitions.json"),
            "log.console = true", "log.console.level = warning", "log.file = false", "")))
        self.write("enabled_plugins", "[%s].\n" % ", ".join(enable[2:]))

    def environment(self):
        return {"HOME": self.folder, "RABBITMQ_NODENAME": "interop%d@localhost" % self.port, "RABBITMQ_MNESIA_BASE": self.path("mnesia"),
                "RABBITMQ_LOG_BASE": self.path("log"), "RABBITMQ_CONFIG_FILE": self.path("rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": self.path("enabled_plugins"), "RABBITMQ_CONF_ENV_FILE": self.path("none.conf"),
                "RABBITMQ_DIST_PORT": str(self.distribution_port), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self.mapper_port),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"}

    def command(self):
        return (SERVER,)

    def start(self):
        # Its port mapper would be left behind; ours ends with it.
        if self.mapper is None:
            self.mapper = Program("epmd", *self.network.prefix, self.epmd, "-port", str(self.mapper_port), "-address", "127.0.0.1")
        return super().start()

    @property
    def programs(self):
        return super().programs + [self.mapper]

    def end(self):
        try:
            super().end()
        finally:
            if self.mapper:
                self.mapper.stop()

    def queue(self, name):
        return "/queue/" + name

    def addresses(self, topic):
        return ("/queue/unicast.openstack." + topic, "/exchange/amq.direct/broadcast.openstack.%s.all" % topic,
                "/queue/unicast.openstack.%s.info" % topic)
