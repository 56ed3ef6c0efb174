"""A node that publishes CRLs and answers OCSP, for the tests of both."""
import datetime
import http.client
import json
import re
import time
import unittest

from harness import BASE, Node, openssl

VALIDITY = BASE + """
[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]
{crl}

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["root", "issuing"]
{ocsp}
"""


def until(condition, seconds=10):
    """What it gives at last; waits for that, not for a time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


class Validity(unittest.TestCase):
    config, crl, ocsp = VALIDITY, "", ""

    def setUp(self):
        self.node = Node(self.config, crl=self.crl, ocsp=self.ocsp)
        self.addCleanup(self.node.close)
        self.node.init().start()
        self.root = self.node.root_file()
        self.issuing = self.folder("issuing.pem")
        self.issuing.write_text(self.node.out("show", "--authority", "issuing", "--pem"))
        self.url = f"http://127.0.0.1:{self.node.http}"

    def folder(self, name):
        return self.node.folder / name

    def issue(self, name):
        out = self.folder(name + ".pem")
        self.node.out("issue", "--name", name, "--key-out", self.folder(name + ".key"), "--out", out)
        return out

    def serial(self, certificate):
        return openssl("x509", "-in", certificate, "-noout", "-serial").strip().split("=")[1].lower()

    def http(self, path, method="GET", headers={}, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.node.http, timeout=10)
        try:
            connection.request(method, path, headers=headers, body=body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer
        finally:
            connection.close()

    def ocsp_says(self, certificate, *more):
        text = openssl("ocsp", *more, "-issuer", self.issuing, "-cert", certificate, "-url", self.url + "/ocsp",
                       "-CAfile", self.root)
        return re.search(r": (good|revoked|unknown)", text).group(1)

    def crl_file(self, name="issuing.crl"):
        status, der, _ = self.http(self.crl_path(name))
        self.assertEqual(status, 200)
        path = self.folder(name)
        path.write_bytes(der)
        return path

    def crl_number(self, name="issuing.crl"):
        return int(openssl("crl", "-inform", "DER", "-in", self.crl_file(name), "-noout", "-crlnumber").strip().split("=")[1], 16)

    def crl_path(self, name):
        """The root's CRL is elsewhere where the others are no complete ones."""
        return ("/rootcrl/" if name == "root.crl" and "rootcrl" in self.config else "/crl/") + name

    def crl_ready(self, name="issuing.crl"):
        self.assertTrue(until(lambda: self.http(self.crl_path(name))[0] == 200), name)

    def bundle(self, *names):
        """These CRLs in one PEM file, once they are there."""
        for name in names:
            self.crl_ready(name)
        path = self.folder("crls.pem")
        path.write_text("".join(openssl("crl", "-inform", "DER", "-in", self.crl_file(name)) for name in names))
        return path

    def seconds_until_signed(self, serial):
        """From the revocation to the next CRL's signature by the daemon's own clock: what tests do meanwhile does not count."""
        events = [json.loads(line) for (lines,) in self.node.rows("audit ORDER BY node, sequence", "lines") for line in lines.decode().strip().split("\n")]
        time_of = lambda event: datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
        revoked = next(time_of(event) for event in events if event["event"] == "revoked" and event["serial"].lstrip("0") == serial.lstrip("0"))
        return min((time_of(event) - revoked).total_seconds() for event in events
                   if event["event"] == "crl.signed" and event["authority"] == "issuing" and time_of(event) > revoked)

    def listed(self, serial, name="issuing.crl"):
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file(name), "-noout", "-text")
        return serial.upper() in text.replace(":", "")

    def second(self):
        node = self.node.second(self.config, crl=self.crl, ocsp=self.ocsp)
        self.addCleanup(node.kill)
        return node.start()
