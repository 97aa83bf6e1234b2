#!/usr/bin/python3
"""Proton's Python client, or a small server of it, over TLS.

    proton_tls.py client URL ADDRESS COUNT CA [CERTIFICATE KEY]
    proton_tls.py server PORT CERTIFICATE KEY [CA]

The client sends messages to a queue, receives them from it and checks what came; with a certificate it comes in by
EXTERNAL. The server takes messages and prints them; with a CA it demands a certificate of its clients.
"""
import sys

from proton import Message, SSLDomain
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Client(MessagingHandler):
    def __init__(self, url, address, count, ca, identity):
        super(Client, self).__init__()
        self.url, self.address, self.count, self.ca, self.identity = url, address, count, ca, identity
        self.sent, self.received = 0, []
        self.failure = "ended early"

    def on_start(self, event):
        domain = SSLDomain(SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(self.ca)
        domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
        options = {}
        if self.identity:
            domain.set_credentials(self.identity[0], self.identity[1], None)
            options["allowed_mechs"] = "EXTERNAL"
        connection = event.container.connect(self.url, ssl_domain=domain, reconnect=False, **options)
        event.container.create_receiver(connection, self.address)
        event.container.create_sender(connection, self.address)

    def on_sendable(self, event):
        while event.sender.credit and self.sent < self.count:
            event.sender.send(Message(id=self.sent, body="x" * (self.sent * 97 % 40000)))
            self.sent += 1

    def on_message(self, event):
        self.received.append((event.message.id, len(event.message.body)))
        if len(self.received) == self.count:
            wanted = [(i, i * 97 % 40000) for i in range(self.count)]
            self.failure = None if self.received == wanted else "something else came than was sent"
            event.connection.close()

    def on_transport_error(self, event):
        self.failure = str(event.transport.condition)
        event.connection.close()


class Server(MessagingHandler):
    def __init__(self, port, certificate, key, ca):
        super(Server, self).__init__()
        self.port, self.certificate, self.key, self.ca = port, certificate, key, ca

    def on_start(self, event):
        domain = event.container.ssl.server
        domain.set_credentials(self.certificate, self.key, None)
        if self.ca:
            domain.set_trusted_ca_db(self.ca)
            domain.set_peer_authentication(SSLDomain.VERIFY_PEER, self.ca)
        event.container.listen("amqps://127.0.0.1:%d" % self.port)
        print("listening", flush=True)

    def on_link_opening(self, event):
        event.link.source.copy(event.link.remote_source)
        event.link.target.copy(event.link.remote_target)

    def on_message(self, event):
        print("got %d as %s" % (len(event.message.body), event.transport.user), flush=True)


def main():
    if sys.argv[1] == "server":
        Container(Server(int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5] if len(sys.argv) > 5 else None)).run()
        return 0
    client = Client(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6:8])
    Container(client).run()
    print("FAILED: %s" % client.failure if client.failure else "%d messages there and back over TLS" % client.count)
    return 1 if client.failure else 0


if __name__ == "__main__":
    sys.exit(main())
