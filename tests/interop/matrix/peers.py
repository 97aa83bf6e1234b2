"""The programs on both sides of an intermediary, by whose library they are."""
import json
import os
import shutil
import subprocess

from intermediary import PASSWORD, USER, need_command, package_version
from run import HERE, PYTHON, Missing, Program, check, need_modules, need_program, python_peer

MATRIX = os.path.dirname(os.path.abspath(__file__))


class Messages(object):
    """Programs with the roles of message_peer.cpp: send, receive, drain."""

    def __init__(self, name, command):
        self.name = name
        self.command = command

    def start(self, *arguments):
        return Program("%s %s" % (self.name, " ".join(arguments[:1])), *self.command, *arguments)

    def said(self, *arguments, seconds=60):
        """Its last object, whatever its exit code."""
        program = self.start(*arguments)
        program.process.stdin.close()
        return last_object(program, seconds)


def last_object(program, seconds):
    found = None
    for line in program.objects(seconds):
        found = line
    check(found is not None, "%s said nothing" % program.name)
    return found


class Ours(Messages):
    title = "ours"

    def __init__(self, options):
        super().__init__("message_peer", (need_program(options.message_peer, "message_peer"),))
        self.rpc_peer = need_program(options.rpc_peer, "rpc_peer")

    def version(self):
        return "of this tree"

    def rpc(self, intermediary, *arguments, url=None, beside=None):
        url = url or (intermediary.driver_url_with_oslo if isinstance(beside, Oslo) else intermediary.driver_url)
        return Program("rpc_peer " + " ".join(arguments[:3]), self.rpc_peer, url, *arguments)


class Oslo(object):
    title = "oslo.messaging"

    def __init__(self, options):
        need_modules("oslo_messaging", "pyngus", "proton")

    def version(self):
        return package_version("python3-oslo.messaging")

    def rpc(self, intermediary, *arguments, url=None, beside=None, **more):
        os.environ["OSLO_AMQP_OPTIONS"] = json.dumps(dict(intermediary.oslo_options, **more))
        try:
            return python_peer(url or intermediary.url, *arguments)
        finally:
            del os.environ["OSLO_AMQP_OPTIONS"]


class Foreign(Messages):
    """A library that knows AMQP and nothing of RPC: its program speaks the protocol by itself."""

    def answer(self, intermediary, address, method, args, monitor=None):
        more = ["--monitor", str(monitor)] if monitor else []
        if not intermediary.dynamic:
            more += ["--reply-to", intermediary.queue("reply-" + os.urandom(6).hex())]
        return self.said("call", intermediary.url, address, method, json.dumps(args), *more)


class ProtonCpp(Foreign):
    title = "Proton C++"

    def __init__(self, options):
        super().__init__("Proton C++", (need_program(options.proton_matrix_peer, "proton_matrix_peer (libqpid-proton-cpp12-dev)"),))

    def version(self):
        return package_version("libqpid-proton-cpp12")


class Rhea(Foreign):
    title = "rhea"

    def __init__(self, options):
        node = shutil.which("node")
        if not node:
            raise Missing("no node")
        found = subprocess.run((node, "-p", "require('rhea/package.json').version"), capture_output=True, text=True, cwd=MATRIX)
        if found.returncode:
            raise Missing("node finds no rhea (NODE_PATH, npm install rhea)")
        self.found = found.stdout.strip()
        super().__init__("rhea", (node, os.path.join(MATRIX, "rhea_peer.js")))

    def version(self):
        return self.found


OTHERS = [Oslo, ProtonCpp, Rhea]
