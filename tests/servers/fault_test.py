#!/usr/bin/python3
"""Servers that die and networks that break, under a storage plugin: nothing acknowledged is lost, nothing is written
twice, and service comes back by itself.

    fault_test.py mariadb|postgresql DRIVER PLUGIN.so
"""
import queue
import subprocess
import sys
import threading
import time
import unittest

import proxy
import servers

KIND, DRIVER, PLUGIN = sys.argv[1:4]
COMMIT = {"mariadb": b"\x03COMMIT", "postgresql": b"COMMIT\0"}[KIND]  # as it looks on the wire


class Driver:
    """tests/servers/storage_driver, its answers and what a load has said."""

    def __init__(self, *settings):
        self.process = subprocess.Popen([DRIVER, PLUGIN, *settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers, self.acknowledged, self.failed = queue.Queue(), [], []
        threading.Thread(target=self.read, daemon=True).start()
        self.started = self.answers.get(timeout=60)

    def read(self):
        for line in self.process.stdout:
            line = line.rstrip("\n")
            word, _, rest = line.partition(" ")
            if word == "ack":
                self.acknowledged.append(rest)
            elif word == "failed":
                self.failed.append(rest)
            else:
                self.answers.put(line)

    def ask(self, line, seconds=60):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answers.get(timeout=seconds)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(servers.running(KIND)) if hasattr(cls, "enterClassContext") else cls.open_server()

    @classmethod
    def open_server(cls):
        server = servers.running(KIND)
        cls.addClassCleanup(lambda: server.__exit__(None, None, None))
        return server.__enter__()

    def setUp(self):
        subprocess.run(self.server.reset_word, shell=True, check=True)
        self.proxy = proxy.Proxy(self.server.port)
        self.addCleanup(self.proxy.close)

    def drive(self, *hosts, **settings):
        hosts = hosts or (f"127.0.0.1:{self.proxy.port}",)
        words = {"hosts": ",".join(hosts), "password": servers.PASSWORD, **settings}
        driver = Driver(*(f"{key}={value}" for key, value in words.items()))
        self.addCleanup(driver.close)
        return driver

    def started(self, *hosts, **settings):
        driver = self.drive(*hosts, **settings)
        self.assertEqual(driver.started, "ok")
        self.assertEqual(driver.ask("put first 1"), "ok")
        return driver

    def version(self, key):
        return self.server.sql(f"SELECT version FROM record WHERE collection = 'driver' AND item = '{key}'")

    def number(self):
        return int(self.server.sql("SELECT number FROM writer WHERE node = 'driver'"))

    def error(self, kind):
        """What the server would say."""
        if KIND == "mariadb":
            return proxy.mariadb_error(*{"conflict": (1213, "40001"), "no quorum": (1047, "08S01"), "broken off": (1180, "HY000"), "read-only": (1290, "HY000")}[kind])
        return proxy.postgresql_error({"conflict": "40001", "read-only": "25006"}[kind])

    def fault_at_commit(self, action, connections_stay=False):
        driver = self.started()
        before = self.number()
        self.proxy.once(COMMIT, action)
        self.assertEqual(driver.ask("put second 2"), "ok")
        self.assertTrue(self.proxy.fired.is_set())
        self.assertEqual(self.version("second"), "1")
        self.assertEqual(self.number(), before + 1, "written once")
        self.assertEqual(driver.ask("put third 3"), "ok")
        self.assertEqual(driver.ask("get second"), "ok 2")
        self.assertEqual(driver.ask("health"), "ok")

    def test_a_connection_cut_before_the_commit_arrives_costs_a_retry(self):
        self.fault_at_commit(lambda link, piece: link.cut_before(piece))

    def test_a_commit_whose_answer_was_cut_off_is_read_back(self):
        self.fault_at_commit(lambda link, piece: link.cut_after(piece))

    def test_a_commit_that_arrives_after_the_cut_is_waited_for(self):
        self.fault_at_commit(lambda link, piece: link.deliver_late(piece))

    def test_a_conflict_at_commit_is_retried(self):
        self.fault_at_commit(lambda link, piece: link.answer(self.error("conflict")))

    def test_a_first_batch_whose_answer_was_cut_off_is_read_back(self):
        driver = self.drive()
        self.assertEqual(driver.started, "ok")
        self.proxy.once(COMMIT, lambda link, piece: link.deliver_late(piece))
        self.assertEqual(driver.ask("put first 1"), "ok")
        self.assertEqual(self.number(), 1)

    def test_an_update_is_applied_once_whatever_happens_to_its_commit(self):
        driver = self.started()
        actions = [lambda link, piece: link.cut_before(piece), lambda link, piece: link.cut_after(piece),
                   lambda link, piece: link.deliver_late(piece, 0.3), lambda link, piece: link.answer(self.error("conflict"))]
        for version, action in enumerate(actions * 3, start=1):
            self.proxy.once(COMMIT, action)
            self.assertEqual(driver.ask(f"put first v{version} {version}"), "ok")
        self.assertEqual(self.version("first"), str(1 + 3 * len(actions)))

    def test_another_writers_batch_is_not_taken_for_ours(self):
        driver = self.started()
        number = self.number()

        def usurp(link, _):
            link.cut_server()  # which takes its transaction back
            self.server.sql(f"UPDATE writer SET number = {number + 1}, token = '{'07' * 16}' WHERE node = 'driver'")
            link.close()
        self.proxy.once(COMMIT, usurp)
        self.assertRegex(driver.ask("put second 2"), 'conflict: another process writes to .* under the node name "driver"')
        self.assertEqual(self.version("second"), "")

    @unittest.skipUnless(KIND == "mariadb", "setup: the cluster's errors")
    def test_a_commit_that_the_cluster_broke_off_is_read_back_on_another_connection(self):
        links = []

        def break_off(link, piece):
            links.append(link)
            link.falsify(piece, self.error("broken off"))
        self.fault_at_commit(break_off)
        self.assertNotIn(b"ROLLBACK", links[0].sent.rpartition(b"COMMIT")[2])

    @unittest.skipUnless(KIND == "mariadb", "setup: the cluster's errors")
    def test_a_node_without_quorum_is_closed_and_never_used_again(self):
        driver = self.started()
        links = []

        def no_quorum(link, _):
            links.append(link)
            link.answer(self.error("no quorum"))
        self.proxy.once(b"second", no_quorum)  # in the middle of a transaction that has advanced the writer's row
        self.assertEqual(driver.ask("put second 2"), "ok")
        rest = links[0].sent.rpartition(b"second")[2]
        self.assertNotIn(b"ROLLBACK", rest)
        self.assertNotIn(b"START TRANSACTION", rest)
        self.assertNotIn(b"COMMIT", rest)
        self.assertEqual(self.number(), 2)

    @unittest.skipUnless(KIND == "mariadb", "setup: the cluster's errors")
    def test_a_node_that_stays_without_quorum_is_not_well_at_once(self):
        driver = self.started()
        refusal = lambda link, piece: (b"schema_version" in piece or b"START" in piece) and (link.answer(self.error("no quorum")) or True)
        self.proxy.rule = refusal
        start = time.monotonic()
        self.assertRegex(driver.ask("put second 2"), "unavailable: .*not in the quorum of its cluster")
        self.assertLess(time.monotonic() - start, 2)
        self.assertRegex(driver.ask("health"), "unavailable: .*not in the quorum")
        self.proxy.rule = None
        self.assertEqual(driver.ask("probe"), "ok")
        self.assertEqual(driver.ask("health"), "ok", "well again by itself")
        self.assertEqual(driver.ask("put second 2"), "ok")

    def test_a_server_that_is_gone_is_noticed_by_the_probe_and_so_is_its_return(self):
        driver = self.started()
        self.proxy.refusing = True
        for link in self.proxy.links:
            link.close()
        driver.ask("probe")
        self.assertRegex(driver.ask("health"), "unavailable: ")
        self.assertRegex(driver.ask("put second 2"), "unavailable: ")
        self.proxy.refusing = False
        driver.ask("probe")
        self.assertEqual(driver.ask("health"), "ok")
        self.assertEqual(driver.ask("put second 2"), "ok")

    def test_a_cut_while_idle_is_not_noticed_by_anybody(self):
        driver = self.started()
        self.assertEqual(driver.ask("get first"), "ok 1")
        for link in self.proxy.links:
            link.close()
        self.assertEqual(driver.ask("get first"), "ok 1")
        self.assertEqual(driver.ask("put second 2"), "ok")
        self.assertEqual(driver.ask("lease job me"), "ok 1")

    def test_the_next_host_takes_over_when_the_first_is_gone(self):
        driver = self.started(f"127.0.0.1:{self.proxy.port}", f"127.0.0.1:{self.server.port}")
        self.proxy.refusing = True
        for link in self.proxy.links:
            link.close()
        self.assertEqual(driver.ask("put second 2"), "ok")
        self.assertEqual(driver.ask("get second"), "ok 2")
        self.assertEqual(driver.ask("health"), "ok")

    def test_a_server_that_hangs_is_left_and_come_back_to(self):
        other = proxy.Proxy(self.server.port)
        self.addCleanup(other.close)
        driver = self.started(f"127.0.0.1:{self.proxy.port}", f"127.0.0.1:{other.port}")
        self.assertEqual(driver.ask("load"), "ok")
        self.assertTrue(wait_until(lambda: len(driver.acknowledged) > 20))
        self.assertFalse(any(COMMIT in link.sent for link in other.links))
        for _ in range(2):
            self.proxy.rule = lambda link, piece: True  # nothing passes any more
            begun, seen = time.monotonic(), len(driver.acknowledged)
            said = []
            while len(driver.acknowledged) < seen + 20 and time.monotonic() < begun + 15:
                driver.ask("probe-aside")
                said.append(driver.ask("health"))
                time.sleep(0.05)
            self.assertLess(time.monotonic() - begun, 4)
            self.assertEqual(set(said), {"ok"})
            self.assertTrue(any(COMMIT in link.sent for link in other.links))
            for link in self.proxy.links:
                link.sent = b""
            self.proxy.rule = None
            self.assertTrue(wait_until(lambda: any(COMMIT in link.sent for link in self.proxy.links), 20), "come back to")
            for link in other.links:
                link.sent = b""
            seen = len(driver.acknowledged)
            self.assertTrue(wait_until(lambda: len(driver.acknowledged) > seen + 50))
            self.assertFalse(any(COMMIT in link.sent for link in other.links))
            self.assertEqual(driver.ask("get first"), "ok 1")
        self.assertEqual(driver.ask("end"), "ok")
        self.assertEqual(driver.failed, [])
        self.assertEqual(int(self.server.sql("SELECT COUNT(*) FROM record WHERE collection = 'driver' AND item LIKE 'load-%'")), len(driver.acknowledged))

    def test_where_both_are_gone_the_one_that_comes_first_is_taken(self):
        other = proxy.Proxy(self.server.port)
        self.addCleanup(other.close)
        driver = self.started(f"127.0.0.1:{self.proxy.port}", f"127.0.0.1:{other.port}")
        for each in (self.proxy, other):
            each.refusing = True
            for link in each.links:
                link.close()
        self.assertRegex(driver.ask("put second 2"), "unavailable: .*127.0.0.1:.*; 127.0.0.1:")
        other.refusing = False
        self.assertTrue(wait_until(lambda: driver.ask("put second 2") == "ok", 10))
        self.assertEqual(driver.ask("get second"), "ok 2")
        self.proxy.refusing = False
        count = 0
        def comes_back():
            nonlocal count
            count += 1
            self.assertEqual(driver.ask(f"put more-{count} 1"), "ok")
            time.sleep(0.1)
            return any(COMMIT in link.sent for link in self.proxy.links[-8:])
        self.assertTrue(wait_until(comes_back, 20))

    def test_a_server_that_hangs_costs_no_more_than_the_timeout(self):
        driver = self.started(timeout="1s")
        self.proxy.rule = lambda link, piece: True  # nothing passes any more
        start = time.monotonic()
        self.assertRegex(driver.ask("get first"), "unavailable: ")
        self.assertLess(time.monotonic() - start, 15)
        self.proxy.rule = None
        self.assertEqual(driver.ask("get first"), "ok 1")

    def test_a_server_that_hangs_is_not_well_after_a_while_and_well_again_by_itself(self):
        driver = self.started()
        self.assertEqual(driver.ask("probe"), "ok")
        self.proxy.rule = lambda link, piece: True
        start = time.monotonic()
        self.assertEqual(driver.ask("probe-aside"), "ok")
        self.assertEqual(driver.ask("health"), "ok", "a cluster that throws out a dead member stands still no longer")
        self.assertTrue(wait_until(lambda: driver.ask("health") != "ok", 10))
        self.assertRegex(driver.ask("health"), "unavailable: .*does not answer")
        self.assertTrue(2 < time.monotonic() - start < 5)
        self.proxy.rule = None
        self.assertTrue(wait_until(lambda: driver.ask("probe") == "ok" and driver.ask("health") == "ok", 20))

    def test_a_user_that_may_only_write_rows_can_start_once_the_tables_are_there(self):
        self.started()
        if KIND == "mariadb":
            self.server.sql("CREATE USER clerk IDENTIFIED BY 'clerk'; GRANT SELECT, INSERT, UPDATE, DELETE ON hanaper.* TO clerk")
            self.addCleanup(lambda: self.server.sql("DROP USER clerk"))
        else:
            self.server.sql("CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT USAGE ON SCHEMA public TO clerk; "
                            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk")
            self.addCleanup(lambda: self.server.sql("DROP OWNED BY clerk; DROP ROLE clerk"))
        driver = self.drive(user="clerk", password="clerk")
        self.assertEqual(driver.started, "ok")
        self.assertEqual(driver.ask("put second 2"), "ok")

    def test_kills_in_the_middle_of_load_lose_nothing(self):
        driver = self.started(f"127.0.0.1:{self.server.port}")
        self.assertEqual(driver.ask("load"), "ok")
        for kill in range(4):
            so_far = len(driver.acknowledged)
            self.assertTrue(wait_until(lambda: len(driver.acknowledged) > so_far + 50), f"no service before kill {kill}: {driver.failed[-1:]}")
            if kill % 2 == 0:
                self.server.kill()
            else:
                self.server.stop()
            self.server.start()
        so_far = len(driver.acknowledged)
        self.assertTrue(wait_until(lambda: len(driver.acknowledged) > so_far + 50), f"service did not come back: {driver.failed[-1:]}")
        self.assertEqual(driver.ask("end"), "ok")
        stored = self.server.sql("SELECT item FROM record WHERE collection = 'driver'").split("\n")
        self.assertEqual(len(stored), len(set(stored)))
        self.assertEqual(set(driver.acknowledged) - set(stored), set(), "acknowledged and lost")
        print(f"{len(driver.acknowledged)} acknowledged, {len(driver.failed)} refused, 4 restarts")

    def test_what_is_wrong_with_a_server_is_said(self):
        # Whoever may not create tables is told so, and the password is in no message.
        table = [({"password": "wrong"}, r"(access denied|password authentication failed)"), ({"database": "none"}, r"(no database of that name|may not use the database|does not exist)")]
        for settings, expected in table:
            with self.subTest(**settings):
                driver = self.drive(**settings)
                self.assertRegex(driver.started, f"unavailable: {KIND} .*{expected}")
                self.assertNotIn(settings.get("password", servers.PASSWORD), driver.started)

    def test_a_start_before_the_server_is_there_succeeds_and_all_comes_by_itself(self):
        self.server.stop()
        try:
            driver = self.drive(f"127.0.0.1:{self.server.port}")
            self.assertEqual(driver.started, "ok")
            for line in ("health", "put first 1", "get first", "lease job me", "health"):
                self.assertRegex(driver.ask(line), f"unavailable: {KIND} .*(nobody answers there|refused)")
        finally:
            self.server.start()
        self.assertTrue(wait_until(lambda: driver.ask("probe") == "ok" and driver.ask("health") == "ok"), driver.ask("health"))
        self.assertEqual(driver.ask("put first 1"), "ok", "the tables are there")
        self.assertEqual(driver.ask("get first"), "ok 1")
        self.assertEqual(driver.ask("lease job me"), "ok 1")
        self.assertEqual(self.number(), 1)

    def test_a_call_opens_it_too_when_nobody_probes(self):
        self.proxy.refusing = True
        driver = self.drive()
        self.assertEqual(driver.started, "ok")
        self.assertRegex(driver.ask("put first 1"), "unavailable: ")
        self.proxy.refusing = False
        self.assertTrue(wait_until(lambda: driver.ask("put first 1") == "ok"))
        self.assertEqual(driver.ask("health"), "ok")

    def test_a_server_that_comes_with_another_schema_is_not_used(self):
        self.started()
        before = self.number()
        self.proxy.refusing = True
        driver = self.drive()
        self.assertEqual(driver.started, "ok")
        self.server.sql("UPDATE schema_version SET number = 99")
        self.proxy.refusing = False
        newer = "has schema 99; this program knows up to"
        self.assertTrue(wait_until(lambda: newer in driver.ask("get first")), driver.ask("health"))
        for line in ("health", "put second 2", "get first", "lease job me"):
            self.assertIn(newer, driver.ask(line))
        self.assertEqual(self.number(), before)

    def test_a_read_only_server_is_said_and_passed_over(self):
        switch = ("SET GLOBAL read_only = {}", "1", "0") if KIND == "mariadb" else (f"ALTER DATABASE {servers.DATABASE} SET default_transaction_read_only = {{}}", "on", "off")
        self.addCleanup(lambda: self.server.sql(switch[0].format(switch[2]), database=None))
        self.server.sql(switch[0].format(switch[1]), database=None)
        driver = self.drive()
        self.assertEqual(driver.started, "ok", "it may be about to change")
        self.assertRegex(driver.ask("health"), "unavailable: .*the server is read-only; name the one that takes writes")

    @unittest.skipUnless(KIND == "postgresql", "setup: MariaDB's tables bring their character set")
    def test_another_encoding_is_said(self):
        self.server.sql("CREATE DATABASE latin OWNER hanaper TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", database=None)
        self.assertRegex(self.drive(database="latin").started, "unavailable: .*has the encoding LATIN1; create it with ENCODING 'UTF8'")

    def test_a_missing_right_is_said(self):
        self.server.sql("CREATE USER guest IDENTIFIED BY 'guest'; GRANT SELECT ON hanaper.* TO guest" if KIND == "mariadb"
                        else "CREATE ROLE guest LOGIN PASSWORD 'guest'; GRANT CONNECT ON DATABASE hanaper TO guest")
        self.addCleanup(lambda: self.server.sql("DROP USER guest" if KIND == "mariadb" else "REVOKE ALL ON DATABASE hanaper FROM guest; DROP ROLE guest"))
        self.assertRegex(self.drive(user="guest", password="guest").started, "unavailable: .*lacks a right")

    def test_tls_is_used_when_an_issuer_is_named_and_nothing_else_will_do(self):
        direct = f"127.0.0.1:{self.server.port}"
        self.started(direct, **{"tls.ca": str(self.server.ca)})
        driver = self.drive(direct, **{"tls.ca": str(self.server.server_certificate)})  # that of nobody's issuer
        self.assertEqual(driver.started, "ok", "it may be about to change")
        self.assertRegex(driver.ask("health"), "unavailable: ")


if __name__ == "__main__":
    try:
        program = unittest.main(argv=[sys.argv[0], *sys.argv[4:]], exit=False, verbosity=2)
    except servers.Missing as missing:
        print(f"SKIP {KIND}: {missing}")
        sys.exit(77)
    sys.exit(0 if program.result.wasSuccessful() else 1)
