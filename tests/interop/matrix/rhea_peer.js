// rhea in the place of one of our peers: the roles, options and output of proton_matrix_peer.cpp.
//
//     node rhea_peer.js ROLE URL ADDRESS … [--OPTION VALUE]…
"use strict";
const fs = require("fs");
const { URL } = require("url");
const rhea = require("rhea");
const types = rhea.types;

const KINDS = 25;
const words = [];
const options = {};
for (let i = 2; i < process.argv.length; ++i) {
    if (process.argv[i].startsWith("--")) options[process.argv[i].slice(2)] = process.argv[++i];
    else words.push(process.argv[i]);
}
const [role, at, ...addresses] = words;
const large = Number(options.large || 0);
const without = (options.without || "").split(",").filter(Boolean).map(Number);
const kinds = [...Array(KINDS).keys()].filter((kind) => !without.includes(kind)).slice(0, Number(options.count || KINDS));
if (large) kinds.push(KINDS);
const total = kinds.length;
let over = false;

const say = (what) => fs.writeSync(1, JSON.stringify(what) + "\n");

function finish(connection, what) {
    if (over) return;
    over = true;
    say(what);
    connection.close();
}

// The bodies of message_peer.cpp. `plain` is what rhea makes of them when they come: it does not tell integers apart.
function bodies(kind) {
    const map = { n: types.wrap_ulong(5), null: null, text: "h\u00e9llo" };
    const list = [types.wrap_long(-5), "two", map, true];
    const plainMap = { n: 5, null: null, text: "h\u00e9llo" };
    const plainList = [-5, "two", plainMap, true];
    const uuid = Buffer.from("0123456789abcdef");
    const octets = (text) => Buffer.from(text, "latin1");
    const table = [
        ["text \u20ac", "text \u20ac"], ["", ""], [types.wrap_binary(octets("\0\xffvalue")), octets("\0\xffvalue")],
        [rhea.message.data_section(octets("\0\xffdata")), { data: octets("\0\xffdata") }],
        [types.wrap_map(map), plainMap], [types.wrap_list(list), plainList], [rhea.message.sequence_section(list), { sequence: plainList }],
        [null, null], [true, true], [types.wrap_ubyte(255), 255], [types.wrap_ushort(65535), 65535], [types.wrap_uint(0), 0],
        [types.wrap_uint(4294967295), 4294967295], [types.wrap_ulong(Buffer.alloc(8, 0xff)), Buffer.alloc(8, 0xff)],
        [types.wrap_byte(-128), -128], [types.wrap_short(-32768), -32768], [types.wrap_int(-2147483648), -2147483648],
        [types.wrap_long(-9007199254740991), -9007199254740991], [types.wrap_float(0.5), 0.5], [types.wrap_double(-1.5e300), -1.5e300],
        [types.wrap_char(0x20ac), 0x20ac], [types.wrap_timestamp(1234567890123), 1234567890123], [types.wrap_uuid(uuid), uuid],
        [types.wrap_symbol("a-symbol"), "a-symbol"], [types.wrap_array([1, -2, 3], 0x71), [1, -2, 3]],
        [rhea.message.data_section(Buffer.alloc(large, "x")), { data: Buffer.alloc(large, "x") }],
    ];
    return table[kind];
}

function make(kind) {
    return {
        message_id: "kind " + kind, content_type: "x/y", body: bodies(kind)[0],
        application_properties: { kind: types.wrap_long(kind) },
    };
}

function same(a, b) {
    if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b);
    if (a instanceof Date) a = a.getTime();
    if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, i) => same(each, b[i]));
    if (a !== null && typeof a === "object") {
        return b !== null && typeof b === "object" && Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => same(a[key], b[key]));
    }
    return a === b;
}

// A body as it came: sections keep their kind.
function plain(body) {
    if (body && body.typecode === 0x75) return { data: body.multiple ? Buffer.concat(body.content) : body.content };
    if (body && body.typecode === 0x76) return { sequence: body.content };
    return body;
}

