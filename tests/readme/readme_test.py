"""Runs a program of README.md: readme_test.py NAME EXECUTABLE."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tool import Broker  # noqa: E402

name, program = sys.argv[1:]


def printed(*arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


if name == "messages":
    with Broker("--queue", "orders") as broker:
        got, expected = printed(broker.url), ["accepted\nhello\n"]
else:
    # The cast may be handled before or after the call's result is printed.
    got, expected = "".join(sorted(printed().splitlines(True))), ["5\nlog: five\n"]
if got not in expected:
    sys.exit(f"{name} printed {got!r}, not {expected[0]!r}")
