"""SASL by the aprotic command: users of Cyrus' own file, what is allowed and what is refused, and the recipes."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import recipes  # noqa: E402
from cli_test import ToolTest  # noqa: E402
from tool import APROTIC, Broker, run  # noqa: E402

BY_PASSWORD = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "PLAIN"]
SECRET = "planted-53cr3t"
# Cyrus loses what DIGEST-MD5 encrypts with.
LEAKY = {"ASAN_OPTIONS": "detect_leaks=0"}


def sasl_step(result):
    steps = {step["step"]: step for step in map(json.loads, result[1].splitlines())}
    return steps["sasl"]


class Users(ToolTest):
    """Users made by saslpasswd2, in a folder of the test's own."""

    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = held.name
        with open(os.path.join(self.folder, "ours.conf"), "w", encoding="ascii") as out:
            out.write(f"auxprop_plugin: sasldb\nsasldb_path: {self.folder}/users.db\n")
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", os.path.join(self.folder, "users.db"), "-u", "realm.test", "me"],
                       input=SECRET, text=True, check=True, timeout=30,
                       env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))

    def broker(self, *arguments):
        return Broker("--queue", "q", "--sasl-config-dir", self.folder, "--sasl-config-name", "ours", "--sasl-realm", "realm.test",
                      *arguments)

    def test_each_mechanism(self):
        with self.broker() as broker:
            url, wrong = f"amqp://me:{SECRET}@{broker.address}", f"amqp://me:wrong-0ne@{broker.address}"
            for name in BY_PASSWORD:
                self.expect(run("send", url, "q", name, "--sasl-mechanism", name), 0)
                result = run("send", wrong, "q", name, "--sasl-mechanism", name)
                self.expect(result, 3, "", name)
                self.assertNotIn("wrong-0ne", result[2])
            self.expect(run("receive", url, "q", "--count", str(len(BY_PASSWORD)), "--timeout", "10"), 0,
                        "\n".join(BY_PASSWORD) + "\n")
            # Nobody else comes in.
            self.assertEqual(run("send", broker.url, "q", "x")[0], 3)
            self.assertEqual(run("send", broker.url, "q", "x", "--sasl-mechanism", "ANONYMOUS")[0], 3)
            self.assertEqual(broker.stop(), 0, broker.errors)
            self.assertEqual(broker.errors, [])

    def test_the_strongest_is_used(self):
        with self.broker() as broker:
            url = f"amqp://me%40realm.test:{SECRET}@{broker.address}"
            result = run("doctor", url, "--json")
            self.assertEqual(sasl_step(result)["used"], "SCRAM-SHA-512", result)
            self.assertEqual([name for name in sasl_step(result)["offered"] if name in BY_PASSWORD], BY_PASSWORD)
            self.assertNotIn(SECRET, result[1] + result[2])
            result = run("doctor", url, "--json", "--sasl-mechanism", "cram-md5,PLAIN")
            self.assertEqual(sasl_step(result)["used"], "CRAM-MD5", result)

    def test_the_broker_has_a_list_of_its_own(self):
        with self.broker("--sasl-mechanism", "PLAIN,scram-sha-256") as broker:
            url = f"amqp://me:{SECRET}@{broker.address}"
            self.assertEqual(sasl_step(run("doctor", url, "--json"))["offered"], ["SCRAM-SHA-256", "PLAIN"])
            result = run("doctor", url, "--sasl-mechanism", "SCRAM-SHA-1")
            self.expect(result, 3, None, "SCRAM-SHA-256, PLAIN; usable for user 'me' would be SCRAM-SHA-1")
            self.assertIn("sasl.mechanisms is --sasl-mechanism here, sasl_mechanisms in a transport URL", result[1])

    def test_nobody_acts_for_another(self):
        with self.broker() as broker:
            self.expect(run("send", f"amqp://me:{SECRET}@{broker.address}", "q", "x", "--sasl-act-for", "root"), 3, "", "refused")


