"""What the comparisons share: programs that are run, what they report, and what there is to know of this machine."""
import json
import os
import platform
import subprocess

TIMEOUT = 180


class Failed(Exception):
    pass


class Program(object):
    def __init__(self, *command):
        self.name = " ".join(os.path.basename(word) for word in command[:2])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def line_starting(self, word):
        for line in self.process.stdout:
            if line.startswith(word):
                return line.strip()
        raise Failed("%s ended early" % self.name)

    def results(self):
        """The reports of its last lines, one for each side it was."""
        output, _ = self.process.communicate(timeout=TIMEOUT)
        if self.process.returncode != 0:
            raise Failed("%s ended with %d" % (self.name, self.process.returncode))
        return [json.loads(line) for line in output.strip().splitlines() if line.startswith("{")]

    def result(self):
        return self.results()[-1]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.process.stdout.close()


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu_model():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def print_versions(*packages):
    """Of the machine and of what is compared."""
    print("machine    %s, %d CPUs, Linux %s, load %s" %
          (cpu_model(), os.cpu_count(), platform.release(), os.getloadavg()[0]))
    print("aprotic    %s" % output_of("git", "describe", "--always", "--dirty"))
    for name, package in packages:
        print("%-10s %s" % (name, output_of("dpkg-query", "-W", "-f", "${Version}", package)))
    print("compiler   %s" % output_of("c++", "--version").splitlines()[0])
