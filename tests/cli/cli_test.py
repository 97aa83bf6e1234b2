"""The aprotic command, end to end, over real sockets on loopback."""
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tool import Background, Broker, run, server  # noqa: E402

COMMANDS = ["broker", "serve", "call", "cast", "notify", "listen", "config", "send", "receive", "dump", "doctor", "conform", "fuzz"]


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ToolTest(unittest.TestCase):
    def expect(self, result, code, out=None, err=None):
        self.assertEqual(result[0], code, result)
        if out is not None:
            self.assertEqual(result[1], out, result)
        if err is not None:
            self.assertTrue(result[2].startswith("aprotic: "), result)
            self.assertIn(err, result[2])
            self.assertEqual(result[2].count("\n"), 1, result)


class Usage(ToolTest):
    def test_help_fits_a_screen(self):
        for command in [[]] + [[name] for name in COMMANDS]:
            code, out, err = run(*command, "--help")
            self.assertEqual((code, err), (0, ""))
            self.assertLessEqual(out.count("\n"), 40, command)
            self.assertTrue(all(len(line) < 200 for line in out.splitlines()), out)
        for name in COMMANDS:
            self.assertIn("--json", run(name, "--help")[1])
            self.assertIn(name, run("--help")[1])

    def test_version(self):
        code, out, _ = run("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^aprotic \d+\.\d+\.\d+\n$")

    def test_wrong_command_lines_are_told_apart_from_failures(self):
        self.expect(run(), 2, "", "--help")
        self.expect(run("frobnicate"), 2, "", "--help")
        self.expect(run("call", "amqp://127.0.0.1", "m"), 2, "", "--topic")
        self.expect(run("call", "amqp://127.0.0.1", "--topic", "t", "m", "[1]"), 2, "", "object")
        self.expect(run("call", "amqp://127.0.0.1", "--topic", "t", "m", "{"), 2, "", "JSON-ARGS")
        self.expect(run("call", "http://127.0.0.1", "--topic", "t", "m"), 2, "", "http")
        self.expect(run("call", "amqp://127.0.0.1:x", "--topic", "t", "m"), 2, "", "port")
        self.expect(run("call", "amqp://127.0.0.1", "--topic", "t", "--timeout", "-1", "m"), 2, "", "--timeout")
        self.expect(run("send", "nonsense://x", "q", "m"), 2, "", "nonsense")
        self.expect(run("broker", "--listen", "127.0.0.1:99999"), 2, "", "99999")
        self.expect(run("broker", "--listen", "127.0.0.1:0", "--user", "nocolon"), 2, "", "NAME:PASSWORD")
        self.expect(run("dump", "/no/such/file"), 2, "", "/no/such/file")

    def test_errors_as_json(self):
        code, out, err = run("call", "--json", "amqp://127.0.0.1", "--topic", "t", "m", "[1]")
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(json.loads(err)["exit"], 2)


