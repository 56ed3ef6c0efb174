#!/usr/bin/python3
"""config/devices.toml as it stands but for ports, storage and state folder: devices enrol, renew, and end with kill -9."""
import base64
import contextlib
import subprocess
import threading
import unittest
import urllib.request

from harness import ROOT, Failed, Node, main, make_csr, openssl
from events_test import until
from scep_test import Client

ACCOUNTS = "router-7:$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82::.example.test,CN=*\n"


def sample():
    text = (ROOT / "config" / "devices.toml").read_text().replace("{", "{{").replace("}", "}}")
    text = text.replace('"../state"', '"{state}"').replace("127.0.0.1:8443", "127.0.0.1:{https}").replace("127.0.0.1:8080", "127.0.0.1:{http}")
    text = text.replace('bind = "127.0.0.1:8081"', 'bind = "127.0.0.1:{challenge}"')
    text = text.replace('plugin = "sqlite"\nfile = "hanaper.db"\n', 'plugin = "sqlite"\n')
    return text.replace('plugin = "softtoken"\nfolder = "keys"\npin = {{ file = "pin" }}', 'plugin = "softtoken"\npin = {{ file = "pin" }}\n#')


class Devices(unittest.TestCase):
    def setUp(self):
        self.node = Node(sample())
        self.node.health = self.node.challenge
        self.addCleanup(self.node.close)
        self.node.state.mkdir()
        self.node.state.chmod(0o700)
        accounts = self.node.state / "accounts"
        accounts.write_text(ACCOUNTS)
        accounts.chmod(0o600)
        self.node.init()
        self.node.out("check")
        self.node.start()

    def file(self, name):
        return self.node.folder / name

    def registrar(self):
        path = self.file("registrar.pem")
        if not path.exists():
            with urllib.request.urlopen(f"http://127.0.0.1:{self.node.http}/scep?operation=GetCACert", timeout=10) as answer:
                self.file("cacert.p7").write_bytes(answer.read())
            text = openssl("pkcs7", "-inform", "DER", "-in", self.file("cacert.p7"), "-print_certs")
            path.write_text(text[text.index("-----BEGIN"):].split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
        return path

    def pki_operation(self, message, path, method):
        request = urllib.request.Request(f"http://127.0.0.1:{self.node.http}{path}?operation=PKIOperation", message)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers

    def est(self, label, csr):
        """Status and body of an enrolment by curl; 0 when nobody answers."""
        body = self.file(csr.name + ".base64")
        body.write_bytes(base64.b64encode(csr.read_bytes()))
        url = f"https://localhost:{self.node.https}/.well-known/est/{label}simpleenroll"
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", self.node.root_file(), "-u", "router-7:correct horse", "-w", "\n%{http_code}",
                               "-H", "Content-Type: application/pkcs10", "--data-binary", f"@{body}", url], capture_output=True, text=True, timeout=30)
        text, _, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    def csr(self, name):
        _, pem = make_csr(self.node.folder, [name + ".example.test"], name=name)
        der = pem.with_suffix(".der")
        openssl("req", "-in", pem, "-outform", "DER", "-out", der)
        return der

    def issued(self):
        return [row for row in self.node.items("list") if row["profile"] == "device" and row["state"] == "issued"]

    def test_the_sample_serves_both_protocols(self):
        self.assertEqual(self.est("", self.csr("est"))[0], 200)
        self.assertEqual(self.est("strict/", self.csr("strict"))[0], 400)
        self.assertEqual(self.est("approved/", self.csr("approved"))[0], 202)
        challenge = self.node.json("scep", "challenge", "--subject", "CN=scep.example.test")["challenge"]
        self.assertEqual(Client(self, "scep.example.test", challenge).ask()[0], "0")
        published = self.node.state / "published"
        wanted = [published / "devices" / f"{row['serial']}.cer" for row in self.issued()] + [published / "issuing.crl", published / "root.pem"]
        self.assertTrue(until(lambda: all(path.exists() for path in wanted)), "what is issued is published")

    def test_kill_9_while_requests_are_asked_and_approved(self):
        """Whatever the moment: nothing that was promised is lost, and no transaction has two certificates."""
        devices = {name: self.csr(name) for name in ("one", "two", "three", "four")}
        scep = [Client(self, f"scep{i}.example.test", self.node.json("scep", "challenge")["challenge"]) for i in range(3)]
        self.registrar()
        promised = set()
        for turn in range(6):
            killer = threading.Timer(0.05 + 0.12 * turn, self.node.kill)
            killer.start()
            with contextlib.suppress(OSError, ValueError, Failed, subprocess.TimeoutExpired):
                for name, csr in devices.items():
                    if self.est("approved/", csr)[0] in (200, 202):
                        promised.add(name)
                    for row in self.node.items("requests", "list"):
                        self.node.run("requests", "approve", row["request"], status=None)
                for client in scep:
                    client.ask()
            killer.join()
            self.node.start()
            waiting = sum(len(self.node.items("requests", "list", "--state", state)) for state in ("pending", "approved", "issuing", "issued"))
            self.assertGreaterEqual(waiting, len(promised))
        for row in self.node.items("requests", "list"):
            self.node.out("requests", "approve", row["request"])
        answered = []
        serials = lambda: sorted(row["serial"] for row in self.issued())
        for name, csr in devices.items():
            status, body = self.est("approved/", csr)
            if status == 202:  # it was never heard of before
                self.node.out("requests", "approve", self.node.items("requests", "list")[0]["request"])
                status, body = self.est("approved/", csr)
            # A node that ended between intent and signature lets others go on after two minutes.
            self.assertIn(status, (200, 503), body)
            if status == 200:
                answered.append(csr)
        answers = []
        for client in scep:
            with contextlib.suppress(OSError):
                answers.append(client.ask()[0])
        self.assertTrue(all(answer == "0" for answer in answers), answers)
        known = serials()
        self.assertLessEqual(len(known), len(devices) + len(scep))
        for csr in answered:
            self.est("approved/", csr)
        self.assertEqual(serials(), known)
        self.node.out("audit", "verify")


if __name__ == "__main__":
    main()
