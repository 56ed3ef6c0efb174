#!/usr/bin/python3
"""kill -9 of nodes and of the receiver while certificates are issued and revoked: every event arrives, in each node's order.

HANAPER_LONG makes it twenty rounds of each.
"""
import base64
import os
import random
import shutil
import threading
import time
import unittest

from events_test import HOOK, until, write_secret
from harness import BASE, STORAGE, Control, Failed, Node, free_port, main, make_csr, openssl
from receivers import Process

ROUNDS = 20 if "HANAPER_LONG" in os.environ else 4
CONFIG = BASE.replace('validate = ["lint"]\n', 'validate = ["lint"]\nnotify = ["hook"]\n', 1)


class Load:
    """Issues and revokes on one node until it is gone; remembers what was acknowledged."""

    def __init__(self, test, node, request):
        self.node, self.request, self.issued, self.revoked, self.faults = node, request, [], [], []
        self.lock, self.begun = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(3)]
        for thread in self.threads:
            thread.start()
        test.assertTrue(self.begun.wait(60), "nothing is acknowledged: " + node.log_text()[-2000:])

    def run(self, number):
        control = None
        try:
            control = Control(self.node)
            for count in range(1000):
                serial = control.run("issue", pipeline="web", csr=self.request)["serial"]
                with self.lock:
                    self.issued.append(serial)
                self.begun.set()
                if count % 3 == number:
                    control.run("revoke", certificate=serial, reason="superseded")
                    with self.lock:
                        self.revoked.append(serial)
        except Failed as error:
            self.faults += [str(error)] if str(error).startswith(("malformed", "unsupported", "internal")) else []
        except (OSError, ValueError):
            pass  # the node is gone
        finally:
            if control is not None:
                control.close()

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults


class Crash(unittest.TestCase):
    def make_node(self, port):
        node = Node(CONFIG + HOOK.format(name="hook", port=port).replace("{", "{{").replace("}", "}}") + 'since = "beginning"\n')
        node.state.mkdir(mode=0o700, exist_ok=True)
        write_secret(node)
        node.init()
        _, csr = make_csr(node.folder, ["crash.example.test"])
        openssl("req", "-in", csr, "-outform", "DER", "-out", node.folder / "csr.der")
        return node, base64.b64encode((node.folder / "csr.der").read_bytes()).decode()

    def check(self, node, receiver, issued, revoked):
        """What the ledger has, whether acknowledged or not, has arrived; of each node in its order."""
        of = {}
        for name, serial in node.rows("signature ORDER BY node, position", "node", "serial"):
            of.setdefault(name, []).append(serial.decode())
        told_pipeline = {serial.decode() for (serial,) in node.rows("certificate WHERE pipeline = 'web'", "serial")}
        ledger = {name: [serial for serial in serials if serial in told_pipeline] for name, serials in of.items()}
        everything = {serial for serials in ledger.values() for serial in serials}
        self.assertLessEqual(set(issued), everything)
        self.assertTrue(until(lambda: everything <= set(receiver.first_arrivals()), 120),
                        f"{len(everything - set(receiver.first_arrivals()))} of {len(everything)} are lost")
        self.assertTrue(until(lambda: set(revoked) <= set(receiver.first_arrivals("certificate.revoked")), 60), "revocations are lost")
        arrivals = receiver.first_arrivals()
        for name, serials in ledger.items():
            mine = set(serials)
            self.assertEqual([serial for serial in arrivals if serial in mine], serials, f"the order of {name}")
        seen = set()
        for event in receiver.events():
            if event["type"] == "certificate.issued":
                seen.add(event["subject"])
            elif event["type"] == "certificate.revoked":
                self.assertIn(event["subject"], seen, "revoked before it was issued")
        ids = {}
        for event in receiver.events():
            self.assertEqual(ids.setdefault(event["id"], event), event, "the same id, and something else in it")
        return len(everything), len(receiver.events())

    def test_kills_of_node_and_receiver_lose_nothing(self):
        random.seed(20261129)
        port = free_port()
        node, request = self.make_node(port)
        issued, revoked = [], []
        with node, Process(port, node.folder / "received") as receiver:
            for round_number in range(ROUNDS):
                node.start()
                load = Load(self, node, request)
                for _ in range(2):  # the receiver dies while it is told, and returns
                    time.sleep(random.random() * 0.7)
                    receiver.kill()
                    time.sleep(random.random() * 0.3)
                    receiver.start()
                time.sleep(random.random() * 0.5)
                if round_number % 2:
                    receiver.kill()
                node.kill()
                load.join()
                if round_number % 2:
                    receiver.start()
                issued += load.issued
                revoked += load.revoked
            node.start()
            everything, events = self.check(node, receiver, issued, revoked)
            print(f"{ROUNDS} rounds: {len(issued)} certificates acknowledged, {everything} in the ledger, {events} events came")

    @unittest.skipIf(STORAGE == "sqlite", "setup: two nodes need a server")
    def test_two_nodes_take_over_from_each_other(self):
        random.seed(20261129)
        port = free_port()
        node, request = self.make_node(port)
        with node, Process(port, node.folder / "received") as receiver:
            second = node.second(CONFIG + HOOK.format(name="hook", port=port).replace("{", "{{").replace("}", "}}") + 'since = "beginning"\n')
            shutil.copy(node.state / "hook-secret", second.state / "hook-secret")
            issued, revoked = [], []
            try:
                node.start()
                second.start()
                for round_number in range(ROUNDS):
                    loads = [Load(self, each, request) for each in (node, second)]
                    time.sleep(random.random())
                    receiver.kill()
                    receiver.start()
                    gone = (node, second)[round_number % 2]
                    gone.kill()
                    time.sleep(random.random() * 3)
                    # The other goes on by itself, and takes the role over when it was not the holder.
                    before = len(receiver.events())
                    self.assertTrue(until(lambda: len(receiver.events()) > before, 60), f"nobody tells any more: {[len(l.issued) for l in loads]}, " + node.log_text()[-3000:])
                    gone.start()
                    loads[round_number % 2].join()
                    other = (second, node)[round_number % 2]
                    other.kill()
                    loads[1 - round_number % 2].join()
                    other.start()
                    for load in loads:
                        issued += load.issued
                        revoked += load.revoked
                everything, events = self.check(node, receiver, issued, revoked)
                print(f"{ROUNDS} rounds: {len(issued)} certificates acknowledged, {everything} in the ledger, {events} events came")
            finally:
                second.kill()


if __name__ == "__main__":
    main()
