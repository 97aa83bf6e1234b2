"""Runs the aprotic command for tests: in the foreground with run(), in the background with Background()."""
import os
import queue
import signal
import subprocess
import threading

APROTIC = os.environ["APROTIC_TOOL"]


def run(*arguments, stdin="", timeout=60):
    """Runs the tool to its end; gives (exit code, stdout, stderr)."""
    done = subprocess.run([APROTIC, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


class Background:
    """The tool in the background, ready when it has printed a line that starts with `ready`."""

    def __init__(self, *arguments, ready):
        self.process = subprocess.Popen([APROTIC, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.errors = []
        self.readers = [threading.Thread(target=self._read_lines, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self.readers:
            reader.start()
        try:
            self.first = self.line(30)
        except queue.Empty:
            self.first = None
        if self.first is None or not self.first.startswith(ready):
            self.process.kill()
            self.process.wait()
            self.readers[1].join(5)
            raise AssertionError(f"{' '.join(arguments)}: expected '{ready}', got {self.first!r}; {''.join(self.errors)}")

    def _read_lines(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def line(self, timeout=20):
        """The next line of its stdout; None at the end, queue.Empty when there is none in time."""
        return self.lines.get(timeout=timeout)

    def stop(self, how=signal.SIGTERM):
        """Asks it to end; gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=20)
        for reader in self.readers:
            reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.stop(signal.SIGKILL)


class Broker(Background):
    """`aprotic broker` on a free port of loopback."""

    def __init__(self, *arguments):
        super().__init__("broker", "--listen", "127.0.0.1:0", *arguments, ready="listening on 127.0.0.1:")
        self.address = self.first.removeprefix("listening on ")
        self.url = "amqp://" + self.address


def server(url, topic, name, *arguments):
    """`aprotic serve`."""
    return Background("serve", url, "--topic", topic, "--server", name, *arguments, ready="serving ")
