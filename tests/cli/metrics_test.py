"""--metrics of the commands that stay, read as Prometheus reads it.

    metrics_test.py Http     what is answered to which request
    metrics_test.py Parser   the text, by Debian's python3-prometheus-client; exit code 77 where that is not installed
"""
import http.client
import os
import socket
import sys
import unittest
from urllib.parse import urlparse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tool import Broker, run, server  # noqa: E402


class Scene(unittest.TestCase):
    def setUp(self):
        self.broker = Broker("--metrics", "127.0.0.1:0")
        self.addCleanup(self.broker.__exit__)
        self.broker_metrics = self.metrics_of(self.broker)
        self.server = server(self.broker.url, "math", "one", "--metrics", ":0", "--quiet")
        self.addCleanup(self.server.__exit__)
        self.server_metrics = self.metrics_of(self.server)

    def metrics_of(self, program):
        word, _, url = program.line().partition(" at ")
        self.assertEqual(word, "metrics")
        parsed = urlparse(url)
        self.assertEqual((parsed.hostname, parsed.path), ("127.0.0.1", "/metrics"))
        return parsed.netloc

    def ask(self, at, method="GET", path="/metrics"):
        connection = http.client.HTTPConnection(at, timeout=20)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode("utf-8")
        finally:
            connection.close()

    def call(self, *words):
        return run("call", self.broker.url, "--topic", "math", *words)[0]


class Http(Scene):
    def test_figures_are_those_of_what_happened(self):
        self.assertEqual([self.call("echo", '{"a": 1}') for _ in range(3)], [0, 0, 0])
        self.assertEqual(self.call("missing"), 1)
        status, headers, text = self.ask(self.server_metrics)
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(int(headers["Content-Length"]), len(text.encode()))
        lines = text.splitlines()
        self.assertIn('aprotic_server_requests_total{kind="call",outcome="replied"} 3', lines)
        self.assertIn('aprotic_server_requests_total{kind="call",outcome="no_such_method"} 1', lines)
        self.assertIn("aprotic_server_handler_seconds_count 4", lines)
        lines = self.ask(self.broker_metrics)[2].splitlines()
        self.assertIn("aprotic_broker_connections_total 5", lines)
        self.assertIn('aprotic_broker_messages_received_total{outcome="accepted"} 8', lines)
        self.assertIn('aprotic_broker_deliveries_total{outcome="accepted"} 8', lines)
        self.assertIn('aprotic_broker_node_consumers{address="unicast.openstack.math",kind="queue"} 1', lines)

    def test_only_figures_are_shown(self):
        status, headers, text = self.ask(self.broker_metrics, "HEAD")
        self.assertEqual((status, text), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        self.assertEqual(self.ask(self.broker_metrics, path="/")[0], 404)
        status, headers, _ = self.ask(self.broker_metrics, "DELETE")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        host, _, port = self.broker_metrics.partition(":")
        with socket.create_connection((host, int(port)), 20) as raw:
            raw.sendall(b"AMQP\x00\x01\x00\x00\r\n\r\n")
            self.assertTrue(raw.makefile("rb").read().startswith(b"HTTP/1.1 400 "))

    def test_an_address_that_cannot_be_had_is_told(self):
        code, _, err = run("broker", "--listen", "127.0.0.1:0", "--metrics", "nonsense:port:x")
        self.assertEqual(code, 2)
        self.assertIn("--metrics", err)
        code, _, err = run("broker", "--listen", "127.0.0.1:0", "--metrics", self.broker_metrics)
        self.assertEqual(code, 2)
        self.assertIn("cannot listen on " + self.broker_metrics, err)


class Parser(Scene):
    def test_prometheus_own_parser_reads_every_sample(self):
        from prometheus_client.parser import text_string_to_metric_families as parse
        self.assertEqual(self.call("echo", '{"a": 1}'), 0)
        for at in (self.server_metrics, self.broker_metrics):
            text = self.ask(at)[2]
            families = {family.name: family for family in parse(text)}
            samples = [line for line in text.splitlines() if not line.startswith("#")]
            self.assertEqual(sum(len(family.samples) for family in families.values()), len(samples))
            self.assertTrue(all(family.documentation for family in families.values()))
            self.assertTrue(all(family.type in ("counter", "gauge", "histogram") for family in families.values()))
            for family in families.values():
                if family.type == "histogram":
                    counts = [s.value for s in family.samples if s.name.endswith("_bucket") and s.labels["le"] == "+Inf"]
                    self.assertEqual(counts, [s.value for s in family.samples if s.name.endswith("_count")])


if __name__ == "__main__":
    if sys.argv[-1] == "Parser":
        try:
            import prometheus_client.parser  # noqa: F401
        except ImportError:
            print("skipped: python3-prometheus-client is not installed")
            sys.exit(77)
    unittest.main()
