"""A client of Qpid Proton's Python binding for `aprotic conform` to judge: send or receive, URL, address, count, octets per body."""
import sys

from proton import Message, Url
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Client(MessagingHandler):
    def __init__(self, part, url, address, count, size="16"):
        super().__init__()
        self.part, self.url, self.address = part, Url(url), address
        self.count, self.size = int(count), int(size)
        self.sent = self.settled = 0

    def on_start(self, event):
        login = {"user": self.url.username, "password": self.url.password, "allow_insecure_mechs": True} if self.url.username else {}
        connection = event.container.connect(self.url, reconnect=False, **login)
        make = event.container.create_sender if self.part == "send" else event.container.create_receiver
        make(connection, self.address)

    def on_sendable(self, event):
        while event.sender.credit > 0 and self.sent < self.count:
            event.sender.send(Message(body="x" * self.size))
            self.sent += 1

    def on_link_flow(self, event):
        if event.link.is_sender and event.link.drain_mode and self.sent == self.count:
            event.link.drained()

    def on_settled(self, event):
        if self.part == "send":
            self.another(event)

    def on_message(self, event):
        self.another(event)

    def another(self, event):
        self.settled += 1
        if self.settled == self.count:
            event.connection.close()

    def on_transport_error(self, event):
        print(event.transport.condition, file=sys.stderr)


client = Client(*sys.argv[1:])
Container(client).run()
sys.exit(client.settled != client.count)
