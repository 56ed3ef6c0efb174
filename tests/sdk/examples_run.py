#!/usr/bin/python3
"""The example plugins in running nodes; HANAPER_BUILD is the prefix they are installed in."""
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import BASE, BUILD, Node, main, make_csr, openssl  # noqa: E402

HELLO = BASE.replace('validate = ["lint"]', 'validate = ["lint"]\npolicy = ["quota"]') + """
[policy.quota]
limit = 2
exempt = ["listener:*", "command:*"]

[protocol.hello]
listener = "plain"
path = "/hello"
pipeline = "web"
greeting = "good morning"
"""

OTHERS = BASE.replace('plugin = "sqlite"', 'plugin = "memory"').replace(
    'plugin = "softtoken"\npin = {{ file = "pin" }}', 'plugin = "remote"\nsocket = "signer.socket"\ntimeout = "10s"')


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("in vain")
        time.sleep(0.05)


class HelloAndQuota(unittest.TestCase):
    def setUp(self):
        self.node = Node(HELLO)
        self.addCleanup(self.node.close)
        self.node.init().start()

    def post(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.node.http, timeout=30)
        try:
            connection.request("POST", "/hello", body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer
        finally:
            connection.close()

    def request(self, name):
        return make_csr(self.node.folder, [f"{name}.example.test"], name=name)[1].read_bytes()

    def test_it_greets_and_counts(self):
        for _ in range(3):
            self.assertEqual(self.node.get("/hello")[:2], (200, f"good morning from http://127.0.0.1:{self.node.http}/hello\n"))
        self.assertEqual(self.node.metric('hanaper_hello_greetings_total{instance="protocol.hello"}'), 3)
        self.assertEqual(self.node.get("/hello/else")[0], 404)

    def test_it_issues_until_the_quota_is_used_up_also_after_a_restart(self):
        status, chain, _ = self.post(self.request("a"))
        self.assertEqual(status, 200, chain)
        path = self.node.folder / "a.crt"
        path.write_text(chain)
        openssl("verify", "-x509_strict", "-CAfile", self.node.root_file(), "-untrusted", path, path)
        self.assertIn("DNS:a.example.test", openssl("x509", "-in", path, "-noout", "-ext", "subjectAltName"))
        der = self.node.folder / "b.der"
        self.request("b")
        openssl("req", "-in", self.node.folder / "b.pem", "-outform", "DER", "-out", der)
        self.assertEqual(self.post(der.read_bytes())[0], 200)
        self.node.stop()
        self.node.start()
        status, said, answer = self.post(self.request("c"))
        self.assertEqual((status, said), (429, "hello:127.0.0.1 has used up its 2 certificates of today\n"))
        self.assertTrue(0 < int(answer.headers["Retry-After"]) <= 86400)
        self.assertEqual(self.node.metric('hanaper_quota_refused_total{instance="policy.quota"}'), 1)
        self.node.out("issue", "--name", "d.example.test", "--key-out", self.node.folder / "d.key")

    def test_its_operation_is_a_command_with_help_completion_manual_and_description(self):
        self.assertEqual(self.post(self.request("guest"))[0], 200)
        self.assertEqual(self.node.items("hello", "guests"), [{"address": "127.0.0.1", "visits": 1}])
        self.assertEqual(self.node.items("hello", "guests", "--from", "192."), [])
        self.assertRegex(self.node.out("hello", "guests", "--order", "visits"), r"^ADDRESS +VISITS\n127\.0\.0\.1 +1\n$")
        self.assertIn('--order: there is no "age"; there are address, visits', self.node.error("hello", "guests", "--order", "age", status=2))
        self.assertIn("  hello guests ", self.node.out("help"))
        self.assertIn("usage: hanaper hello guests [OPTION...]", self.node.out("help", "hello", "guests"))
        self.assertIn("how they are listed; default address: address, visits", self.node.out("help", "hello", "guests"))
        self.assertIn('"hello guests --order") COMPREPLY=($(compgen -W "address visits"', self.node.out("completion"))
        self.assertIn('.SS "hanaper hello guests [OPTION...]"', self.node.out("manual"))
        told = json.loads(self.node.out("openapi"))["paths"]["/hello/guests"]["get"]
        self.assertEqual((told["operationId"], told["x-permission"]), ("hello.guests", "system:read"))
        self.assertEqual([p["name"] for p in told["parameters"]], ["from", "order", "instance"])

    def test_commands_are_those_of_the_plugins_that_the_configuration_names(self):
        self.assertNotIn("  crl list", self.node.out("help"))
        self.assertIn('no command "crl"', self.node.error("crl", "list", status=2))

    def test_what_is_no_request_is_refused(self):
        self.assertEqual(self.post(b"nothing")[0], 400)
        self.assertEqual(self.post(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")[0], 400)

    def test_a_file_closes_it(self):
        (self.node.state / "hello.closed").touch()
        until(lambda: self.node.get("/health/ready")[0] == 503)
        self.assertIn("hello.closed exists; remove it to be ready", self.node.get("/health/ready")[1])
        (self.node.state / "hello.closed").unlink()
        until(lambda: self.node.get("/health/ready")[0] == 200)


class RemoteKeysAndStorageInMemory(unittest.TestCase):
    def setUp(self):
        self.node = Node(OTHERS)
        self.addCleanup(self.node.close)
        self.node.state.mkdir(mode=0o700)
        self.signer = None
        self.start_signer()
        self.addCleanup(self.stop_signer)

    def start_signer(self):
        self.signer = subprocess.Popen([BUILD / "bin" / "remote-signer", self.node.state / "signer.socket", self.node.folder / "vault"],
                                       stdout=subprocess.PIPE, text=True)
        self.assertIn("ready", self.signer.stdout.readline())

    def stop_signer(self):
        if self.signer is not None:
            self.signer.kill()
            self.signer.wait()
            self.signer.stdout.close()
            self.signer = None

    def issue(self, name, **options):
        return self.node.run("issue", "--name", f"{name}.example.test", "--key-out", self.node.folder / f"{name}.key", **options)

    def test_certificates_are_signed_elsewhere_and_outlive_a_kill(self):
        self.node.init()
        self.assertEqual(sorted(p.name for p in (self.node.folder / "vault").iterdir()), ["issuing.pem", "root.pem"])
        self.node.start()
        for i in range(5):
            self.issue(f"n{i}")
        self.node.kill()
        self.node.start()
        self.assertEqual(len(self.node.items("list", "--name", ".example.test")), 5)
        self.issue("after")
        self.assertIn("ok", self.node.out("audit", "verify"))
        self.node.out("backup", self.node.folder / "backup")

    def test_a_signer_that_is_away_makes_the_node_unready_until_it_is_back(self):
        self.node.init().start()
        self.issue("before")
        self.stop_signer()
        until(lambda: self.node.get("/health/ready")[0] == 503)
        self.assertIn("signer", self.issue("without", status=1).stderr)
        self.start_signer()
        until(lambda: self.node.get("/health/ready")[0] == 200)
        self.issue("again")


if __name__ == "__main__":
    main()
