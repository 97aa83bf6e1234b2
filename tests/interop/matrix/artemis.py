"""Apache ActiveMQ Artemis: ARTEMIS_HOME names its folder. An instance of our own, with a journal."""
import glob
import os
import re
import subprocess

import recipe
from intermediary import PASSWORD, USER, Intermediary, home_of, need_command
from run import Failed

BROKER = """<?xml version="1.0"?>
<configuration xmlns="urn:activemq">
  <core xmlns="urn:activemq:core">
    <name>interop</name>
    <persistence-enabled>true</persistence-enabled>
    <journal-type>NIO</journal-type>
    <paging-directory>data/paging</paging-directory>
    <bindings-directory>data/bindings</bindings-directory>
    <journal-directory>data/journal</journal-directory>
    <large-messages-directory>data/large-messages</large-messages-directory>
    <journal-min-files>2</journal-min-files>
    <journal-pool-files>4</journal-pool-files>
    <max-disk-usage>99</max-disk-usage>
    <acceptors>
      <acceptor name="amqp">tcp://%(host)s:%(port)d?protocols=AMQP</acceptor>
      <acceptor name="amqps">tcp://%(host)s:%(tls_port)d?protocols=AMQP;%(tls)s</acceptor>
    </acceptors>
    <security-settings>
      <security-setting match="#">%(permissions)s</security-setting>
    </security-settings>
    <address-settings>
%(settings)s
    </address-settings>
  </core>
</configuration>
"""
PERMISSIONS = ("createNonDurableQueue", "deleteNonDurableQueue", "createDurableQueue", "deleteDurableQueue", "createAddress",
               "deleteAddress", "consume", "browse", "send")
LOGIN = """activemq {
  org.apache.activemq.artemis.spi.core.security.jaas.PropertiesLoginModule sufficient
    org.apache.activemq.jaas.properties.user="artemis-users.properties"
    org.apache.activemq.jaas.properties.role="artemis-roles.properties";
  org.apache.activemq.artemis.spi.core.security.jaas.GuestLoginModule sufficient
    credentialsInvalidate=true
    org.apache.activemq.jaas.guest.user="guest"
    org.apache.activemq.jaas.guest.role="amq";
};
"""


def key_store(keys, path):
    """The server's key as Java takes it."""
    keys.run("pkcs12", "-export", "-inkey", keys.path("server.key"), "-in", keys.path("server.pem"), "-out", path, "-passout", "pass:changeit",
             "-name", "server")
    return path


class Artemis(Intermediary):
    name = "artemis"
    title = "Artemis"
    keeps_messages = True
    patience = 3
    oslo_calls_expire = True  # calls of oslo.messaging have an absolute-expiry-time in 1970, which is kept here
    oslo_options = dict(Intermediary.oslo_options, addressing_mode="legacy")

    def find(self):
        self.home = home_of("ARTEMIS_HOME", "bin/artemis")
        need_command("java")

    def version(self):
        jars = glob.glob(os.path.join(self.home, "lib", "artemis-server-[0-9]*.jar"))
        return re.search(r"artemis-server-([\d.]+)\.jar", jars[0]).group(1) if jars else "unknown"

    def prepare(self):
        made = subprocess.run((os.path.join(self.home, "bin", "artemis"), "create", self.path("instance"), "--silent", "--user", USER, "--password",
                               PASSWORD, "--allow-anonymous", "--no-web", "--no-autotune"), capture_output=True, text=True, timeout=120)
        if made.returncode:
            raise Failed("artemis create: %s%s" % (made.stdout, made.stderr))
        permissions = "".join('<permission type="%s" roles="amq"/>' % each for each in PERMISSIONS)
        self.write("instance/etc/broker.xml", BROKER % {
            "host": self.network.host, "port": self.port, "tls_port": self.tls_port, "permissions": permissions,
            "settings": recipe.block("artemis.md", "<address-setting "),
            "tls": "sslEnabled=true;keyStoreType=PKCS12;keyStorePassword=changeit;keyStorePath=" + key_store(self.keys, self.path("server.p12"))})
        self.write("instance/etc/login.config", LOGIN)

    def command(self):
        return (self.path("instance", "bin", "artemis"), "run")

    def environment(self):
        return {"JAVA_ARGS": "-Xms256M -Xmx1G -XX:+UseSerialGC -Dlog4j2.disableJmx=true"}