class Config(ToolTest):
    """Files as oslo.messaging has them."""

    def file(self, text):
        handle, path = tempfile.mkstemp(suffix=".conf")
        self.addCleanup(os.remove, path)
        with os.fdopen(handle, "w") as out:
            out.write(text)
        return path

    def settings(self, *arguments):
        code, out, err = run("config", "--json", *arguments)
        self.assertEqual((code, err), (0, ""))
        return {(each["group"], each["name"]): each for each in map(json.loads, out.splitlines())}

    def test_the_page_has_every_option(self):
        """docs/configuration.md between its two marks; printed whole when it is not up to date."""
        lines, group = [], None
        for (where, name), option in self.settings().items():
            if where != group:
                lines += [f"\n### [{where}]\n", "| option | default | | |", "|---|---|---|---|"]
                group = where
            text = option["help"]
            if "note" in option:
                text += f". ({option['note'].capitalize()}.)"
            lines.append(f"| {name} | {'`' + option['default'] + '`' if option['default'] else ''} | {option['type']} | {text} |")
        expected = "\n".join(lines) + "\n\n"
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "configuration.md")
        with open(page, encoding="utf-8") as file:
            between = file.read().partition("<!-- options -->\n")[2].partition("<!-- end of options -->")[0]
        self.assertTrue(between == expected, "between the marks there must be:\n" + expected)

    def test_what_is_printed_is_a_file_again(self):
        path = self.file("[amqp1]\nidle_timeout = 4\nsasl_config_name = a$$b\n[DEFAULT]\ncontrol_exchange = nova\n"
                         "[oslo_messaging_notifications]\nrouting_config = \" b'\"\n")
        code, out, err = run("config", "--config-file", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"# seconds; from {path}:2; default: 0\nidle_timeout = 4\n", out)
        before = self.settings("--config-file", path)
        again = self.settings("--config-file", self.file(out))
        self.assertEqual({name: each["value"] for name, each in before.items()},
                         {name: each["value"] for name, each in again.items()})
        self.assertEqual(before["oslo_messaging_amqp", "sasl_config_name"]["value"], "a$b")

    def test_sources(self):
        path = self.file("[oslo_messaging_amqp]\nidle_timeout = 4\nlink_retry_delay = 5\nssl_key_password = hidden\n")
        os.environ["OS_OSLO_MESSAGING_AMQP__LINK_RETRY_DELAY"] = "6"
        try:
            found = self.settings("--config-file", path, "amqp://me:hidden@h/?reply_link_credit=7")
        finally:
            del os.environ["OS_OSLO_MESSAGING_AMQP__LINK_RETRY_DELAY"]
        ours = {name: (each["value"], each["source"]) for (group, name), each in found.items() if group == "oslo_messaging_amqp"}
        self.assertEqual(ours["idle_timeout"], ("4", f"{path}:2"))
        self.assertEqual(ours["link_retry_delay"], ("6", "environment OS_OSLO_MESSAGING_AMQP__LINK_RETRY_DELAY"))
        self.assertEqual(ours["reply_link_credit"], ("7", "URL"))
        self.assertEqual(ours["trace"], ("false", "default"))
        self.assertEqual(ours["ssl_key_password"][0], "***")
        self.assertNotIn("hidden", json.dumps(list(found.values())))

    def test_errors_name_file_and_line(self):
        path = self.file("[oslo_messaging_amqp]\nidle_time = 4\n")
        for command in (["config"], ["call", "--topic", "t", "m"], ["serve", "--topic", "t", "--server", "s"]):
            self.expect(run(*command, "--config-file", path), 2, "", f"{path}:2: ")
        self.expect(run("config", "--config-file", "/no/such.conf"), 2, "", "/no/such.conf")
        self.expect(run("config", "amqp://h/?nonsense=1"), 2, "", "nonsense")
        self.expect(run("call", "--topic", "t", "m"), 2, "", "URL")

    def test_a_services_file_drives_serve_call_and_cast(self):
        with Broker("--queue-patterns", "mine", "unicast", "--topic-patterns", "broadcast") as broker:
            path = self.file(f"[DEFAULT]\ndebug = true\ntransport_url = {broker.url}/v\nrpc_response_timeout = 20\n"
                             "control_exchange = nova\n[database]\nconnection = x\n"
                             "[oslo_messaging_amqp]\nserver_request_prefix = mine\nidle_timeout = 60\n")
            with Background("serve", "--config-file", path, "--topic", "t", "--server", "s", ready="serving") as served:
                self.expect(run("call", "--config-file", path, "--topic", "t", "--server", "s", "echo", '{"a": 1}'), 0,
                            '{"a":1}\n')
                self.assertEqual(served.line(), 's: call echo {"a":1}')
                self.expect(run("cast", "--config-file", path, "--topic", "t", "--fanout", "echo"), 0)
                self.assertEqual(served.line(), "s: cast echo {}")
                # The URL of the command line is the last word.
                self.expect(run("call", "--config-file", path, f"amqp://127.0.0.1:{closed_port()}", "--topic", "t",
                                "--timeout", "1", "echo"), 3, "", "refused")
                self.assertEqual(served.stop(), 0)


class Fuzz(ToolTest):
    def test_only_this_machine_is_broken_unless_told_by_name(self):
        for host in ["example.org", "10.0.0.1", "127.0.0.1.example.org", "[2001:db8::1]"]:
            self.expect(run("fuzz", f"amqp://{host}:5672"), 2, "", "--allow-host")
        self.expect(run("fuzz", "--allow-host", "example.com", "amqp://example.org"), 2, "", "--allow-host")
        self.expect(run("fuzz", "--allow-host", "nothing.invalid", "amqp://nothing.invalid"), 3, "", "nothing.invalid")
        self.expect(run("fuzz", f"amqp://127.0.0.1:{closed_port()}"), 3, "", "refused")
        self.expect(run("fuzz"), 2, "", "--self")
        self.expect(run("fuzz", "http://127.0.0.1"), 2, "", "amqp://")
        self.expect(run("fuzz", "--self", "--replay", "/no/such/file"), 2, "", "/no/such/file")

    def test_a_broker_is_fuzzed_and_a_script_replayed(self):
        with tempfile.TemporaryDirectory() as folder, Broker("--queue", "fuzz", "--queue", "fuzz-guard") as broker:
            code, out, err = run("fuzz", broker.url, "--seed", "5", "--count", "10", "--timeout", "20", "--json", "--out", folder,
                                 "--pid", str(broker.process.pid))
            self.assertEqual((code, err), (0, ""), out)
            summary = json.loads(out.splitlines()[-1])
            self.assertEqual((summary["scripts"], summary["findings"], summary["seed"]), (10, 0, 5))
            self.assertTrue(summary["messages-return"])
            self.assertGreater(summary["memory"]["first"], 0)
            self.assertEqual(os.listdir(folder), [])
            script = os.path.join(folder, "one.script")
            with open(script, "w") as file:
                file.write("aprotic fuzz script\nsend 414d515000010000\nawait header\n"
                           'frame 0 {"$described":[{"$ulong":16},["by hand"]]}\nawait open\n')
            self.expect(run("fuzz", broker.url, "--timeout", "20", "--replay", script), 0, "nothing found\n")
            with open(script, "a") as file:
                file.write("sing 00\n")
            self.expect(run("fuzz", broker.url, "--replay", script), 2, "", "line 6")


