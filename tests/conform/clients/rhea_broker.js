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

// What was handed to rhea and has not gone out yet has not been taken off the link's credit.
function hasRoom(sender) {
    sender.handed = Math.max(sender.handed || 0, sender.delivery_count);
    return sender.sendable() && sender.credit > sender.handed - sender.delivery_count;
}

function dispatch(queue) {
    for (const sender of queue.consumers) {
        while (queue.messages.length > 0 && hasRoom(sender)) {
            const message = queue.messages.shift();
            sender.handed++;
            sender.send(message).queued = { queue, message };
        }
        if (draining.delete(sender)) sender.set_drained(true);
    }
}

container.on("sender_open", ({ sender }) => {
    const address = sender.source.dynamic ? container.generate_uuid() : sender.source.address;
    // What is not said here is not in force: no filter, no default outcome.
    sender.set_source({ address, dynamic: sender.source.dynamic });
    queueOf(address).consumers.add(sender);
});
container.on("receiver_open", ({ receiver }) => {
    const address = receiver.target.dynamic ? container.generate_uuid() : receiver.target.address;
    receiver.set_target({ address, dynamic: receiver.target.dynamic });
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
