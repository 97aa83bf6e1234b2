"""A network that can be cut: the intermediary in a namespace of its own, at the other end of a pair of interfaces."""
import os
import shutil
import subprocess

from run import Missing


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode == 0, done.stderr.strip()


class Partition(object):
    """Made for one run and removed by remove(). Needs root, ip and tc; raises Missing without."""
    prefix = ()
    host = None

    def __init__(self):
        if os.geteuid() != 0:
            raise Missing("a network of its own needs root")
        for command in ("ip", "tc"):
            if not shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                raise Missing("no command %s (iproute2)" % command)
        number = os.getpid() % 16000
        self.space = "aprotic-%d" % number
        self.near, self.far = "apn%d" % number, "apf%d" % number
        # Of 198.18.0.0/15, which is for tests of networks.
        base = "198.18.%d.%d" % (number // 64 % 256, number % 64 * 4)
        first, last = base.rsplit(".", 1)
        here, self.host = "%s.%d" % (first, int(last) + 1), "%s.%d" % (first, int(last) + 2)
        self.prefix = ("ip", "netns", "exec", self.space)
        inside = self.prefix
        for command in (("ip", "netns", "add", self.space),
                        ("ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far),
                        ("ip", "link", "set", self.far, "netns", self.space),
                        ("ip", "addr", "add", here + "/30", "dev", self.near), ("ip", "link", "set", self.near, "up"),
                        inside + ("ip", "addr", "add", self.host + "/30", "dev", self.far),
                        inside + ("ip", "link", "set", self.far, "up"), inside + ("ip", "link", "set", "lo", "up")):
            done, why = run(*command)
            if not done:
                self.remove()
                raise Missing("no namespace of the network can be made: %s" % why)
        self.dropping = self.way_to_drop()

    def way_to_drop(self):
        """netem says what is meant; a bucket too small for any packet comes to the same where the kernel has no netem."""
        for words in (("netem", "loss", "100%"), ("tbf", "rate", "8bit", "burst", "1", "limit", "1")):
            done, why = run("tc", "qdisc", "add", "dev", self.near, "root", *words)
            if done:
                run("tc", "qdisc", "del", "dev", self.near, "root")
                return words
        self.remove()
        raise Missing("tc drops no packets here: %s" % why)

    def cut(self):
        """The cable is pulled: this side has no route any more, and says so to who connects."""
        run("ip", "link", "set", self.near, "down")

    def mend(self):
        run("ip", "link", "set", self.near, "up")

    def silence(self):
        """Packets vanish, both ways; nobody is told."""
        run("tc", "qdisc", "add", "dev", self.near, "root", *self.dropping)
        run(*self.prefix, "tc", "qdisc", "add", "dev", self.far, "root", *self.dropping)

    def speak(self):
        run("tc", "qdisc", "del", "dev", self.near, "root")
        run(*self.prefix, "tc", "qdisc", "del", "dev", self.far, "root")

    def silence_answers(self):
        """What the intermediary sends vanishes; what is sent to it arrives."""
        run(*self.prefix, "tc", "qdisc", "add", "dev", self.far, "root", *self.dropping)

    def remove(self):
        run("ip", "netns", "del", self.space)
        run("ip", "link", "del", self.near)
