#!/usr/bin/python3
"""Several nodes of one storage: who lives, under which name, and who does what for all."""
import signal
import time
import unittest

from harness import STORAGE, Node, main
from validity import VALIDITY, until


@unittest.skipIf(STORAGE == "sqlite", "setup: two nodes need a server")
class Nodes(unittest.TestCase):
    def setUp(self):
        self.node = Node(VALIDITY, crl="", ocsp="")
        self.addCleanup(self.node.close)
        self.node.init().start()
        self.second = self.node.second(VALIDITY, crl="", ocsp="")
        self.addCleanup(self.second.kill)

    def states(self, node=None):
        return {row["node"]: row["state"] for row in (node or self.node).items("nodes")}

    def holder(self, role):
        return {row["role"]: row.get("node") for row in self.node.items("roles")}.get(role)

    def becomes(self, states, seconds=10, node=None):
        begun = time.monotonic()
        self.assertTrue(until(lambda: self.states(node) == states, seconds), self.states(node))
        return time.monotonic() - begun

    def test_each_sees_who_lives_and_who_does_not(self):
        self.becomes({"main": "lives"})
        self.second.start()
        both = {"main": "lives", "second": "lives"}
        self.becomes(both)
        self.becomes(both, node=self.second)
        row = next(row for row in self.node.items("nodes") if row["node"] == "second")
        self.assertIn(f"https://localhost:{self.second.https}", " ".join(row["urls"]))
        self.assertTrue(until(lambda: abs(next(row for row in self.node.items("nodes") if row["node"] == "second").get("ahead", 9999)) < 2000))
        self.assertEqual(self.second.stop(), 0)
        self.assertLess(self.becomes({"main": "lives", "second": "stopped"}), 3)
        self.second.start()
        self.becomes(both)
        self.second.kill()
        self.assertLess(self.becomes({"main": "lives", "second": "late"}), 8)
        begun = time.monotonic()
        self.second.start()  # its own name is free for it at once
        self.assertLess(time.monotonic() - begun, 3)
        self.becomes(both)
        self.assertEqual(self.states(), both)
        self.second.kill()
        offline = {row["node"]: row["state"] for row in self.second.items("nodes")}
        self.assertEqual(offline, {"main": "unknown", "second": "unknown"})

    def test_beats_leave_no_pages_in_the_audit(self):
        self.second.start()
        self.becomes({"main": "lives", "second": "lives"})
        pages = {row["node"]: row["pages"] for row in self.node.items("audit", "verify")}
        beats = lambda: {row["node"]: row["beat"] for row in self.node.items("nodes")}
        before = beats()
        self.assertTrue(until(lambda: all(beats()[name] > at for name, at in before.items())))
        after = {row["node"]: row["pages"] for row in self.node.items("audit", "verify")}
        self.assertLessEqual(after["second"] - pages["second"], 1)

    def test_a_living_name_is_nobody_elses(self):
        config = self.second.config.read_text().replace('name = "second"', 'name = "main"')
        self.second.config.write_text(config)
        told = self.second.failed_start()
        self.assertIn('another node lives under the name "main", at http', told)
        self.assertIn("give this one another, by name in [node]", told)
        self.assertIn('lives under the name "main"', self.second.error("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key"))
        self.assertEqual(self.node.get("/health/ready")[0], 200)
        self.node.out("issue", "--name", "b.example.test", "--key-out", self.node.folder / "b.key")

    def test_who_was_taken_for_gone_ends_and_stays_ended(self):
        self.becomes({"main": "lives"})
        config = self.second.config.read_text().replace('name = "second"', 'name = "main"')
        self.second.config.write_text(config)
        self.node.signal(signal.SIGSTOP)
        try:
            self.second.start()
        finally:
            self.node.signal(signal.SIGCONT)
        self.assertEqual(self.node.process.wait(60), 2)
        self.assertIn("this one ends, for two of one name", self.node.log_text())
        self.node.process = None
        self.second.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")
        self.assertEqual(self.states(self.second), {"main": "lives"})

    def test_roles_go_where_they_are_sent(self):
        self.assertTrue(until(lambda: self.holder("crl:issuing") == "main"))
        self.second.start()
        self.becomes({"main": "lives", "second": "lives"})
        for to, asked in (("second", self.node), ("main", self.node), ("second", self.second)):
            begun = time.monotonic()
            moved = asked.json("role", "move", "crl:issuing", "--to", to)
            self.assertEqual((moved["role"], moved["node"]), ("crl:issuing", to))
            self.assertLess(time.monotonic() - begun, 5)
            self.assertEqual(self.holder("crl:issuing"), to)
        asked.json("role", "move", "crl:issuing", "--to", "second")  # where it is already
        self.assertTrue(until(lambda: any("role.moved" in row["line"] for row in self.node.items("audit", "tail", "--lines", "100"))))
        # Whoever is asked, the holder makes it, and it is served here when that is said.
        for asked in (self.node, self.second, self.node):
            served = asked.json("crl", "show", "issuing")["number"]
            made = asked.items("crl", "generate", "issuing")[0]
            self.assertGreater(made["number"], served)
            self.assertEqual(asked.json("crl", "show", "issuing")["number"], made["number"])
            self.assertEqual(self.holder("crl:issuing"), "second")
        self.assertTrue(until(lambda: "crl:issuing" in next(row for row in self.node.items("nodes") if row["node"] == "second")["roles"]))
        self.assertIn('no role "crl:isuing"; did you mean', self.node.error("role", "move", "crl:isuing", "--to", "main"))
        self.assertIn('no node "secnd"', self.node.error("role", "move", "crl:issuing", "--to", "secnd"))
        self.second.kill()
        self.becomes({"main": "lives", "second": "late"})
        self.assertIn("node second does not live", self.node.error("role", "move", "crl:root", "--to", "second"))
        self.assertTrue(until(lambda: self.node.run("role", "move", "crl:issuing", "--to", "main", status=None).returncode == 0, 20))
        self.node.out("crl", "generate", "issuing")


class Alone(unittest.TestCase):
    @unittest.skipUnless(STORAGE == "sqlite", "setup: is about a storage of one node")
    def test_one_node_is_all_there_is(self):
        with Node(VALIDITY, crl="", ocsp="") as node:
            node.init()
            self.assertEqual([(row["node"], row["state"]) for row in node.items("nodes")], [("main", "stopped")])
            node.start()
            self.assertEqual([(row["node"], row["state"]) for row in node.items("nodes")], [("main", "lives")])
            self.assertTrue(until(lambda: any(row["role"] == "crl:issuing" and row["node"] == "main" for row in node.items("roles"))))
            self.assertIn("whose storage several nodes share", node.error("role", "move", "crl:issuing", "--to", "main"))


if __name__ == "__main__":
    main()