class Dump(ToolTest):
    def setUp(self):
        # A protocol header, an open and an empty frame.
        container = b"\xa1\x01c"
        body = b"\x00\x53\x10\xc0" + bytes([1 + len(container)]) + b"\x01" + container
        opening = (8 + len(body)).to_bytes(4, "big") + b"\x02\x00\x00\x00" + body
        self.stream = b"AMQP\x00\x01\x00\x00" + opening + bytes.fromhex("0000000802000000")

    def lines(self, out):
        """What was said about the content; the first line says what the input is."""
        first, _, rest = out.partition("\n")
        self.assertTrue(first.startswith("# "), out)
        return rest

    def test_hex_and_binary(self):
        code, out, _ = run("dump", stdin=self.stream.hex(" "))
        self.assertEqual(code, 0, out)
        self.assertIn("# 33 octets, hex, guessed to be: frames\n", out)
        self.assertIn("open", out)
        lines = self.lines(out)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.stream)
            file.flush()
            code, out, _ = run("dump", file.name)
            self.assertEqual((code, self.lines(out)), (0, lines))
            self.assertIn("binary", out)
            code, out, _ = run("dump", "--binary", "--as", "frames", file.name)
            self.assertEqual((code, self.lines(out)), (0, lines))
            self.assertIn("told to be", out)
        commented = "# a capture\n" + self.stream.hex(":") + "\n"
        self.assertEqual(self.lines(run("dump", "-", stdin=commented)[1]), lines)

    def test_malformed_input_is_told(self):
        code, out, _ = run("dump", stdin=self.stream.hex() + "0000000c02000000005318c0")
        self.assertEqual(code, 1, out)
        self.assertIn("open", out)
        self.assertIn("[1.2-f]", out)
        code, out, _ = run("dump", stdin=self.stream.hex()[:-2])
        self.assertEqual(code, 1, out)
        self.assertIn("incomplete frame: 7 of 8 octets", out)
        self.assertEqual(run("dump", stdin="0000000702000000")[0], 1)
        self.assertEqual(run("dump", stdin="not hex, no frames either")[0], 1)

    def test_values_and_messages(self):
        code, out, _ = run("dump", "--as", "value", stdin="a10568656c6c6f")
        self.assertEqual(code, 0)
        self.assertIn("hello", out)
        self.assertEqual(run("dump", stdin="a10568656c6c6f")[0], 0)
        self.assertEqual(run("dump", "--as", "value", stdin="a1056865")[0], 1)
        code, out, _ = run("dump", stdin="005377a10568656c6c6f")
        self.assertEqual(code, 0)
        self.assertIn("guessed to be: message", out)
        self.assertIn("hello", out)
        code, out, _ = run("dump", "--as", "message", stdin="00537740005370450")
        self.assertEqual(code, 1)

    def test_json(self):
        code, out, _ = run("dump", "--json", stdin=self.stream.hex())
        told = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(code, 0)
        self.assertEqual(told[0], {"kind": "input", "source": "hex", "octets": len(self.stream), "as": "frames", "guessed": True})
        self.assertEqual([line["kind"] for line in told[1:-1]], ["header", "frame", "frame"])
        self.assertEqual((told[2]["offset"], told[2]["performative"], told[2]["fields"]), (8, "open", {"container-id": "c"}))
        self.assertEqual(told[-1], {"kind": "summary", "well-formed": True, "frames": 2})

    def test_packet_captures(self):
        def tcp(sequence, flags, payload):
            segment = (40000).to_bytes(2, "big") + (7000).to_bytes(2, "big") + sequence.to_bytes(4, "big") + bytes(4)
            segment += bytes([0x50, flags]) + bytes(6) + payload
            ip = b"\x45\0" + (20 + len(segment)).to_bytes(2, "big") + bytes(4) + b"\x40\x06\0\0" + bytes([127, 0, 0, 1] * 2)
            packet = ip + segment
            return bytes(8) + len(packet).to_bytes(4, "little") * 2 + packet

        capture = bytes.fromhex("d4c3b2a10200040000000000000000000000040065000000")
        capture += tcp(99, 2, b"") + tcp(110, 16, self.stream[10:]) + tcp(100, 16, self.stream[:10])
        with tempfile.NamedTemporaryFile() as file:
            file.write(capture)
            file.flush()
            code, out, _ = run("dump", file.name)
            self.assertEqual(code, 0, out)
            self.assertIn("connection 1: 127.0.0.1:40000 > 127.0.0.1:7000\n", out)
            self.assertIn('1> 00000008  channel 0 open{container-id="c"}', out)
            self.assertIn("# 3 packets, 3 of TCP, 1 AMQP connections, 2 frames", out)
            code, out, _ = run("dump", "--json", file.name)
            told = [json.loads(line) for line in out.splitlines()]
            self.assertEqual((code, told[-1]["well-formed"], told[-1]["frames"]), (0, True, 2))
            self.expect(run("dump", "--as", "value", file.name), 2, "", "packet capture")
            file.truncate(len(capture) - 1)
            code, out, _ = run("dump", file.name)
            self.assertEqual(code, 1, out)
            self.assertIn("cut short", out)
        self.expect(run("dump", "--port", "7000", stdin="40"), 2, "", "--port")


