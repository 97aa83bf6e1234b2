"""Qpid Broker-J: BROKER_J_HOME names its folder. A virtual host of our own in Derby's files, with a rule per kind of address."""
import glob
import json
import os
import re

import recipe
from artemis import key_store
from intermediary import PASSWORD, USER, Intermediary, home_of, need_command

ALIASES = [{"name": name, "type": name} for name in ("nameAlias", "defaultAlias", "hostnameAlias")]
# Python's servers take fanouts from a node of that name, and an exchange that nobody publishes to yet is not made for them.
EXCHANGES = ["broadcast.openstack.matrix-%d%s.all" % (number, last) for number in range(200) for last in ("", "-theirs")]
# Made for who publishes and never for who consumes: "must have a nodeType which implements MessageSource".
TOPICS = {"pattern": r"broadcast\..*", "createdOnPublish": "true", "createdOnConsume": "false", "nodeType": "Exchange",
          "attributes": {"type": "fanout"}}


class BrokerJ(Intermediary):
    name = "broker-j"
    title = "Broker-J"
    keeps_messages = True
    patience = 3
    passwords_need_tls = True  # each port has one way to prove who one is
    oslo_options = dict(Intermediary.oslo_options, addressing_mode="legacy")

    def find(self):
        self.home = home_of("BROKER_J_HOME", "lib")
        self.java = need_command("java")

    def version(self):
        jars = glob.glob(os.path.join(self.home, "lib", "qpid-broker-core-*.jar"))
        return re.search(r"core-([\d.]+)\.jar", jars[0]).group(1) if jars else "unknown"

    def port_named(self, name, number, provider, **more):
        return dict({"name": name, "port": number, "bindingAddress": self.network.host, "protocols": ["AMQP_1_0"],
                     "authenticationProvider": provider, "virtualhostaliases": ALIASES}, **more)

    def prepare(self):
        queues = json.loads("{%s}" % recipe.block("broker-j.md", '"nodeAutoCreationPolicies"'))
        host = {"type": "DERBY", "storePath": self.path("store"), "exchanges": [{"name": name, "type": "fanout"} for name in EXCHANGES],
                "nodeAutoCreationPolicies": queues["nodeAutoCreationPolicies"] + [TOPICS]}
        self.write("config.json", json.dumps({
            "name": "interop", "modelVersion": "9.0",
            "authenticationproviders": [
                {"name": "anybody", "type": "Anonymous"},
                {"name": "users", "type": "Plain", "secureOnlyMechanisms": [],
                 "users": [{"name": USER, "type": "managed", "password": PASSWORD}]}],
            "keystores": [{"name": "keys", "type": "FileKeyStore", "storeUrl": key_store(self.keys, self.path("server.p12")),
                           "keyStoreType": "pkcs12", "password": "changeit"}],
            "ports": [self.port_named("AMQP", self.port, "anybody"),
                      self.port_named("AMQPS", self.tls_port, "users", transports=["SSL"], keyStore="keys")],
            "virtualhostnodes": [{"name": "default", "type": "JSON", "storePath": self.path("node"), "defaultVirtualHostNode": "true",
                                  "virtualHostInitialConfiguration": json.dumps(host)}],
            "brokerloggers": [{"name": "console", "type": "Console", "consoleStreamTarget": "STDERR",
                               "brokerloginclusionrules": [{
                                   "name": "Root", "type": "NameAndLevel", "level": "WARN", "loggerName": "ROOT"}]}]}))

    def command(self):
        return (self.java, "-server", "-Xmx1g", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=1g", "-cp", os.path.join(self.home, "lib", "*"),
                "-DQPID_HOME=" + self.home, "-DQPID_WORK=" + self.folder, "-Dqpid.work_dir=" + self.folder, "-Dderby.stream.error.file=" + self.path("derby.log"),
                "org.apache.qpid.server.Main", "-icp", self.path("config.json"), "-st", "JSON")

    @property
    def driver_url_with_oslo(self):
        """Without this ours has its fanouts in amq.direct."""
        return self.driver_url + "&topic_address=%7Bname%7D"

    def addresses(self, topic):
        queue, _, notifications = super().addresses(topic)
        return (queue, "amq.direct/broadcast.openstack.%s.all" % topic, notifications)
