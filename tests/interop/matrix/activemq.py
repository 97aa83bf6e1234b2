"""Apache ActiveMQ Classic: ACTIVEMQ_HOME names its folder (with its AMQP transport, which Debian's package does not have)."""
import glob
import os
import re

import recipe
from artemis import key_store
from intermediary import PASSWORD, USER, Intermediary, home_of, need_command

BROKER = """<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
                           http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="interop" useJmx="false" dataDirectory="%(data)s">
    <persistenceAdapter><kahaDB directory="%(data)s/kahadb"/></persistenceAdapter>
    <plugins>
      <simpleAuthenticationPlugin anonymousAccessAllowed="true">
        <users><authenticationUser username="%(user)s" password="%(password)s" groups="users"/></users>
      </simpleAuthenticationPlugin>
    </plugins>
    <sslContext><sslContext keyStore="file:%(keys)s" keyStorePassword="changeit" keyStoreType="PKCS12"/></sslContext>
    <transportConnectors>
      %(connector)s
      <transportConnector name="amqps" uri="amqp+ssl://%(tls_at)s?transport.transformer=native&amp;transport.tcpNoDelay=true"/>
    </transportConnectors>
  </broker>
</beans>
"""
LOG = """appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
"""


class Activemq(Intermediary):
    name = "activemq"
    title = "ActiveMQ"
    keeps_messages = True
    patience = 3
    oslo_calls_expire = True  # see artemis.py
    oslo_options = dict(Intermediary.oslo_options, addressing_mode="legacy", server_request_prefix="queue://exclusive",
                        group_request_prefix="queue://unicast", broadcast_prefix="topic://broadcast")

    def find(self):
        self.home = home_of("ACTIVEMQ_HOME", "bin/activemq.jar")
        self.java = need_command("java")

    def version(self):
        jars = glob.glob(os.path.join(self.home, "lib", "activemq-broker-[0-9]*.jar"))
        return re.search(r"broker-([\d.]+)\.jar", jars[0]).group(1) if jars else "unknown"

    def prepare(self):
        self.write("conf/log4j2.properties", LOG)
        self.write("activemq.xml", BROKER % {
            "data": self.path("data"), "user": USER, "password": PASSWORD, "keys": key_store(self.keys, self.path("server.p12")),
            "tls_at": "%s:%d" % (self.network.host, self.tls_port),
            "connector": recipe.block("activemq.md", "<transportConnector ").replace("0.0.0.0:5672", self.at)})

    def command(self):
        told = {"activemq.home": self.home, "activemq.base": self.folder, "activemq.conf": self.path("conf"), "activemq.data": self.path("data"),
                "log4j2.configurationFile": self.path("conf/log4j2.properties"), "java.io.tmpdir": self.folder}
        return (self.java, "-Xmx1g", "-XX:+UseSerialGC", *("-D%s=%s" % pair for pair in told.items()),
                "-jar", os.path.join(self.home, "bin", "activemq.jar"), "start", "xbean:file:" + self.path("activemq.xml"))

    def queue(self, name):
        return "queue://unicast." + name

    def addresses(self, topic):
        return tuple(kind + address for kind, address in zip(("queue://", "topic://", "queue://"), super().addresses(topic)))
