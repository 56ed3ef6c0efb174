#!/usr/bin/python3
"""kill -9 while CRLs are made and certificates revoked: numbers rise, and nothing acknowledged is missing."""
import base64
import json
import random
import threading
import time
import unittest

from harness import Control, Failed, Node, main, make_csr, openssl
from validity import VALIDITY, until

ROUNDS = 20
EACH = 40


class Crash(unittest.TestCase):
    def test_twenty_kills_keep_numbers_rising_and_revocations_listed(self):
        random.seed(20261122)
        with Node(VALIDITY, crl="", ocsp="") as node:
            node.init().start()
            serials = self.issue(node, ROUNDS * EACH)
            issuing = node.folder / "issuing.pem"
            issuing.write_text(node.out("show", "--authority", "issuing", "--pem"))
            revoked, last = set(), 0
            for round_number in range(ROUNDS):
                mine, serials = serials[:EACH], serials[EACH:]
                lock, acknowledged = threading.Lock(), threading.Event()

                def revoke(some):
                    try:
                        control = Control(node)
                        for serial in some:
                            control.run("revoke", certificate=serial, reason="superseded")
                            with lock:
                                revoked.add(serial)
                            acknowledged.set()
                    except (OSError, Failed, ValueError):
                        pass  # the daemon is gone

                def generate():
                    try:
                        control = Control(node)
                        while True:
                            control.run("crl.generate", authority="issuing")
                    except (OSError, Failed, ValueError):
                        pass

                threads = [threading.Thread(target=revoke, args=(mine[i::4],)) for i in range(4)] + [threading.Thread(target=generate)]
                for thread in threads:
                    thread.start()
                self.assertTrue(acknowledged.wait(60), f"round {round_number}: nothing is acknowledged")
                time.sleep(random.random() * 0.2)  # the moment of the crash, not something waited for
                node.kill()
                for thread in threads:
                    thread.join()
                # The next CRL is made from what the crash has left: by the command line, or by the daemon of its own accord.
                if round_number % 2:
                    node.items("crl", "generate", "issuing")
                node.start()
                self.assertTrue(until(lambda: self.all_listed(node, issuing, revoked), 60), f"round {round_number}: acknowledged and not listed")
                number = node.json("crl", "show", "issuing")["number"]
                self.assertGreater(number, last, "numbers rise")
                last = number
            node.stop()
            self.check_numbers(node)
            self.assertGreaterEqual(len(revoked), ROUNDS)
            self.check_ocsp(node.start(), issuing, sorted(revoked))
            print(f"{len(revoked)} revocations acknowledged, {last} CRL numbers, {ROUNDS} kills")
            self.assertIn("unbroken", node.out("audit", "verify"))

    def all_listed(self, node, issuing, serials):
        status, pem, _ = node.get("/crl/issuing.crl.pem")
        if status != 200:
            return False
        crl = node.folder / "issuing.crl"
        crl.write_text(pem)
        listed = openssl("crl", "-in", crl, "-CAfile", issuing, "-noout", "-text").replace(":", "").lower()
        return all(serial in listed for serial in serials)

    def issue(self, node, count):
        _, csr = make_csr(node.folder, ["crash.example.test"])
        openssl("req", "-in", csr, "-outform", "DER", "-out", node.folder / "csr.der")
        request = base64.b64encode((node.folder / "csr.der").read_bytes()).decode()
        control = Control(node)
        try:
            return [control.run("issue", pipeline="web", csr=request)["serial"] for _ in range(count)]
        finally:
            control.close()

    def check_numbers(self, node):
        """Every CRL that was signed has a number of its own, which the audit knew before, and is in the ledger."""
        intents, signed, hashes = set(), set(), set()
        for (lines,) in node.rows("audit ORDER BY node, sequence", "lines"):
            for line in lines.decode().strip().split("\n"):
                event = json.loads(line)
                key = (event.get("authority"), event.get("number"))
                if event["event"] == "crl.intent":
                    self.assertNotIn(key, intents, "a number was given out twice")
                    intents.add(key)
                if event["event"] == "crl.signed":
                    self.assertIn(key, intents, "signed before its intent was audited")
                    self.assertNotIn(key, signed)
                    signed.add(key)
                    hashes.add(event["crl"])
        self.assertGreater(len(signed), ROUNDS)
        self.assertEqual({row[0].decode() for row in node.rows("crl WHERE hash <> ''", "hash")}, hashes)

    def check_ocsp(self, node, issuing, serials):
        for i in range(0, len(serials), 30):
            some = [word for serial in serials[i:i + 30] for word in ("-serial", "0x" + serial)]
            text = openssl("ocsp", "-issuer", issuing, *some, "-url", f"http://127.0.0.1:{node.http}/ocsp", "-CAfile", node.root_file())
            self.assertEqual(text.count(": revoked"), len(serials[i:i + 30]))


if __name__ == "__main__":
    main()
