// A small broker of rhea's server part for `aprotic conform` to judge: each address is a queue in memory, dynamic nodes too.
// node rhea_broker.js PORT
const rhea = require("rhea");

const container = rhea.create_container({ id: "rhea-broker", autoaccept: false });
const queues = new Map();
const draining = new Set();

function queueOf(address) {
    if (!queues.has(address)) queues.set(address, { messages: [], consumers: new Set() });
    return queues.get(address);
}

function dispatch(queue) {
    for (const sender of queue.consumers) {
        while (queue.messages.length > 0 && sender.sendable()) {
            const message = queue.messages.shift();
            sender.send(message).queued = { queue, message };
        }
        if (draining.delete(sender)) sender.set_drained(true);
    }
}

container.on("sender_open", ({ sender }) => {
    const address = sender.source.dynamic ? container.generate_uuid() : sender.source.address;
    sender.set_source({ ...sender.source, address });
    queueOf(address).consumers.add(sender);
});
container.on("receiver_open", ({ receiver }) => {
    const address = receiver.target.dynamic ? container.generate_uuid() : receiver.target.address;
    receiver.set_target({ ...receiver.target, address });
});
container.on("sendable", ({ sender }) => dispatch(queueOf(sender.source.address)));
container.on("sender_draining", ({ sender }) => {
    draining.add(sender);
    dispatch(queueOf(sender.source.address));
});
container.on("message", ({ message, receiver, delivery }) => {
    const queue = queueOf(receiver.target.address || message.to);
    queue.messages.push(message);
    delivery.accept();
    dispatch(queue);
});
for (const event of ["released", "modified"])
    container.on(event, ({ delivery }) => {
        const { queue, message } = delivery.queued;
        queue.messages.unshift(message);
        dispatch(queue);
    });

function leave(sender) {
    for (const queue of queues.values()) queue.consumers.delete(sender);
}
container.on("sender_close", ({ sender }) => leave(sender));
container.on("session_close", ({ session }) => session.each_sender(leave));
for (const event of ["connection_close", "disconnected"]) container.on(event, ({ connection }) => connection.each_sender(leave));
for (const event of ["connection_error", "session_error", "sender_error", "receiver_error", "protocol_error", "error"])
    container.on(event, (context) => console.error(event, String(context.error || context)));

container.sasl_server_mechanisms.enable_anonymous();
container.listen({ port: Number(process.argv[2]), host: "127.0.0.1", tcp_no_delay: true });
