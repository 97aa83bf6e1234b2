"""Runs the recipes of docs/tls-and-sasl.md, word for word: below each heading of the third level one block of commands."""
import os
import random
import shlex
import socket
import subprocess
import threading

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "tls-and-sasl.md")


def recipes():
    """The lines of each recipe by its heading."""
    found, heading, block = {}, None, None
    with open(PAGE, encoding="utf-8") as page:
        for line in page.read().splitlines():
            if block is not None and line == "```":
                found[heading], block = block, None
            elif block is not None:
                block.append(line)
            elif line == "```sh" and heading:
                block = []
            elif line.startswith("#"):
                heading = line[4:] if line.startswith("### ") else None
    return found


def free_port():
    """Below those which the system gives to connections that go out: one of these could have it a moment later."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return str(port)


def perform(lines, aprotic, folder, environment=None):
    """Each line by the shell, in `folder`. One with "&" at its end must say that it listens and goes on to the end of the
    recipe; every other must succeed. The recipe's ports are replaced by free ones. Gives what was said."""
    ports = {"5672": free_port(), "5671": free_port()}
    path = os.path.dirname(os.path.abspath(aprotic)) + os.pathsep + os.environ["PATH"] + os.pathsep + "/usr/sbin"
    environment = dict(os.environ, **(environment or {}), PATH=path)
    said, running = [], []
    try:
        for line in lines:
            for port, free in ports.items():
                line = line.replace(":" + port, ":" + free)
            if line.endswith("&"):
                words = shlex.split(line.rstrip("& "))
                running.append(subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE,
                                                stderr=subprocess.STDOUT, text=True))
                # One that says nothing is ended, which ends the waiting.
                patience = threading.Timer(30, running[-1].kill)
                patience.start()
                first = running[-1].stdout.readline()
                patience.cancel()
                if not first.startswith("listening on "):
                    raise AssertionError("%s: %s%s" % (line, first, running[-1].stdout.read()))
                continue
            done = subprocess.run(["/bin/bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True,
                                  timeout=60)
            if done.returncode != 0:
                raise AssertionError("%s: exit code %d: %s%s" % (line, done.returncode, done.stdout, done.stderr))
            said.append(done.stdout + done.stderr)
    finally:
        for process in running:
            process.terminate()
            process.wait(20)
            process.stdout.close()
    return "".join(said)
