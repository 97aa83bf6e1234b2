#!/usr/bin/python3
"""Moves messages from one queue to another with Proton's Python client, in transactions: every third one is rolled back and done
again. Checks that each message came over once, in no transaction that was rolled back.

    proton_transactions.py URL COUNT
"""
import sys

from proton import Message
from proton.handlers import MessagingHandler, TransactionHandler
from proton.reactor import Container

BATCH = 5


class Mover(MessagingHandler, TransactionHandler):
    def __init__(self, url, count):
        super().__init__(prefetch=0, auto_accept=False)
        self.url, self.count = url, count
        self.filled = self.declared = self.in_batch = 0
        self.transaction = None
        self.rolled_back = self.committed = 0
        self.moved = []
        self.checked = []
        self.problem = None

    def on_start(self, event):
        self.container = event.container
        self.connection = event.container.connect(self.url, reconnect=False)
        self.fill = event.container.create_sender(self.connection, "unicast.txn.from")
        self.source = event.container.create_receiver(self.connection, "unicast.txn.from")
        self.target = event.container.create_sender(self.connection, "unicast.txn.to")
        self.result = None

    def on_sendable(self, event):
        if event.link != self.fill:
            return
        while self.fill.credit and self.filled < self.count:
            self.fill.send(Message(id=self.filled, body="message %d" % self.filled))
            self.filled += 1
        if self.filled == self.count and not self.declared:
            self.declare()

    def declare(self):
        self.declared += 1
        self.container.declare_transaction(self.connection, handler=self, settle_before_discharge=False)

    def on_transaction_declared(self, event):
        self.transaction = event.transaction
        self.in_batch = []
        self.source.flow(BATCH)

    def on_message(self, event):
        if event.link == self.result:
            self.checked.append(int(event.message.id))
            self.accept(event.delivery)
            if len(self.checked) == self.count:
                self.connection.close()
            return
        self.in_batch.append(int(event.message.id))
        self.transaction.accept(event.delivery)
        self.transaction.send(self.target, Message(id=event.message.id, body=event.message.body))
        if len(self.in_batch) == BATCH:
            if self.declared % 3 == 0:
                self.transaction.abort()
            else:
                self.transaction.commit()

    def on_transaction_committed(self, event):
        self.committed += 1
        self.moved += self.in_batch
        if len(self.moved) < self.count:
            return self.declare()
        self.result = self.container.create_receiver(self.connection, "unicast.txn.to")
        self.result.flow(self.count + 1)

    def on_transaction_aborted(self, event):
        self.rolled_back += 1
        self.declare()

    def on_transaction_declare_failed(self, event):
        self.fail("no transaction was declared")

    def on_transaction_commit_failed(self, event):
        self.fail("a commit failed")

    def fail(self, why):
        self.problem = self.problem or why
        self.connection.close()

    def on_transport_error(self, event):
        self.problem = self.problem or "transport: %s" % event.transport.condition

    def on_connection_error(self, event):
        self.problem = self.problem or "connection: %s" % event.connection.remote_condition

    def on_link_error(self, event):
        self.fail("link: %s" % event.link.remote_condition)


def main():
    mover = Mover(sys.argv[1], int(sys.argv[2]))
    Container(mover).run()
    print("moved %d in %d transactions, %d rolled back" % (len(mover.checked), mover.committed, mover.rolled_back))
    everything = list(range(mover.count))
    if mover.problem or sorted(mover.checked) != everything or mover.checked != mover.moved or not mover.rolled_back:
        sys.exit("proton_transactions.py: %s" % (mover.problem or "not everything came over once and in order"))


main()
