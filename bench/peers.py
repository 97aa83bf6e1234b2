"""Who competes: how each is found, what it can do, and how it is told what to do."""
import os
import shutil
import subprocess

from harness import output_of

HERE = os.path.dirname(os.path.abspath(__file__))
BOTH = {"messages", "calls", "connections", "idle", "rate", "links"}  # what the programs in C++ can do


class Peer(object):
    """A library with its programs. `works` says what they can do: see rows.py."""

    def __init__(self, name, title, works, command, packages=(), family=None, version=None):
        self.name, self.title, self.works, self.command = name, title, works, command
        self.packages, self.family, self.version = packages, family or name, version


def program(folder, name):
    path = os.path.join(folder, name)
    return [path] if os.access(path, os.X_OK) else None


def rhea():
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None or subprocess.run([node, "-e", "require('rhea')"], capture_output=True).returncode != 0:
        return None, None
    version = output_of(node, "-p", "require('rhea/package.json').version + ', node ' + process.version")
    return [node, os.path.join(HERE, "e2e", "rhea.js")], version


def tool(variable, name):
    """A program named by an environment variable, or found on PATH."""
    given = os.environ.get(variable)
    return given if given and os.access(given, os.X_OK) else shutil.which(name)


def all_peers(folder):
    """By name; those that are not there have no command."""
    rhea_command, rhea_version = rhea()
    qpid_send, qpid_receive = tool("QPID_SEND", "qpid-send"), tool("QPID_RECEIVE", "qpid-receive")
    tools = [qpid_send, qpid_receive] if qpid_send and qpid_receive else None
    peers = [
        Peer("ours", "Aprotic", BOTH | {"tls", "stream"}, program(folder, "bench_ours")),
        Peer("proton-cpp", "Proton C++", BOTH | {"tls"}, program(folder, "bench_proton"),
             [("proton-cpp", "libqpid-proton-cpp12")], "proton"),
        Peer("proton-c", "Proton C", BOTH, program(folder, "bench_proton_c"), [("proton-c", "libqpid-proton11")], "proton"),
        Peer("main-cpp", "Proton main C++", BOTH | {"tls"}, program(folder, "bench_proton_main_cpp"), family="proton"),
        Peer("main-c", "Proton main C", BOTH, program(folder, "bench_proton_main_c"), family="proton"),
        Peer("rhea", "rhea", {"messages", "calls"}, rhea_command, version=rhea_version),
        Peer("qpid-tools", "qpid-send, qpid-receive", {"messages"}, tools, family="qpidd"),
        Peer("tcp", "raw TCP", {"messages", "calls"}, program(folder, "bench_limit"), family="limit"),
    ]
    return {peer.name: peer for peer in peers}


def qpidd():
    return tool("QPIDD", "qpidd")


def qpidd_version():
    return output_of(qpidd(), "--version") if qpidd() else None


class Broker(object):
    """What starts a broker, and the line with which it says where it listens."""

    def __init__(self, command, port_of, environment=None):
        self.command, self.port_of, self.environment = command, port_of, environment


def broker(name, folder, keys, tls, scratch):
    """Null where it is not there."""
    if name == "aprotic":
        identity = ["--tls-cert", keys + "/cert.pem", "--tls-key", keys + "/key.pem"] if tls else []
        return Broker([os.path.join(folder, "aprotic"), "broker", "--listen", "127.0.0.1:0", *identity],
                      lambda line: line.split(":")[-1] if line.startswith("listening on ") else None)
    if qpidd() is None:
        return None
    data = os.path.join(scratch, "qpidd")
    os.makedirs(data, exist_ok=True)
    settings = os.path.join(data, "qpidd.conf")
    with open(settings, "w") as file:
        file.write("# nothing of this machine's\n")
    patterns = [word for pattern in ("exclusive", "unicast") for word in ("--queue-patterns", pattern)]
    # With port 0 it prints the port that it took.
    return Broker([qpidd(), "--config", settings, "--port", "0", "--interface", "127.0.0.1", "--data-dir", data, "--auth", "no",
                   *patterns, "--topic-patterns", "broadcast", "--log-enable", "error+"],
                  lambda line: line if line.isdigit() else None)
