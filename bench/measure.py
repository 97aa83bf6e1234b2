"""Runs one competitor of a row once, and checks that both sides tell of the same set."""
import os
import resource
import shutil
import subprocess
import tempfile

from harness import TIMEOUT, Failed, Program
import peers as known

MASK = (1 << 64) - 1
MODES = {"messages": ("send", "receive"), "calls": ("request", "respond"), "connections": ("connect", "accept"), "idle": ("idle", "hold")}


class Lab(object):
    """What the runs of one comparison share: where the programs are, keys for TLS, the shapes of writes."""

    def __init__(self, folder, peers, scale):
        self.folder, self.peers, self.scale = folder, peers, scale
        self.scratch = tempfile.mkdtemp(prefix="aprotic-bench-")
        self.shapes = {}

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def make_keys(self):
        """A certificate for localhost; of nobody's CA, so that it is the CA too."""
        if not os.path.exists(self.scratch + "/cert.pem"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", self.scratch + "/cert.pem",
                            "-keyout", self.scratch + "/key.pem"], check=True, capture_output=True)

    def count(self, row, peer, factors):
        if row.work == "idle":
            return row.count
        return max(50, int(row.count * self.scale * factors.get(peer.name, 1)))


def warm_up_of(row, count):
    """Messages that are not timed: a tenth, and half of it beside what there is of credit or window."""
    return 1 if row.work == "idle" else max(1, count // 10)


def words(lab, row, peer, count):
    """What both sides are told, beginning with the count."""
    told = ["--count", str(count), "--size", str(row.size), "--warm-up", str(warm_up_of(row, count))]
    if row.settled:
        told.append("--settled")
    if row.credit != 1000:
        told += ["--credit", str(row.credit)]
    if row.resume:
        told.append("--resume")
    if row.rate:
        told += ["--rate", str(row.rate)]
    if peer.name == "tcp":
        wire, reply, batch = lab.shape(row)
        told += ["--wire", str(wire), "--reply", str(reply), "--batch", str(batch)]
    return told


def command(peer, mode, *arguments):
    return [*peer.command, mode, *arguments]


def once(lab, row, peer, count, around=None):
    """Both sides' reports: (active, passive). `around`: what stands before the command of the active, of the passive."""
    around = around or ([], [])
    pin = ["taskset", "-c", "0"] if row.pinned else []
    running = []
    try:
        if peer.name == "qpid-tools":
            active, passive = qpid_tools(lab, row, peer, count, running)
            return with_broker(active, running[0]), passive
        told = words(lab, row, peer, count)
        active_mode, passive_mode = MODES[row.work]
        received = count * row.links if row.work == "messages" else count
        passive_told = [*told, "--links", str(row.links)]
        passive_told[1] = str(received)
        active_told = list(told)
        if row.work == "messages" and row.links > 1:
            address = ["--address", "broadcast.bench"]
            active_told += address
            passive_told += address
        identity = ["--tls-cert", lab.scratch + "/cert.pem", "--tls-key", lab.scratch + "/key.pem"] if row.tls else []
        if row.via:
            at = start_broker(lab, row, running)
            passive = Program(*around[1], *pin, *command(peer, passive_mode, "--at", at, *passive_told))
            running.append(passive)
            passive.line_starting("ready")
        else:
            passive = Program(*around[1], *pin, *command(peer, passive_mode, "--listen", "--at", "127.0.0.1:0", *passive_told, *identity))
            running.append(passive)
            at = passive.line_starting("listening on ").split()[-1]
        if row.tls:  # by name: Proton does not look for addresses in a certificate
            at = at.replace("127.0.0.1", "localhost")
            active_told += ["--tls-ca", lab.scratch + "/cert.pem"]
        if row.work == "idle":
            active_told += ["--links", str(row.links)]
        if row.stream:
            active_told += ["--stream", str(row.stream)]
        active = Program(*around[0], *pin, *command(peer, active_mode, "--at", at, "--window", str(row.window), *active_told))
        running.append(active)
        reports = active.result(), passive.result()
        return (with_broker(reports[0], running[0]), reports[1]) if row.via else reports
    finally:
        for process in reversed(running):
            process.stop()


def with_broker(report, broker):
    """Processor time that the broker has used by now, its start included, and its memory, beside what a side has told."""
    cpu, peak = used_by(broker.process)
    return dict(report, broker_cpu=cpu, broker_peak=peak)


def start_broker(lab, row, running):
    """Where it listens."""
    broker = known.broker(row.via, lab.folder, lab.scratch, row.tls, lab.scratch)
    if broker is None:
        raise Failed("qpidd is not there")
    program = Program(*broker.command, environment=broker.environment)
    running.append(program)
    for line in program.process.stdout:
        port = broker.port_of(line.strip())
        if port:
            return "127.0.0.1:" + port
    raise Failed("%s ended early" % row.via)


def qpid_tools(lab, row, peer, count, running):
    """qpid-send and qpid-receive. They have no digest: the receiver checks the sequence of numbers, and both their counts."""
    at = start_broker(lab, row, running)
    common = ["-b", at, "--connection-options", "{protocol: amqp1.0}", "-a", "unicast.bench", "--messages", str(count),
              "--capacity", str(row.credit), "--report-total", "--report-header", "no"]
    receiving = Program(peer.command[1], *common, "-f", "--verify-sequence", "--print-content", "no", "--ack-frequency", "100")
    running.append(receiving)
    sending = Program(peer.command[0], *common, "--content-size", str(row.size), "--sequence", "yes", "--timestamp", "no")
    running.append(sending)
    sent, cpu_sent = output_and_cpu(sending)
    got, cpu_got = output_and_cpu(receiving)
    if sending.process.returncode or receiving.process.returncode or len(got) < 1 or len(sent) < 1:
        raise Failed("qpid-send or qpid-receive failed: %r, %r" % (sent, got))
    report = {"count": count, "digest": "sequence", "timed": count, "p50": 0, "p99": 0, "p999": 0, "peak": 0, "growth": 0}
    return (dict(report, seconds=count / float(sent[0]), cpu=cpu_sent), dict(report, seconds=count / float(got[0]), cpu=cpu_got))


def output_and_cpu(program):
    """The fields of its last line, and its processor time, start and end included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output, _ = program.process.communicate(timeout=TIMEOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (output.strip().splitlines() or [""])[-1].split(), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def used_by(process):
    """Processor seconds of a program that runs, and the most memory it has had."""
    with open("/proc/%d/stat" % process.pid) as file:
        fields = file.read().rpartition(")")[2].split()
    with open("/proc/%d/status" % process.pid) as file:
        peak = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak


def checked(lab, row, label, peer, count):
    """One run's figures, or Failed."""
    active, passive = once(lab, row, peer, count)
    problem = "%s, %s, %s: not the same set on both sides: %r, %r" % (row.group, row.name, label, active, passive)
    if row.work == "idle":
        if active["count"] != count or passive["count"] != count or active["links"] != count * row.links or passive["links"] != count * row.links:
            raise Failed(problem)
        return {"active_octets": active["octets"], "passive_octets": passive["octets"], "active_link": active["link_octets"],
                "passive_link": passive["link_octets"], "count": count}
    receivers = row.links if row.work == "messages" else 1
    expected = active["digest"]
    if receivers > 1:
        expected = "%016x" % ((int(expected, 16) * receivers) & MASK)
    if active["count"] != count or passive["count"] != count * receivers or passive["digest"] != expected:
        raise Failed(problem)
    timed = passive if row.work == "messages" else active
    if timed["seconds"] <= 0 or active["seconds"] <= 0:
        raise Failed(problem)
    latencies = passive if row.work == "messages" else active
    broker = {"broker_cpu": 1e6 * active["broker_cpu"] / count, "broker_peak": active["broker_peak"]} if row.via else {}
    return {**broker, "rate": timed["timed"] / timed["seconds"], "digest": active["digest"], "count": count,
            "active_cpu": 1e6 * active["cpu"] / max(1, active["timed"]),
            "passive_cpu": 1e6 * passive["cpu"] / max(1, passive["timed"]),
            "p50": latencies["p50"], "p99": latencies["p99"], "p999": latencies["p999"],
            "active_peak": active["peak"], "active_growth": active["growth"], "passive_peak": passive["peak"],
            "passive_growth": passive["growth"]}
