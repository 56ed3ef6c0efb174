#!/usr/bin/python3
"""kill -9 in the middle of everything: what a client was given is in the ledger, and nothing else has a signature."""
import base64
import contextlib
import http.client
import json
import pathlib
import random
import threading
import time
import unittest

from harness import Control, Failed, Node, main, make_csr, only, openssl

ROUNDS = 20
CLIENTS = 200


class Crash(unittest.TestCase):
    def test_twenty_kills_lose_nothing_that_was_acknowledged(self):
        random.seed(20261121)
        with Node().init() as node:
            _, csr = make_csr(node.folder, ["crash.example.test"])
            openssl("req", "-in", csr, "-outform", "DER", "-out", node.folder / "csr.der")
            request = base64.b64encode((node.folder / "csr.der").read_bytes()).decode()
            received, revoked, lock = {}, set(), threading.Lock()

            def client(start):
                try:
                    control = Control(node)
                except OSError:
                    return
                try:
                    start.wait()
                    while True:
                        result = control.run("issue", pipeline="web", csr=request)
                        with lock:
                            self.assertNotIn(result["serial"], received)
                            received[result["serial"]] = result["certificate"]
                        if random.random() < 0.2:
                            control.run("revoke", certificate=result["serial"], reason="superseded")
                            with lock:
                                revoked.add(result["serial"])
                except (OSError, Failed, ValueError):
                    pass  # the daemon is gone
                finally:
                    control.close()

            for round_number in range(ROUNDS):
                node.start()
                start = threading.Barrier(CLIENTS + 1)
                threads = [threading.Thread(target=client, args=(start,)) for _ in range(CLIENTS)]
                for thread in threads:
                    thread.start()
                start.wait(60)
                time.sleep(0.05 + random.random() * 0.4)
                node.kill()
                for thread in threads:
                    thread.join()
                self.check(node, received, revoked, round_number)
            print(f"{len(received)} certificates acknowledged, {len(revoked)} revocations, {ROUNDS} kills")
            self.assertGreater(len(received), ROUNDS * 20)
            # And the next start is clean.
            node.start()
            self.assertIn("unbroken", node.out("audit", "verify"))
            self.assertEqual(node.stop(), 0)

    def check(self, node, received, revoked, round_number):
        signed = {serial.decode(): octets for serial, octets in node.rows("signature", "serial", "octets")}
        reserved = {serial.decode() for (serial,) in node.rows("certificate", "serial")}
        gone = {serial.decode() for (serial,) in node.rows("revocation", "serial")}
        intents, signatures = set(), set()
        for (lines,) in node.rows("audit ORDER BY node, sequence", "lines"):
            for line in lines.decode().strip().split("\n"):
                event = json.loads(line)
                if event["event"] == "sign.intent":
                    intents.add(event["serial"])
                if event["event"] == "signed":
                    self.assertIn(event["serial"], intents, "signed before its intent was audited")
                    signatures.add(event["serial"])
        self.assertEqual(set(signed) - reserved, set(), "a signature without intent")
        self.assertEqual(set(received) - set(signed), set(), f"round {round_number}: acknowledged and lost")
        self.assertEqual(revoked - gone, set(), f"round {round_number}: a revocation acknowledged and lost")
        self.assertEqual(set(signed), signatures, "ledger and audit tell different stories")
        self.assertTrue(signatures <= intents <= reserved)
        for serial in random.sample(sorted(received), min(20, len(received))):
            pem = received[serial]
            der = base64.b64decode("".join(pem.split("\n")[1:-2]))
            self.assertTrue(der.endswith(signed[serial]), "the certificate given out is the one in the ledger")


@only(storage="sqlite")
class Starts(unittest.TestCase):
    def test_after_a_kill_it_is_ready_within_half_a_second(self):
        """Time in which it waited for a processor that others had does not count."""
        with Node().init() as node:
            node.start()
            took = []
            for _ in range(ROUNDS):
                _, csr = make_csr(node.folder, ["start.example.test"])
                node.out("issue", "--csr", csr, "--pipeline", "web")
                node.kill()
                took.append(self.ready_after(node))
            print(f"ready after {min(took):.3f} to {max(took):.3f} s of its own")
            self.assertLess(max(took), 0.5)

    def ready_after(self, node):
        begin = time.monotonic()
        node.spawn()
        while time.monotonic() < begin + 30:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if node.get("/health/ready")[0] == 200:
                    waited = pathlib.Path(f"/proc/{node.process.pid}/schedstat").read_text().split()[1]
                    return time.monotonic() - begin - int(waited) * 1e-9
            time.sleep(0.002)
        self.fail("it is not ready: " + node.log_text())


if __name__ == "__main__":
    main()