class BrokerCommand(ToolTest):
    def test_ends_cleanly(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            with Broker() as broker:
                self.assertEqual(broker.stop(how), 0, broker.errors)
                self.assertEqual(broker.errors, [])

    def test_says_where_it_listens(self):
        with Background("broker", "--json", "--listen", "127.0.0.1:0", ready="{") as broker:
            told = json.loads(broker.first)
            self.assertEqual(told["event"], "listening")
            host, port = told["address"].split(":")
            socket.create_connection((host, int(port)), 5).close()

    def test_an_address_in_use_is_told(self):
        with Broker() as broker:
            self.expect(run("broker", "--listen", broker.address), 1, "", broker.address)

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/amqp"
            with Background("broker", "--listen", "unix:" + path, "--queue", "q", ready="listening on unix:"):
                self.expect(run("send", "unix:" + path, "q", "hello"), 0)
                self.expect(run("receive", "unix:" + path, "q", "--count", "1", "--timeout", "10"), 0, "hello\n")

    def test_users(self):
        with Broker("--user", "me:secret", "--user", "you:too:long", "--queue", "q") as broker:
            at = broker.address
            self.expect(run("send", f"amqp://me:secret@{at}", "q", "a"), 0)
            self.expect(run("send", f"amqp://you:too%3Along@{at}", "q", "b"), 0)
            code, out, err = run("send", f"amqp://me:wrong@{at}", "q", "c")
            self.assertEqual((code, out), (3, ""), err)
            self.assertIn(at, err)
            self.assertNotIn("wrong", err)
            self.assertEqual(run("send", f"amqp://{at}", "q", "d")[0], 3)
            self.assertEqual(run("call", f"amqp://me:wrong@{at}", "--topic", "t", "--timeout", "3", "m")[0], 3)
            self.expect(run("receive", f"amqp://me:secret@{at}", "q", "--count", "2", "--timeout", "10"), 0, "a\nb\n")

    def test_patterns_replace_the_defaults(self):
        with Broker("--queue-patterns", "jobs", "work", "--topic-patterns", "news") as broker:
            self.expect(run("send", broker.url, "jobs.today", "a"), 0)
            self.expect(run("send", broker.url, "work", "a"), 0)
            self.expect(run("send", broker.url, "unicast.x", "a"), 1, None, "not-found")


class Messages(ToolTest):
    def test_bodies_come_back_as_they_were(self):
        with Broker("--queue", "q") as broker:
            bodies = ["hello", "", "[1, 2]", "two words", "grüße ☃", "-5"]
            self.expect(run("send", broker.url, "q", "--", *bodies), 0, f"{len(bodies)} messages to 'q': {len(bodies)} accepted\n")
            self.expect(run("receive", broker.url, "q", "--count", str(len(bodies)), "--timeout", "10"), 0, "\n".join(bodies) + "\n")

    def test_lines_of_standard_input(self):
        with Broker("--queue", "q") as broker:
            self.expect(run("send", broker.url, "q", stdin="a\nb\nc\n"), 0)
            self.expect(run("send", broker.url, "q", "--count", "1", stdin="d\ne\n"), 0)
            self.expect(run("receive", broker.url, "q", "--timeout", "1"), 0, "a\nb\nc\nd\n")

    def test_many_and_large(self):
        with Broker("--queue", "q") as broker:
            self.expect(run("send", broker.url, "q", "--count", "2000", "m"), 0, "2000 messages to 'q': 2000 accepted\n")
            self.expect(run("receive", broker.url, "q", "--count", "2000", "--timeout", "10"), 0, "m\n" * 2000)
            self.expect(run("send", broker.url, "q", "--body-size", "1000000", "--count", "3", "--settled"), 0,
                        "3 messages to 'q': 3 sent\n")
            code, out, _ = run("receive", broker.url, "q", "--count", "3", "--timeout", "10")
            self.assertEqual((code, len(out)), (0, 3 * 1000001))

    def test_receive_takes_no_more_than_it_prints(self):
        with Broker("--queue", "q") as broker:
            self.expect(run("send", broker.url, "q", "a", "b", "c"), 0)
            for body in ("a", "b", "c"):
                self.expect(run("receive", broker.url, "q", "--count", "1", "--timeout", "10"), 0, body + "\n")
            self.expect(run("receive", broker.url, "q", "--count", "1", "--timeout", "0.3"), 4, "", "--timeout")
            self.expect(run("receive", broker.url, "q", "--timeout", "0.3"), 4, "", "nothing came")

    def test_json(self):
        with Broker("--queue", "q") as broker:
            code, out, _ = run("send", "--json", broker.url, "q", "a", "b")
            self.assertEqual((code, json.loads(out)), (0, {"address": "q", "messages": 2, "accepted": 2}))
            code, out, _ = run("receive", "--json", broker.url, "q", "--count", "2", "--timeout", "10")
            self.assertEqual([json.loads(line)["body"] for line in out.splitlines()], ["a", "b"])

    def test_an_address_that_is_not_there(self):
        with Broker() as broker:
            for command in (["send", broker.url, "nowhere", "m"], ["receive", broker.url, "nowhere"]):
                code, out, err = run(*command)
                self.assertEqual((code, out), (1, ""), err)
                self.assertIn("nowhere", err)
                self.assertIn("amqp:not-found", err)

    def test_nobody_there(self):
        port = closed_port()
        for command in (["send", f"amqp://127.0.0.1:{port}", "q", "m"], ["receive", f"amqp://127.0.0.1:{port}", "q"]):
            self.expect(run(*command), 3, "", f"127.0.0.1:{port}")
        self.expect(run("send", "amqp://no-such-host.invalid", "q", "m"), 3, "", "no-such-host.invalid")


class Proxy:
    """An HTTP proxy for one connection after the other, which wants to know who comes."""

    def __init__(self, credentials):
        self.credentials = base64.b64encode(credentials.encode()).decode()
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            self.asked.append(head.split(b"\r\n")[0].decode())
            if f"Proxy-Authorization: Basic {self.credentials}\r\n".encode() not in head:
                near.sendall(b"HTTP/1.1 407 Who are you\r\n\r\n")
                near.close()
                continue
            host, port = self.asked[-1].split()[1].split(":")
            far = socket.create_connection((host, int(port)), 5)
            near.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
            for there, here in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(there, here), daemon=True).start()

    @staticmethod
    def _carry(there, here):
        try:
            while octets := there.recv(65536):
                here.sendall(octets)
            here.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