class Options(ToolTest):
    def test_what_makes_no_sense(self):
        with tempfile.TemporaryDirectory() as folder:
            self.expect(run("broker", "--sasl-config-dir", folder), 2, "", folder + "/amqp.conf")
            with open(os.path.join(folder, "amqp.conf"), "w", encoding="ascii") as out:
                out.write("password of mine\n")
            result = run("broker", "--sasl-config-dir", folder)
            self.expect(result, 2, "", "line 1")
            self.assertNotIn("password of mine", result[2])
            self.expect(run("broker", "--sasl-config-dir", folder, "--user", "a:b"), 2, "", "--user, --token and --sasl-config-dir")
        for command in (["broker"], ["send", "amqp://127.0.0.1", "q", "x"], ["doctor", "amqp://127.0.0.1"]):
            self.expect(run(*command, "--sasl-mechanism", "SCRAM-SHA256"), 2, "", "SCRAM-SHA-256")
            self.expect(run(*command, "--sasl-layer-bits", "0"), 2, "", "--sasl-layer-bits")
            self.expect(run(*command, "--sasl-frame-size", "100"), 2, "", "--sasl-frame-size")

    def test_a_layer_or_nothing(self):
        with mock.patch.dict(os.environ, LEAKY), Broker("--queue", "q", "--user", f"me:{SECRET}", "--sasl-layer-bits", "56") as broker:
            url = f"amqp://me:{SECRET}@{broker.address}"
            self.expect(run("send", url, "q", "x" * 100_000, "--sasl-layer-bits", "56"), 0)
            self.expect(run("receive", url, "q", "--count", "1", "--timeout", "10", "--sasl-layer-bits", "1"), 0, "x" * 100_000 + "\n")
            result = run("doctor", url, "--json", "--sasl-layer-bits", "56")
            steps = {step["step"]: step for step in map(json.loads, result[1].splitlines())}
            self.assertGreaterEqual(steps["sasl layer"]["bits"], 56, result)
            self.assertEqual(run("send", url, "q", "x")[0], 3)
            self.assertEqual(run("send", url, "q", "x", "--sasl-mechanism", "SCRAM-SHA-256")[0], 3)

    def test_tokens(self):
        with tempfile.TemporaryDirectory() as folder, Broker("--queue", "q", "--token", f"me:{SECRET}") as broker:
            file = os.path.join(folder, "token")
            url, with_token = broker.url, ("--sasl-token-file", file)
            self.expect(run("send", url, "q", "x", *with_token), 2, "", f"--sasl-token-file {file}")
            with open(file, "w", encoding="ascii") as out:
                out.write(f"{SECRET}-not\n")
            result = run("send", url, "q", "x", *with_token)
            self.expect(result, 3, "", "sasl.token")
            self.assertNotIn(SECRET, result[2])
            with open(file, "w", encoding="ascii") as out:
                out.write(f"{SECRET}\n")
            self.expect(run("send", url, "q", "x", *with_token), 0)
            self.assertEqual(sasl_step(run("doctor", url, "--json", *with_token))["used"], "OAUTHBEARER")
            self.assertEqual(run("send", url, "q", "x")[0], 3)
            self.expect(run("broker", "--token", SECRET), 2, "", "--token expects NAME:TOKEN")

    def test_wrong_passwords_one_after_the_other(self):
        """Neither the broker nor anything it says has them."""
        with Broker("--queue", "q", "--user", f"me:{SECRET}") as broker:
            for name in BY_PASSWORD:
                result = run("doctor", f"amqp://me:{SECRET}-not@{broker.address}", "--sasl-mechanism", name)
                self.assertEqual(result[0], 3, result)
                self.assertNotIn(SECRET, result[1] + result[2])
            self.expect(run("send", f"amqp://me:{SECRET}@{broker.address}", "q", "x"), 0)
            self.assertEqual(broker.stop(), 0)
            self.assertNotIn(SECRET, "".join(broker.errors))


class Recipes(unittest.TestCase):
    """GSSAPI's wants a realm, which tests/interop makes."""

    def test_each_mechanism_has_one(self):
        names = " ".join(recipes.recipes())
        for name in BY_PASSWORD + ["OAUTHBEARER", "XOAUTH2", "EXTERNAL", "ANONYMOUS", "GSSAPI"]:
            self.assertIn(name, names)

    def test_they_are_right(self):
        for heading, lines in recipes.recipes().items():
            if heading == "GSSAPI":
                continue
            with self.subTest(heading), tempfile.TemporaryDirectory() as folder:
                recipes.perform(lines, APROTIC, folder)


if __name__ == "__main__":
    unittest.main()
