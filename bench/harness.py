"""What the comparisons share: programs that are run, what they report, and what there is to know of this machine."""
import json
import os
import platform
import subprocess

TIMEOUT = 60


class Failed(Exception):
    pass


class Program(object):
    def __init__(self, *command, environment=None):
        self.name = " ".join(os.path.basename(word) for word in command[:2])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def line_starting(self, word):
        for line in self.process.stdout:
            if line.startswith(word):
                return line.strip()
        raise Failed("%s ended early" % self.name)

    def results(self):
        """The reports of its last lines, one for each side it was."""
        try:
            output, _ = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failed("%s has not ended after %d s" % (self.name, TIMEOUT)) from None
        if self.process.returncode != 0:
            raise Failed("%s ended with %d" % (self.name, self.process.returncode))
        return [json.loads(line) for line in output.strip().splitlines() if line.startswith("{")]

    def result(self):
        return self.results()[-1]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
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


def versions_of(*packages):
    """Of the machine and of what is compared, by name. A package that is not installed is left out."""
    found = {
        "machine": "%s, %d CPUs, Linux %s" % (cpu_model(), os.cpu_count(), platform.release().split("-")[0]),
        "aprotic": output_of("git", "describe", "--always", "--dirty"),
        "compiler": output_of("c++", "--version").splitlines()[0],
    }
    for name, package in packages:
        version = output_of("dpkg-query", "-W", "-f", "${Version}", package)
        if version != "unknown":
            found[name] = version
    return found


def print_versions(*packages):
    for name, text in versions_of(*packages).items():
        print("%-10s %s%s" % (name, text, ", load %s" % os.getloadavg()[0] if name == "machine" else ""))
