#!/usr/bin/python3
"""Events from a node to publishers and notifiers: what comes, in which order, and what a receiver that fails does."""
import http.client
import json
import os
import pathlib
import sys
import time
import unittest

from harness import BASE, ROOT, Node, free_port, main, make_csr, openssl
from receivers import SECRET, Receiver

sys.path.insert(0, str(ROOT / "tests" / "unit"))
import event_catalogue  # noqa: E402

EVENTS = BASE.replace('validate = ["lint"]\n', 'validate = ["lint"]\npublish = ["files"]\nnotify = [{notify}]\n', 1) + """
[profile.manual]
lifetime = "30d"

[pipeline.manual]
authority = "issuing"
profiles = ["manual"]
validate = ["lint"]
approval = "manual"
notify = ["hook"]

[publisher.files]
plugin = "file"
folder = "published"

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]
"""
HOOK = """
[notifier.{name}]
plugin = "webhook"
url = "http://127.0.0.1:{port}/events"
secret = {{ file = "hook-secret" }}
"""


def node_with(receivers, config=EVENTS):
    node = Node(config + "".join(HOOK.format(name=name, port=receiver.port).replace("{", "{{").replace("}", "}}") for name, receiver in receivers.items()),
                notify=", ".join(f'"{name}"' for name in receivers))
    node.state.mkdir(mode=0o700, exist_ok=True)
    write_secret(node)
    return node


def write_secret(node):
    path = node.state / "hook-secret"
    path.write_text(SECRET)
    path.chmod(0o600)


def until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False


class Events(unittest.TestCase):
    def issue(self, node, name="a.example.test"):
        key, certificate = node.folder / "k.pem", node.folder / "c.pem"
        for path in (key, certificate):
            path.unlink(missing_ok=True)
        return node.json("issue", "--pipeline", "web", "--name", name, "--key-out", key, "--out", certificate)["serial"]

    def test_what_happens_is_told_and_published(self):
        try:
            complaints = event_catalogue.validators()
        except ImportError:
            self.skipTest("jsonschema: python3-jsonschema is not installed")
        with Receiver(free_port()) as hook, node_with({"hook": hook}) as node:
            node.init().start()
            self.assertTrue(until(lambda: len(hook.of("crl.made")) >= 2), "the CRLs that are there")
            serial = self.issue(node)
            self.assertTrue(until(lambda: hook.serials() == [serial]))
            for kind, words in (("certificate.revoked", ["revoke", serial, "--reason", "certificateHold"]),
                                ("certificate.released", ["revoke", serial, "--reason", "removeFromCRL"]),
                                ("certificate.revoked", ["revoke", serial, "--reason", "superseded"])):
                before = len(hook.of(kind))
                node.out(*words)
                self.assertTrue(until(lambda: len(hook.of(kind)) == before + 1), kind)
            _, csr = make_csr(node.folder, ["b.example.test"])
            asked = node.run("issue", "--pipeline", "manual", "--csr", csr, "--out", node.folder / "x.pem", status=None)
            self.assertNotEqual(asked.returncode, 0, "it waits")
            self.assertTrue(until(lambda: hook.of("request.pending")))
            request = hook.of("request.pending")[0]["subject"]
            node.out("requests", "approve", request)
            self.assertTrue(until(lambda: hook.of("request.approved")))
            self.assertTrue(node.stop() == 0)
            node.start()
            self.assertTrue(until(lambda: hook.of("node.stopped")))
            self.assertEqual(hook.faults, [])
            with hook.lock:
                for event in hook.events:
                    self.assertEqual(complaints(event), [], event)
                ids = [event["id"] for event in hook.events]
            self.assertEqual(len(ids), len(set(ids)), "nothing failed, so nothing came twice")
            published = node.state / "published"
            certificate = published / "certificates" / f"{serial}.pem"
            self.assertTrue(until(certificate.exists))
            openssl("verify", "-CAfile", node.root_file(), "-untrusted", published / "issuing.pem", certificate)
            der = published / "certificates" / f"{serial}.cer"
            self.assertEqual(openssl("x509", "-in", der, "-inform", "DER"), openssl("x509", "-in", certificate))
            self.assertTrue(until(lambda: serial in openssl("crl", "-in", published / "issuing.crl", "-inform", "DER", "-noout", "-text").replace(":", "").lower()))
            openssl("crl", "-in", published / "root.crl.pem", "-noout", "-CAfile", node.root_file())
            self.assertEqual(node.metric('hanaper_events_dead_total{instance="notifier.hook",pipeline="web"}'), 0)

    def test_a_receiver_that_is_away_gets_everything_when_it_is_back_and_delays_nobody(self):
        away, good = Receiver(free_port()), Receiver(free_port())
        with good, node_with({"away": away, "good": good}, EVENTS.replace('notify = ["hook"]\n', "")) as node:
            node.init().start()
            serials = [self.issue(node) for _ in range(5)]
            self.assertTrue(until(lambda: good.serials() == serials, 20), "a dead receiver delays nobody")
            self.assertEqual(away.events, [])
            answers = iter([500, (503, {"Retry-After": "1"}), 429, 408])
            away.answer = lambda event: next(answers, 200)
            away.start()
            try:
                self.assertTrue(until(lambda: away.serials() == serials, 120), away.tries)
            finally:
                away.stop()
            tried = [event["id"] for _, event in away.tries]
            self.assertEqual(tried[:5], [tried[0]] * 5, "the same event, until it is taken")
            self.assertEqual(node.metric('hanaper_events_dead_total{instance="notifier.away",pipeline="web"}'), 0)

    def test_what_a_receiver_refuses_is_a_dead_letter_and_the_next_comes(self):
        refuses = lambda event: 410 if event["type"] == "certificate.issued" and event["data"]["names"] == ["dns:bad.example.test"] else 200
        with Receiver(free_port(), refuses) as hook, node_with({"hook": hook}) as node:
            node.init().start()
            self.issue(node, "bad.example.test")
            serial = self.issue(node, "good.example.test")
            self.assertTrue(until(lambda: hook.serials() == [serial]))
            self.assertTrue(until(lambda: node.metric('hanaper_events_dead_total{instance="notifier.hook",pipeline="web"}') == 1))
            self.assertIn("dead letter", node.log_text())
            told = {(row["pipeline"], row["instance"]): row for row in node.items("events", "list")}
            self.assertNotIn("failing_since", told["web", "notifier.hook"], "the others go on")
            [dead] = node.items("events", "dead", "--subscription", "web/notifier.hook")
            self.assertEqual((dead["type"], dead["whole"]), ("certificate.issued", True))
            self.assertIn("410", dead["error"])
            self.assertIn("410", node.error("events", "resend", dead["id"]), "it is refused again")
            hook.answer = lambda event: 200
            self.assertEqual(node.json("events", "resend", dead["id"])["state"], "delivered")
            self.assertEqual(node.items("events", "dead"), [])
            self.assertIn("no dead letter", node.error("events", "resend", dead["id"]))


if __name__ == "__main__":
    main()
