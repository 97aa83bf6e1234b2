// A client of rhea for `aprotic conform` to judge: send or receive, URL, address, count, octets per body.
const rhea = require("rhea");

const [part, url, address, count, size] = process.argv.slice(2);
const { hostname: host, port, username, password } = new URL(url);
const login = username ? { username, password } : {};
const connection = rhea.connect({ host, port, reconnect: false, tcp_no_delay: true, ...login });
let sent = 0;
let settled = 0;

function another() {
    if (++settled === Number(count)) connection.close();
}

if (part === "send") {
    connection.open_sender(address);
    let draining = false;
    const go = ({ sender }) => {
        for (; sender.sendable() && sent < Number(count); ++sent) sender.send({ body: "x".repeat(Number(size || 16)) });
        if (draining && sent === Number(count)) sender.set_drained(true);
    };
    connection.on("sendable", go);
    connection.on("sender_draining", (context) => {
        draining = true;
        go(context);
    });
    connection.on("settled", another);
} else {
    connection.open_receiver(address);
    connection.on("message", another);
}
// Without a listener each of these is thrown.
for (const event of ["connection_error", "session_error", "sender_error", "receiver_error", "protocol_error", "error"])
    connection.on(event, (context) => console.error(event, String(context.error || context)));
connection.on("disconnected", () => process.exit(settled < Number(count)));