function difference(message) {
    const id = String(message.message_id);
    if (!id.startsWith("kind ")) return "a message without the id it had";
    const kind = Number(id.slice(5));
    // Proton sends no body at all where there is nothing in it.
    const body = kind === 7 && message.body === undefined ? null : plain(message.body);
    if (!same(body, bodies(kind)[1])) return id + ": another body";
    if (message.content_type !== "x/y") return id + ": another content-type";
    if (!message.application_properties || message.application_properties.kind !== kind) return id + ": another application property";
    return "";
}

const container = rhea.create_container({ autoaccept: false, autosettle: true });
const reading = (address) => ({ source: address, credit_window: 100, autoaccept: false });
let opened = 0;

function untilInputEnds(connection) {
    for (const address of addresses) connection.open_receiver(reading(address));
    process.stdin.on("data", () => {}).on("end", () => {
        over = true;
        connection.close();
    });
}

function startedOnce() {
    if (++opened === addresses.length) say({ event: "started" });
}

const roles = {
    send: {
        start: (connection) => connection.open_sender(addresses[0]),
        sent: 0, ended: 0, accepted_: 0,
        sendable({ sender }) {
            while (sender.sendable() && this.sent < total) sender.send(make(kinds[this.sent++]));
        },
        accepted({ connection }) { this.end(connection, true); },
        rejected({ connection }) { this.end(connection, false); },
        released({ connection }) { this.end(connection, false); },
        modified({ connection }) { this.end(connection, false); },
        end(connection, taken) {
            this.accepted_ += taken;
            if (++this.ended === total) finish(connection, { event: "sent", accepted: this.accepted_, others: [] });
        },
    },
    receive: {
        start: (connection) => connection.open_receiver(reading(addresses[0])),
        receiver_open: () => say({ event: "started" }),
        received: 0, wrong: new Set(),
        message({ message, delivery, connection }) {
            const what = difference(message);
            if (what) this.wrong.add(what);
            delivery.accept();
            if (++this.received === total) finish(connection, { event: "received", count: this.received, wrong: [...this.wrong], why: "" });
        },
    },
    drain: {
        start: (connection) => connection.open_receiver({ source: addresses[0], credit_window: 0, autoaccept: false }),
        received: 0,
        receiver_open({ receiver }) {
            receiver.drain_credit();
            receiver.add_credit(100);
        },
        message({ delivery }) {
            ++this.received;
            delivery.accept();
        },
        receiver_drained({ connection }) { finish(connection, { event: "drained", count: this.received, why: "" }); },
    },
    serve: {
        start: untilInputEnds, receiver_open: startedOnce, senders: new Map(),
        message({ message, delivery, connection }) {
            delivery.accept();
            const body = JSON.parse(message.body);
            const { method, args } = body.request;
            if (method === "note") return say({ event: "note", server: "foreign", text: args.text });
            if (!message.reply_to) return;
            const answer = (content) => this.reply(connection, message, content);
            const fail = (type, module, why) => answer({ failure: JSON.stringify({ class: type, module, message: why, tb: [], args: [why], kwargs: {} }) });
            if (method === "echo") answer({ response: { value: args.value, server: "foreign", context: body.context } });
            else if (method === "boom") fail("ValueError", "builtins", args.why);
            else if (method === "slow") this.beat(answer, args.seconds);
            else fail("NoSuchMethod", "oslo_messaging.rpc.dispatcher", "no " + method);
        },
        beat(answer, seconds) {
            if (seconds <= 0) return answer({ response: "slept" });
            answer(null);
            setTimeout(() => this.beat(answer, seconds - 1), 1000);
        },
        reply(connection, request, content) {
            const to = request.reply_to;
            const message = { to, correlation_id: request.message_id, body: content === null ? null : JSON.stringify(content) };
            const known = this.senders.get(to);
            if (known) return known.waiting ? known.waiting.push(message) : known.sender.send(message);
            const entry = { sender: connection.open_sender(to), waiting: [message] };
            this.senders.set(to, entry);
            entry.sender.once("sendable", () => {
                for (const each of entry.waiting) entry.sender.send(each);
                entry.waiting = null;
            });
            entry.sender.on("sender_error", () => this.senders.delete(to));
        },
    },
    listen: {
        start: untilInputEnds, receiver_open: startedOnce, again: false,
        message({ message, delivery }) {
            let note = JSON.parse(message.body).request;
            if (note["oslo.message"]) note = JSON.parse(note["oslo.message"]);
            say({ event: "notification", event_type: note.event_type, payload: note.payload });
            if (note.event_type === "again" && !this.again) {
                this.again = true;
                // In a turn of its own: rhea 3.0.5 tells of what it accepted and released in one turn by one disposition.
                setTimeout(() => delivery.release(), 50);
            } else delivery.accept();
        },
    },
};

