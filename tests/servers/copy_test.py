#!/usr/bin/python3
"""A whole CA moves from SQLite to MariaDB, on to PostgreSQL and back, by a copy or a backup, row by row the same, and works there."""
import contextlib
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import servers  # noqa: E402
from harness import BASE, HANAPER, Node, main, make_csr  # noqa: E402


def storage(server):
    return (f'[storage.main]\nplugin = "{server.kind}"\nhosts = ["127.0.0.1:{server.port}"]\n'
            f'password = {{{{ file = "{server.password_file}" }}}}\ntls.ca = "{server.ca}"\n')


class Copy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {}
        for kind in servers.KINDS:
            try:
                server = servers.KINDS[kind]()
            except servers.Missing as missing:
                raise unittest.SkipTest(f"{kind}: {missing}")
            cls.addClassCleanup(server.__exit__)
            cls.servers[kind] = server.__enter__()

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)
        self.node.init()
        for i in range(4):
            _, csr = make_csr(self.node.folder, [f"host{i}.example.test"], name=f"csr{i}")
            self.node.out("issue", "--csr", csr, "--out", self.node.folder / f"{i}.pem")
        self.node.out("revoke", "--reason", "superseded", self.node.folder / "0.pem")
        for server in self.servers.values():
            subprocess.run(server.reset_word, shell=True, check=True)

    def configuration(self, text, name="new.toml"):
        path = self.node.folder / name
        old, config = self.node.config, self.node.folder / name
        self.node.config = path
        self.node.write_config(BASE.replace('[storage.main]\nplugin = "sqlite"\n', text))
        self.node.config = old
        return config

    def copy(self, target, **options):
        return self.node.run("storage", "copy", target, **options)

    @contextlib.contextmanager
    def serving_from(self, server):
        """The daemon, on a copy of the ledger in that server; afterwards the configuration is what it was."""
        target = self.configuration(storage(server), f"{server.kind}.toml")
        self.copy(target)
        old, self.node.config = self.node.config, target
        self.addCleanup(self.node.kill)
        self.node.start()
        yield
        self.assertEqual(self.node.stop(), 0)
        self.node.config = old

    def is_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.node.get("/health/ready")[0] == 200:
                return True
            time.sleep(0.05)
        return False

    def contents(self):
        return self.node.out("list", "--json"), self.node.out("audit", "verify"), self.node.json("storage", "check")

    def test_a_ca_moves_there_and_back_and_stays_the_same(self):
        first = self.contents()
        places = [storage(self.servers["mariadb"]), storage(self.servers["postgresql"]), '[storage.main]\nplugin = "sqlite"\nfile = "back.db"\n']
        for number, place in enumerate(places):
            target = self.configuration(place, f"{number}.toml")
            self.assertIn("certificate", self.copy(target).stdout)
            self.node.config = target
            self.assertEqual(self.contents(), first)
        # It goes on where it was: numbers, audit and revocations.
        _, csr = make_csr(self.node.folder, ["later.example.test"])
        self.node.out("issue", "--csr", csr, "--out", self.node.folder / "later.pem")
        self.assertIn("unbroken", self.node.out("audit", "verify"))
        self.assertIn("is revoked already", self.node.out("revoke", self.node.folder / "0.pem"))

    def test_a_ca_serves_from_a_server_and_survives_its_restart(self):
        for server in self.servers.values():
            with self.subTest(server.kind), self.serving_from(server):
                server.stop()
                _, csr = make_csr(self.node.folder, ["down.example.test"])
                self.assertRegex(self.node.error("issue", "--csr", csr, "--out", self.node.folder / "down.pem"), server.kind)
                server.start()
                self.assertTrue(self.is_ready(), self.node.log_text())
                self.node.out("issue", "--csr", csr, "--out", self.node.folder / "up.pem")

    def test_a_copy_that_was_broken_off_is_taken_up_again(self):
        server = self.servers["mariadb"]
        target = self.configuration(storage(server))
        self.copy(target)
        # As far as a copy came that ended in the middle of the certificates.
        server.sql("DELETE FROM writer; DELETE FROM audit; DELETE FROM signature; DELETE FROM certificate ORDER BY authority DESC, serial DESC LIMIT 2")
        kept = int(server.sql("SELECT COUNT(*) FROM certificate"))
        self.assertGreater(kept, 0)
        self.copy(target)
        before = self.contents()
        self.node.config = target
        self.assertEqual(self.contents(), before)

    def test_a_storage_that_is_in_use_is_not_written_to(self):
        target = self.configuration(storage(self.servers["postgresql"]))
        self.copy(target)
        self.assertEqual(self.node.error("storage", "copy", target), "storage.main of the new configuration is in use already; name an empty one")

    def test_a_copy_that_differs_is_told(self):
        server = self.servers["postgresql"]
        target = self.configuration(storage(server))
        self.copy(target)
        server.sql("DELETE FROM writer; UPDATE audit SET lines = 'made up'")
        self.assertRegex(self.node.error("storage", "copy", target), r"table audit has (\d+) rows and \1 copied, and they differ; stop every node")

    def test_a_backup_goes_into_a_database_of_another_kind(self):
        listed = self.node.out("list", "--json")
        self.node.config = self.configuration(storage(self.servers["mariadb"]), "0.toml")
        self.copy_back_from_sqlite(self.node.config)
        places = [storage(self.servers["postgresql"]), '[storage.file]\nplugin = "sqlite"\n']
        for number, place in enumerate(places, 1):
            backup = self.node.folder / f"{number}.tar"
            self.node.out("backup", backup)
            self.node.empty_state()
            self.node.config = self.configuration(place, f"{number}.toml")
            self.node.out("restore", backup)
            self.assertEqual(self.node.out("list", "--json"), listed)
            self.assertIn("unbroken", self.node.out("audit", "verify"))
        # A file's own copy is for a file.
        backup = self.node.folder / "file.tar"
        self.node.out("backup", backup)
        self.node.empty_state()
        self.node.config = self.configuration(storage(self.servers["mariadb"]), "0.toml")
        self.assertRegex(self.node.error("restore", backup), "holds the ledger as a file of another kind of storage than storage.main; restore it with its own configuration")

    def copy_back_from_sqlite(self, target):
        """The ledger that setUp has made, into the storage of another configuration."""
        source = self.configuration('[storage.main]\nplugin = "sqlite"\n', "source.toml")
        subprocess.run([HANAPER, "storage", "copy", target, "-c", source], check=True, capture_output=True)

    def test_a_backup_says_that_the_database_is_away_and_leaves_nothing(self):
        for server in self.servers.values():
            with self.subTest(server.kind), self.serving_from(server):
                server.stop()
                self.assertRegex(self.node.error("backup", self.node.folder / "away.tar"), server.kind)
                self.assertEqual([path.name for path in self.node.folder.glob("*.tar*")] + [path.name for path in self.node.state.glob("*.tar")], [])
                server.start()
                self.assertTrue(self.is_ready(), self.node.log_text())
                self.node.out("backup", self.node.folder / f"{server.kind}.tar")
                (self.node.folder / f"{server.kind}.tar").unlink()

    def test_the_daemon_has_to_be_stopped(self):
        self.node.start()
        self.assertRegex(self.node.error("storage", "check"), "stop the daemon first")

    def test_misuse_is_told(self):
        self.assertIn("NEW_CONFIG is missing", self.node.error("storage", "copy", status=2))
        self.assertIn("there are storage migrate, storage check, storage copy", self.node.error("storage", "mend", status=2))
        self.assertEqual(self.node.out("storage", "migrate"), "storage.main: schema is up to date\n")


if __name__ == "__main__":
    main()
