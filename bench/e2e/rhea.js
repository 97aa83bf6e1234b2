// The sibling of ours on rhea, for Node.js: send, receive, request, respond. The package is found by NODE_PATH.
'use strict';
const fs = require('fs');
const rhea = require('rhea');

const given = {mode: process.argv[2], address: 'unicast.bench', size: 100, credit: 1000, window: 1, warm_up: 0};
for (let i = 3; i < process.argv.length; ++i) {
  const name = process.argv[i].slice(2).replace(/-/g, '_');
  if (name === 'listen' || name === 'settled') given[name] = true;
  else given[name] = process.argv[++i];
}
for (const name of ['count', 'size', 'credit', 'window', 'warm_up']) given[name] = Number(given[name]);
given.warm_up = Math.min(Math.max(given.warm_up, 1), given.count);

function say(line) {
  fs.writeSync(1, line + '\n');
}

function cpuSeconds() {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
}

function peak() {
  const line = /VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'latin1'));
  return line ? Number(line[1]) * 1024 : 0;
}

function resident() {
  return Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096;
}

/// As in meter.hpp; the digest is made when the clocks have stopped.
class Meter {
  constructor() {
    this.numbers = new Float64Array(given.count);
    this.sizes = new Float64Array(given.count);
    this.counted = 0;
    this.latencies = [];
    this.seconds = -1;
    this.cpu = 0;
  }
  add(number, size) {
    if (this.counted === 0) this.start = resident();
    this.numbers[this.counted] = number;
    this.sizes[this.counted] = size;
    if (++this.counted === given.warm_up) {
      this.begin = process.hrtime.bigint();
      this.cpu = cpuSeconds();
    }
  }
  stop() {
    this.seconds = Number(process.hrtime.bigint() - this.begin) / 1e9;
    this.cpu = cpuSeconds() - this.cpu;
  }
  addWhole(number, size) {
    this.add(number, size);
    if (this.done()) this.stop();
  }
  done() {
    return this.counted === given.count;
  }
  digest() {
    let sum = 0n;
    for (let i = 0; i < this.counted; ++i) {
      let n = BigInt(this.numbers[i]) ^ BigInt.asUintN(64, BigInt(this.sizes[i]) << 48n);
      n = BigInt.asUintN(64, BigInt.asUintN(64, n + 0x9e3779b97f4a7c15n) * 0xbf58476d1ce4e5b9n);
      n = BigInt.asUintN(64, (n ^ (n >> 27n)) * 0x94d049bb133111ebn);
      sum = BigInt.asUintN(64, sum + (n ^ (n >> 31n)));
    }
    return sum.toString(16).padStart(16, '0');
  }
  report() {
    const most = peak();
    this.latencies.sort((a, b) => a - b);
    const at = (share) => (this.latencies.length ? this.latencies[Math.floor(share * (this.latencies.length - 1))] : 0);
    say(JSON.stringify({
      count: this.counted, digest: this.digest(), timed: given.count - given.warm_up, seconds: this.seconds, cpu: this.cpu,
      p50: at(0.5), p99: at(0.99), p999: at(0.999), peak: most, growth: Math.max(0, most - (this.start || most)),
    }));
  }
}

function body(i) {
  const octets = Buffer.alloc(given.size, 'x');
  octets.writeBigUInt64LE(BigInt(i), 0);
  return rhea.message.data_section(octets);
}

/// The number and the size of what came.
function read(message) {
  const octets = message.body.content;
  return [Number(octets.readBigUInt64LE(0)), octets.length];
}

const container = rhea.create_container();
container.options.receiver_options = {credit_window: given.credit};
const meter = new Meter();
let server = null;

function begin(start) {
  const [host, port] = given.at.split(':');
  if (given.listen) {
    server = container.listen({host, port: Number(port)});
    server.on('connection', (socket) => socket.setNoDelay(true));
    server.on('listening', () => say(`listening on ${host}:${server.address().port}`));
    container.on('connection_close', () => server.close());
  } else {
    // Without tcp_no_delay each round trip waits for a delayed acknowledgement.
    const connection = container.connect({host, port: Number(port), tcp_no_delay: true, reconnect: false});
    container.once('connection_open', () => start(connection));
  }
  process.on('exit', () => meter.report());
}

function send() {
  let next = 0;
  let outcomes = 0;
  begin((connection) => connection.open_sender({target: given.address, snd_settle_mode: given.settled ? 1 : 2}));
  container.on('sendable', ({sender}) => {
    while (sender.sendable() && next < given.count) {
      meter.add(next, given.size);
      sender.send({body: body(next++)});
    }
  });
  // What is still queued would be lost: of settled messages the receiver says when it has them all.
  container.on('connection_close', () => { if (given.settled) meter.stop(); });
  container.on('accepted', ({connection}) => {
    if (++outcomes !== given.count) return;
    meter.stop();
    connection.close();
  });
}

function receive() {
  begin((connection) => connection.open_receiver({source: given.address, credit_window: given.credit}));
  container.on('receiver_open', () => { if (!given.listen) say('ready'); });
  container.on('message', ({message, connection}) => {
    meter.addWhole(...read(message));
    if (meter.done() && (!given.listen || given.settled)) connection.close();
  });
}

function request() {
  const started = new Float64Array(given.count);
  let next = 0;
  let sender = null;
  let replyTo = null;
  const now = () => Number(process.hrtime.bigint()) / 1000;
  function more() {
    while (replyTo && sender.sendable() && next < given.count && next - meter.counted < given.window) {
      started[next] = now();
      sender.send({message_id: next, reply_to: replyTo, body: body(next)});
      ++next;
    }
  }
  begin((connection) => {
    sender = connection.open_sender(given.address);
    connection.open_receiver({source: {dynamic: true}, credit_window: given.credit});
  });
  container.on('receiver_open', ({receiver}) => {
    replyTo = receiver.source.address;
    more();
  });
  container.on('sendable', more);
  container.on('message', ({message, connection}) => {
    const id = message.correlation_id;
    if (!(id < next) || started[id] === 0) throw new Error('a reply that nobody asked for');
    meter.addWhole(...read(message));
    if (meter.counted > given.warm_up) meter.latencies.push(now() - started[id]);
    started[id] = 0;
    if (meter.done()) connection.close();
    else more();
  });
}

function respond() {
  const replies = new Map();
  let settled = 0;
  begin((connection) => connection.open_receiver({source: given.address, credit_window: given.credit}));
  container.on('receiver_open', () => { if (!given.listen) say('ready'); });
  container.on('sender_open', ({sender}) => {
    if (!sender.source.dynamic) return;
    const address = 'reply-' + replies.size;
    sender.set_source({address});
    replies.set(address, sender);
  });
  // Through a broker nobody else closes, and what has no outcome may not have left.
  container.on('settled', ({connection}) => { if (++settled === given.count && !given.listen) connection.close(); });
  // The requester takes its reply node with it, which ends our link to it.
  container.on('sender_close', ({connection}) => { if (meter.done() && !given.listen) connection.close(); });
  container.on('sender_error', ({connection}) => { if (!given.listen) connection.close(); });
  container.on('message', ({message, connection}) => {
    let sender = replies.get(message.reply_to);
    if (!sender) replies.set(message.reply_to, sender = connection.open_sender(message.reply_to));
    sender.send({to: message.reply_to, correlation_id: message.message_id, body: message.body});
    meter.addWhole(...read(message));
  });
}

({send, receive, request, respond})[given.mode]();