const ask = {
    start(connection) {
        this.sender = connection.open_sender(addresses[0]);
        if (role !== "call") return;
        const source = options["reply-to"] ? { address: options["reply-to"] } : { dynamic: true };
        connection.open_receiver({ source, credit_window: 100, autoaccept: true });
    },
    receiver_open({ receiver }) {
        this.replyTo = receiver.source.address;
        this.send();
    },
    sendable() { this.send(); },
    heartbeats: 0,
    send() {
        if (this.sent || !this.sender.sendable() || (role === "call" && !this.replyTo)) return;
        this.sent = true;
        let body;
        if (role === "notify") {
            body = {
                request: { event_type: addresses[1], publisher_id: "pub.host1", priority: "INFO", payload: { n: 5 },
                    message_id: "3e5c1ab2-0b7e-4c7b-8f0e-0d9f8a7b6c5d", timestamp: "2026-01-02 03:04:05.000006" },
                context: { user: "alice" },
            };
        } else {
            body = { request: { method: addresses[1], args: JSON.parse(addresses[2]), namespace: "interop", version: "1.3" }, context: { user: "alice" } };
            if (options.monitor) body.call_monitor_timeout = Number(options.monitor);
        }
        const message = { to: addresses[0], body: JSON.stringify(body) };
        if (role === "call") {
            this.id = message.message_id = String(Date.now()) + Math.random();
            message.reply_to = this.replyTo;
        }
        this.sender.send(message);
    },
    accepted({ connection }) {
        if (role !== "call") finish(connection, { event: "sent" });
    },
    // A router gives back to the sender what a receiver gives back.
    released() { this.again(); },
    modified() { this.again(); },
    again() {
        this.sent = false;
        this.send();
    },
    message({ message, connection }) {
        if (message.correlation_id !== this.id) return;
        // RabbitMQ puts an empty data section where there was no body.
        if (typeof message.body !== "string") return void ++this.heartbeats;
        const reply = JSON.parse(message.body);
        let failure = reply.failure || null;
        if (typeof failure === "string") failure = JSON.parse(failure);
        finish(connection, { event: "reply", response: reply.response, failure, heartbeats: this.heartbeats });
    },
};

const handler = roles[role] || ask;
for (const event of ["sendable", "accepted", "rejected", "released", "modified", "receiver_open", "message", "receiver_drained"]) {
    if (handler[event]) container.on(event, (context) => handler[event](context));
}
container.on("connection_open", ({ connection }) => handler.start(connection));
for (const event of ["connection_error", "session_error", "sender_error", "receiver_error", "error"]) {
    container.on(event, (context) => {
        if (over || (event === "sender_error" && role === "serve")) return;
        const subject = context.receiver || context.sender || context.session || context.connection;
        const error = (subject && subject.error) || context;
        say({ event: "failed", why: event + ": " + (error.condition || "") + " " + (error.description || error) });
        process.exit(1);
    });
}
container.on("disconnected", ({ error }) => {
    if (!over) say({ event: "failed", why: "disconnected: " + error });
    process.exit(over ? 0 : 1);
});

const url = new URL(at);
const secure = url.protocol === "amqps:";
container.connect({
    host: url.hostname, port: Number(url.port || 5672), transport: secure ? "tls" : "tcp", servername: url.hostname,
    ca: options.ca ? [fs.readFileSync(options.ca)] : undefined, rejectUnauthorized: true, reconnect: false, tcp_no_delay: true,
    username: decodeURIComponent(url.username) || "anonymous", password: decodeURIComponent(url.password) || undefined,
});