class WaysToTheBroker(ToolTest):
    def test_web_socket_beside_amqp(self):
        with Broker("--queue", "q", "--websocket-path", "/amqp") as broker:
            self.expect(run("send", f"ws://{broker.address}/amqp", "q", "one"), 0)
            self.expect(run("send", broker.url, "q", "two"), 0)
            self.expect(run("receive", f"ws://{broker.address}/amqp", "q", "--count", "2", "--timeout", "10"), 0, "one\ntwo\n")
            self.expect(run("send", f"ws://{broker.address}/other", "q", "m"), 3, "", "web_socket.path")
        with Broker("--queue", "q", "--websocket-only") as broker:
            self.expect(run("send", f"ws://{broker.address}", "q", "one"), 0)
            self.expect(run("send", broker.url, "q", "two"), 3, "")
        with Broker("--queue", "q") as broker:
            self.expect(run("send", f"ws://{broker.address}/amqp", "q", "m"), 3, "", "WebSocket")

    def test_pages_of_others_are_kept_out(self):
        with Broker("--websocket", "--websocket-origin", "https://ours.test") as broker:
            host, port = broker.address.split(":")
            for origin, status in (("https://ours.test", b"HTTP/1.1 101 "), ("https://theirs.test", b"HTTP/1.1 403 ")):
                with socket.create_connection((host, int(port)), 5) as page:
                    page.sendall(f"GET / HTTP/1.1\r\nHost: {broker.address}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: amqp\r\n\r\n".encode())
                    self.assertTrue(page.recv(1000).startswith(status), origin)

    def test_proxy(self):
        with Broker("--queue", "q", "--websocket") as broker, Proxy("me:open sesame") as proxy:
            through = ["--proxy", "me:open sesame@" + proxy.address]
            self.expect(run("send", broker.url, "q", "one", *through), 0)
            self.expect(run("send", f"ws://{broker.address}", "q", "two", *through), 0)
            self.expect(run("receive", broker.url, "q", "--count", "2", "--timeout", "10", *through), 0, "one\ntwo\n")
            self.assertEqual(proxy.asked, [f"CONNECT {broker.address} HTTP/1.1"] * 3)
            self.expect(run("send", broker.url, "q", "m", "--proxy", proxy.address), 3, "", "proxy.username")
            self.expect(run("send", broker.url, "q", "m", "--proxy", f"127.0.0.1:{closed_port()}"), 3, "", "127.0.0.1:")


