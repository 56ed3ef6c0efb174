#!/usr/bin/python3
"""What balancers, floating addresses and scripts see of a node that starts, stops, is killed, or cannot issue."""
import contextlib
import http.client
import os
import signal
import threading
import time
import unittest

from harness import BASE, Node, main, only
from validity import until

TRACKED = BASE.replace('lame_duck = "0s"\n', 'lame_duck = "2s"\ntrack_file = "{state}/../issue"\ntrack_file_status = "{state}/../status"\n')
PLAIN = BASE.replace('lame_duck = "0s"\n', 'lame_duck = "2s"\n')


def children(pid):
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found


class Tracked(unittest.TestCase):
    def setUp(self):
        self.node = Node(TRACKED)
        self.addCleanup(self.node.close)
        self.node.init().start()

    def weights(self):
        return tuple((self.node.folder / name).read_text().strip() for name in ("issue", "status"))

    def become(self, *weights):
        self.assertTrue(until(lambda: self.weights() == weights, 5), self.weights())

    def test_files_follow_the_node_and_are_right_when_it_is_killed(self):
        self.become("0", "0")
        self.assertEqual((self.node.folder / "issue").stat().st_mode & 0o777, 0o644)
        self.node.kill()
        begun = time.monotonic()
        self.become("-254", "-60")
        self.assertLess(time.monotonic() - begun, 0.5)
        self.node.start()
        self.become("0", "0")
        stopping = threading.Thread(target=self.node.stop)
        stopping.start()
        self.assertEqual(self.node.becomes(503)[0], 503)
        self.assertEqual(self.weights(), ("0", "0"))  # the address goes last
        self.become("-254", "-60")
        self.assertEqual(self.node.get("/roots.pem")[0], 200)  # and what comes still is served
        stopping.join()
        self.assertEqual(self.weights(), ("-254", "-60"))

    def test_files_say_that_it_hangs_and_that_it_runs_again(self):
        self.become("0", "0")
        self.node.signal(signal.SIGSTOP)
        begun = time.monotonic()
        self.become("-254", "-60")
        self.assertGreater(time.monotonic() - begun, 1)
        self.node.signal(signal.SIGCONT)
        self.become("0", "0")
        self.assertIn("this process did not run for some seconds", self.node.log_text())

    def test_the_watching_child_is_no_weak_point(self):
        self.become("0", "0")
        (child,) = children(self.node.process.pid)
        self.assertEqual(os.listdir(f"/proc/{child}/fd"), ["0"])  # it keeps nobody's lock, socket or secret open
        for harmless in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(child, harmless)
        time.sleep(0.3)
        self.assertEqual(children(self.node.process.pid), [child])
        os.kill(child, signal.SIGKILL)
        self.assertTrue(until(lambda: children(self.node.process.pid) not in ([], [child])))
        self.become("0", "0")
        (child,) = children(self.node.process.pid)
        self.node.kill()
        self.become("-254", "-60")
        self.assertTrue(until(lambda: not os.path.exists(f"/proc/{child}/fd/0")))

    def test_a_file_that_cannot_be_written_stops_the_start(self):
        self.node.stop()
        self.node.config.write_text(self.node.config.read_text().replace("../issue", "../nowhere/issue"))
        self.assertIn("nowhere/issue: cannot be written: No such file or directory", self.node.failed_start())


class LameDuck(unittest.TestCase):
    def setUp(self):
        self.node = Node(PLAIN)
        self.addCleanup(self.node.close)
        self.node.init().start()

    def stop_in_the_background(self, how):
        begun, ended = time.monotonic(), []

        def run():
            how()
            self.node.process.wait(30)
            ended.append(time.monotonic() - begun)
        thread = threading.Thread(target=run)
        thread.start()
        return thread, ended

    def test_it_says_not_ready_and_serves_on_and_tells_connections_to_close(self):
        for how in (lambda: self.node.signal(signal.SIGTERM), lambda: self.node.out("drain")):
            kept = http.client.HTTPConnection("127.0.0.1", self.node.http, timeout=10)
            kept.request("GET", "/roots.pem")
            answer = kept.getresponse()
            answer.read()
            self.assertIsNone(answer.headers["Connection"])
            thread, ended = self.stop_in_the_background(how)
            self.assertEqual(self.node.becomes(503)[0], 503)
            self.assertIn("shutting down", self.node.get("/health/ready")[1])
            self.assertEqual(self.node.get("/health/live")[0], 200)
            self.assertEqual(self.node.run("health", status=1).stderr, "hanaper: serving: shutting down\n")
            kept.request("GET", "/roots.pem")
            answer = kept.getresponse()
            self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
            self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / f"{how.__hash__()}.key")
            thread.join()
            self.assertGreaterEqual(ended[0], 2)
            self.assertEqual(self.node.process.returncode, 0)
            self.node.start()

    def test_nobody_waits_where_nobody_asks(self):
        self.node.stop()
        self.node.spawn()
        self.assertTrue(until(lambda: self.node.log_text().count("ready version") == 2))
        begun = time.monotonic()
        self.assertEqual(self.node.stop(), 0)
        self.assertLess(time.monotonic() - begun, 1.5)


class Health(unittest.TestCase):
    def test_a_script_learns_by_the_exit_code(self):
        with Node(BASE) as node:
            self.assertEqual(node.error("health"), "no daemon answers")
            node.init().start()
            for words in ((), ("issue",), ("status",)):
                self.assertEqual(node.out("health", *words), "ready\n")
            done = node.run("health", "node", status=None)
            self.assertEqual(done.stdout + done.stderr, "good\n")
            self.assertEqual(node.json("health")["status"], "ready")
            self.assertIn("issue, status or node is expected", node.error("health", "ready", status=2))
            self.assertIn("no daemon answers at", self.after_stop(node))

    def after_stop(self, node):
        node.stop()
        self.assertEqual(node.error("health"), "no daemon answers")
        return node.error("drain")

    @only(storage="sqlite", keys="softtoken")
    def test_it_answers_whatever_the_daemon_does(self):
        with Node(BASE) as node:
            node.init().start()
            node.signal(signal.SIGSTOP)
            try:
                begun = time.monotonic()
                self.assertEqual(node.error("health"), "the daemon does not answer")
                self.assertLess(time.monotonic() - begun, 5)
            finally:
                node.signal(signal.SIGCONT)
            self.assertEqual(node.out("health"), "ready\n")


if __name__ == "__main__":
    main()