class Doctor(ToolTest):
    """What a person is told of a broker that is well, and of each that is not."""

    def steps(self, result):
        """The objects of --json by step, in order; the last of equal ones wins."""
        return {step["step"]: step for step in map(json.loads, result[1].splitlines())}

    def certificate(self, folder, *more):
        """A certificate for localhost, signed by itself, and its key: two files."""
        names = [os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                        "-subj", "/CN=Doctor", "-addext", "subjectAltName=DNS:localhost", "-out", names[0], "-keyout", names[1],
                        *more], check=True, capture_output=True)
        return names

    def test_a_broker_that_is_well(self):
        with Broker("--queue", "q", "--user", "me:secret") as broker:
            result = run("doctor", f"amqp://me:secret@{broker.address}")
            self.assertEqual(result[0], 0, result)
            for expected in ("127.0.0.1 is 127.0.0.1", " answers (", "sent SASL 1.0.0", "received AMQP 1.0.0",
                             "offered SCRAM-SHA-512, ", ", PLAIN, used SCRAM-SHA-512, outcome ok", "aprotic-broker", "the median of 5", "all well\n"):
                self.assertIn(expected, result[1])
            self.assertNotIn("secret", result[1] + result[2])
            result = run("doctor", f"amqp://me:secret@{broker.address}", "--json")
            steps = self.steps(result)
            self.assertEqual(list(steps), ["name", "connect", "header", "sasl", "container", "properties", "capabilities", "limits",
                                           "profile", "round trip", "result"])
            self.assertEqual(steps["profile"]["profile"], "other")
            self.assertEqual(steps["sasl"]["offered"][-1], "PLAIN")
            self.assertEqual(steps["properties"]["properties"]["implementation"], "aprotic")
            self.assertGreaterEqual(steps["limits"]["max-frame-size"], 512)
            self.assertLessEqual(steps["round trip"]["least"], steps["round trip"]["milliseconds"])
            self.assertTrue(steps["result"]["well"])

    def test_wrong_credentials(self):
        with Broker("--user", "me:secret") as broker:
            result = run("doctor", f"amqp://me:wrong-one@{broker.address}")
            self.expect(result, 3, None, "refused user 'me' by SCRAM-SHA-512 with outcome auth: check")
            self.assertIn("outcome auth", result[1])
            self.assertIn("see user and password", result[1])
            self.assertNotIn("wrong-one", result[1] + result[2])
            result = run("doctor", broker.url, "--json")
            self.assertEqual(result[0], 3)
            offered = self.steps(result)["sasl"]["offered"]
            self.assertEqual((offered[0], offered[-1]), ("SCRAM-SHA-512", "PLAIN"))

    def test_nobody_there(self):
        result = run("doctor", f"amqp://127.0.0.1:{closed_port()}")
        self.expect(result, 3, None, "127.0.0.1")
        self.assertIn("refused", result[1])
        self.assertIn("is the broker running", result[1])
        result = run("doctor", "amqp://no-such-host.invalid")
        self.expect(result, 3, None, "no-such-host.invalid")
        self.assertIn("name service", result[1])

    def test_somebody_else_there(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            def speak():
                while True:
                    try:
                        near = other.accept()[0]
                    except OSError:
                        return
                    near.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
                    near.close()
            threading.Thread(target=speak, daemon=True).start()
            self.expect(run("doctor", f"amqp://127.0.0.1:{other.getsockname()[1]}"), 3, None, "speaks SSH")

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = self.certificate(folder)
            with Broker("--tls-cert", cert, "--tls-key", key) as broker:
                url = "amqps://localhost:" + broker.address.split(":")[1]
                result = run("doctor", url, "--tls-ca", cert)
                self.assertEqual(result[0], 0, result)
                for expected in ("TLSv1.3", "amqp, certificate verified", "CN=Doctor", "for DNS:localhost, issued by CN=Doctor"):
                    self.assertIn(expected, result[1])
                # Who is not trusted is shown all the same, and is not told who we are.
                result = run("doctor", url.replace("//", "//me:secret@"))
                self.expect(result, 3, None, "tls.ca_file")
                for expected in ("CN=Doctor", "valid from", "tls.ca_file is --tls-ca here, ssl_ca_file in a transport URL"):
                    self.assertIn(expected, result[1])
                self.assertNotIn("TLSv1.3", result[1])
                self.assertNotIn("sent ", result[1])
                result = run("doctor", url.replace("localhost", "127.0.0.1"), "--tls-ca", cert)
                self.expect(result, 3, None, "is for DNS:localhost, not for 127.0.0.1")
                result = run("doctor", url, "--tls-insecure-skip-verification")
                self.assertEqual(result[0], 0, result)
                self.assertIn("CERTIFICATE NOT VERIFIED", result[1])
                self.expect(run("doctor", url.replace("amqps", "amqp")), 3, None, "TLS")
            with Broker() as broker:
                result = run("doctor", "amqps://" + broker.address, "--tls-ca", cert)
                self.expect(result, 3, None, "does not speak TLS")
                self.assertNotIn("sent ", result[1])

    def test_a_server_of_openssl(self):
        """TLS of others, and then no AMQP: s_server echoes nothing and waits."""
        with tempfile.TemporaryDirectory() as folder:
            cert, key = self.certificate(folder)
            port = closed_port()
            with subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-quiet"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server_:
                try:
                    for _ in range(200):
                        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                            break
                        time.sleep(0.05)
                    result = run("doctor", f"amqps://localhost:{port}", "--tls-ca", cert, "--timeout", "2")
                    self.expect(result, 3, None, "connect_timeout (")
                    self.assertIn("certificate verified", result[1])
                    self.assertIn("sent SASL 1.0.0", result[1])
                    self.assertNotIn("received", result[1])
                finally:
                    server_.kill()


class Rpc(ToolTest):
    def test_echo(self):
        with Broker() as broker, server(broker.url, "t", "one") as one:
            self.expect(run("call", broker.url, "--topic", "t", "echo", '{"a": [1, 2.5, null, "ü"]}'), 0, '{"a":[1,2.5,null,"ü"]}\n')
            self.assertEqual(one.line(), 'one: call echo {"a":[1,2.5,null,"ü"]}')
            self.expect(run("call", broker.url, "--topic", "t", "--server", "one", "echo"), 0, "{}\n")
            code, out, _ = run("call", "--json", broker.url, "--topic", "t", "echo", '{"a": 1}')
            self.assertEqual((code, json.loads(out)), (0, {"response": {"a": 1}}))
            self.expect(run("call", broker.url, "--topic", "t", "frobnicate"), 1, "", "frobnicate")
            self.assertEqual(one.stop(), 0, one.errors)

    def test_commands_answer(self):
        script = 'case $APROTIC_METHOD in fail) echo "it broke" >&2; exit 3;; none) ;; bad) echo "{";; *) cat;; esac'
        with Broker() as broker, server(broker.url, "t", "one", "--exec", script, "--version", "1.3") as one:
            call = ["call", broker.url, "--topic", "t"]
            code, out, _ = run(*call, "--version", "1.2", "--context", '{"user": "me"}', "whole", '{"x": 1}')
            self.assertEqual(code, 0)
            self.assertEqual(json.loads(out), {"method": "whole", "args": {"x": 1}, "version": "1.2", "context": {"user": "me"}})
            self.expect(run(*call, "none"), 0, "null\n")
            self.expect(run(*call, "fail"), 1, "", "it broke")
            self.expect(run(*call, "bad"), 1, "", "not JSON")
            self.expect(run(*call, "--version", "1.4", "m"), 1, "", "1.4")
            self.expect(run(*call, "--namespace", "other", "m"), 1, "")
            code, _, err = run(*call, "--json", "fail")
            self.assertEqual(json.loads(err)["remote"]["message"], "it broke")
            self.assertEqual(one.stop(), 0, one.errors)

    def test_a_command_that_hangs_is_killed(self):
        with Broker() as broker, server(broker.url, "t", "one", "--exec", "sleep 600 & wait", "--exec-timeout", "0.3") as one:
            self.expect(run("call", broker.url, "--topic", "t", "m"), 1, "", "--exec-timeout")
            self.assertEqual(one.stop(), 0, one.errors)

    def test_cast_and_fanout(self):
        with Broker() as broker, server(broker.url, "t", "one") as one, server(broker.url, "t", "two") as two:
            self.expect(run("cast", broker.url, "--topic", "t", "--server", "two", "echo", '{"n": 1}'), 0)
            self.assertEqual(two.line(), 'two: cast echo {"n":1}')
            self.expect(run("cast", broker.url, "--topic", "t", "--fanout", "echo", '{"n": 2}'), 0)
            self.assertEqual(one.line(), 'one: cast echo {"n":2}')
            self.assertEqual(two.line(), 'two: cast echo {"n":2}')
            code, out, _ = run("cast", "--json", broker.url, "--topic", "t", "--server", "one", "echo")
            self.assertEqual((code, json.loads(out)["sent"]), (0, True))

    def test_nobody_answers(self):
        with Broker() as broker:
            start = time.monotonic()
            code, out, err = run("call", broker.url, "--topic", "maths", "--timeout", "1", "add")
            self.assertEqual((code, out), (4, ""), err)
            self.assertLess(time.monotonic() - start, 5)
            self.assertIn("unicast.openstack.maths", err)
            self.assertIn(broker.address.split(":")[1], err)

    def test_nobody_there(self):
        port = closed_port()
        start = time.monotonic()
        self.expect(run("call", f"amqp://127.0.0.1:{port}", "--topic", "t", "--timeout", "1", "m"), 3, "", f"127.0.0.1:{port}")
        self.expect(run("serve", f"amqp://127.0.0.1:{port}", "--topic", "t", "--server", "s", "--timeout", "1"), 3, "",
                    f"127.0.0.1:{port}")
        self.assertLess(time.monotonic() - start, 10)

    def test_without_a_broker(self):
        ports = [closed_port(), closed_port()]
        hosts = ",".join(f"u:p@127.0.0.1:{port}" for port in ports)
        with server(f"amqp+direct://{hosts}/?direct_listen=127.0.0.1:{ports[0]}", "t", "one") as one:
            both = f"amqp+direct://{hosts}"
            self.expect(run("call", both, "--topic", "t", "echo", '{"a": 1}'), 0, '{"a":1}\n')
            self.assertEqual(one.line(), 'one: call echo {"a":1}')
            with server(f"amqp+direct://u:p@127.0.0.1:{ports[1]}", "t", "two") as two:
                self.expect(run("call", both, "--topic", "t", "--server", "two", "echo"), 0, "{}\n")
                self.assertEqual(two.line(), "two: call echo {}")
                self.expect(run("cast", both, "--topic", "t", "--fanout", "echo"), 0)
                self.assertEqual([each.line() for each in (one, two)], ["one: cast echo {}", "two: cast echo {}"])
                self.expect(run("call", both, "--topic", "none", "echo"), 1, "", "amqp:not-found")
                self.expect(run("call", f"amqp+direct://u:q@127.0.0.1:{ports[1]}", "--topic", "t", "echo"), 3, "", "password")
                self.assertEqual(one.stop(), 0, one.errors)
                self.expect(run("call", both, "--topic", "t", "echo"), 0, "{}\n")
                self.assertEqual(two.stop(), 0, two.errors)
        self.expect(run("serve", both, "--topic", "t", "--server", "s"), 2, "", "direct_listen")

    def test_a_server_survives_its_broker(self):
        with Broker() as broker, server(broker.url, "t", "one") as one:
            address = broker.address
            self.assertEqual(broker.stop(), 0)
            with Background("broker", "--listen", address, ready="listening"):
                self.expect(run("call", "amqp://" + address, "--topic", "t", "--timeout", "15", "echo"), 0, "{}\n")
            self.assertEqual(one.stop(), 0, one.errors)



class Notifications(ToolTest):
    def test_what_is_told_is_heard(self):
        with Broker() as broker:
            def notify(*arguments):
                return run("notify", broker.url, "--event-type", "disk.full", "--publisher", "host1", *arguments)

            self.expect(notify('{"free": 0}'), 0, "sent to 'notifications'\n")
            self.expect(notify("--priority", "ERROR", "--driver", "messagingv2", "[1, 2]"), 0)
            code, out, _ = notify("--json", "--topic", "one", "--topic", "two", "--context", '{"user": "me"}')
            self.assertEqual((code, json.loads(out)), (0, {"sent": True, "topics": ["one", "two"], "priority": "info",
                                                           "event_type": "disk.full"}))

            code, out, err = run("listen", broker.url, "--count", "2")
            self.assertEqual((code, err), (0, ""))
            stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} "
            self.assertRegex("".join(sorted(out.splitlines(True), key=lambda line: line[27:])),
                             "^" + stamp + "error host1 disk.full \\[1,2\\]\n" +
                             stamp + 'info host1 disk.full \\{"free":0\\}\n$')
            code, out, _ = run("listen", broker.url, "--json", "--topic", "two", "--priority", "info", "--count", "1")
            heard = json.loads(out)
            self.assertEqual((code, heard["payload"], heard["context"], heard["priority"]),
                             (0, None, {"user": "me"}, "INFO"))
            # Nothing is left there, and what is on another topic is not heard.
            self.expect(run("listen", broker.url, "--topic", "two", "--timeout", "0.5"), 4, "", "no notification came")

    def test_given_back_it_comes_again(self):
        with Broker() as broker:
            self.expect(run("notify", broker.url, "--event-type", "e", "5"), 0)
            for _ in range(2):
                code, out, _ = run("listen", broker.url, "--requeue", "--count", "1")
                self.assertEqual(code, 0)
                self.assertIn(" e 5\n", out)
            self.expect(run("listen", broker.url, "--count", "1"), 0)
            self.expect(run("listen", broker.url, "--count", "1", "--timeout", "0.5"), 4, "", "no notification came")

    def test_pools_and_filters(self):
        with Broker() as broker:
            for event in ("a.start", "b.start"):
                self.expect(run("notify", broker.url, "--event-type", event, "--pool", "billing"), 0)
            heard = run("listen", broker.url, "--pool", "billing", "--event-type", "b", "--timeout", "1")
            self.assertEqual((heard[0], heard[1].count("\n"), " b.start null\n" in heard[1]), (0, 1, True), heard)
            self.expect(run("listen", broker.url, "--count", "2"), 0)

    def test_a_listener_ends_in_order(self):
        with Broker() as broker:
            self.expect(run("notify", broker.url, "--event-type", "e"), 0)
            with Background("listen", broker.url, ready="20") as listener:
                self.assertEqual(listener.stop(), 0)

    def test_a_services_file(self):
        with Broker() as broker, tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(f"[DEFAULT]\ntransport_url = amqp://127.0.0.1:{closed_port()}\n[oslo_messaging_notifications]\n"
                       f"transport_url = {broker.url}\ntopics = mine\ndriver = messagingv2\n")
            file.flush()
            self.expect(run("notify", "--config-file", file.name, "--event-type", "e", '{"x": 1}'), 0, "sent to 'mine'\n")
            code, out, _ = run("listen", "--config-file", file.name, "--count", "1")
            self.assertEqual(code, 0)
            self.assertIn('e {"x":1}\n', out)

    def test_what_goes_wrong(self):
        self.expect(run("notify", "amqp://h"), 2, "", "--event-type")
        self.expect(run("notify", "amqp://h", "--event-type", "e", "{"), 2, "", "JSON")
        self.expect(run("notify", "amqp://h", "--event-type", "e", "--priority", "high"), 2, "", "critical")
        self.expect(run("notify", "amqp://h", "--event-type", "e", "--driver", "log"), 2, "", "messagingv2")
        self.expect(run("notify", "--event-type", "e", "{}"), 2, "", "no URL")
        self.expect(run("listen"), 2, "", "URL")
        self.expect(run("listen", "amqp://h", "--event-type", "("), 2, "", "a ) that closes the group")
        nobody = f"amqp://127.0.0.1:{closed_port()}"
        self.expect(run("notify", nobody, "--event-type", "e", "--retry", "0"), 3, "", "unreachable")
        self.expect(run("listen", nobody, "--connect-timeout", "0.5"), 3, "", "unreachable")
        with Broker("--queue-patterns", "other") as broker:
            self.expect(run("notify", broker.url, "--event-type", "e"), 1, "", "unicast.openstack.notifications.info")


if __name__ == "__main__":
    unittest.main()
