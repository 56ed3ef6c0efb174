#!/usr/bin/python3
"""A full disk: a clear error, nothing half-written, and service again when there is space."""
import base64
import os
import subprocess
import unittest

from harness import Control, Failed, Node, main, make_csr, openssl, only


@only(storage="sqlite")
class DiskFull(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("root: mounting a small tmpfs needs root")
        self.node = Node()
        self.addCleanup(self.node.close)
        self.node.state.mkdir(mode=0o700)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", self.node.state], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"mounts: a tmpfs cannot be mounted here: {done.stderr.strip()}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.node.state], check=False))

    def tearDown(self):
        self.node.kill()

    def test_issuance_stops_with_a_clear_error_and_comes_back_with_space(self):
        node = self.node.init().start()
        _, csr = make_csr(node.folder, ["disk.example.test"])
        openssl("req", "-in", csr, "-outform", "DER", "-out", node.folder / "csr.der")
        request = base64.b64encode((node.folder / "csr.der").read_bytes()).decode()
        control = Control(node)
        issued, failure = set(), None
        for _ in range(20000):
            try:
                issued.add(control.run("issue", pipeline="web", csr=request)["serial"])
            except Failed as error:
                failure = str(error)
                break
        self.assertIsNotNone(failure, "the disk never filled up")
        self.assertIn("hanaper.db: no space left for the database; free some, writing goes on by itself", failure)
        status, body, _ = node.becomes(503)
        self.assertEqual(status, 503)
        self.assertIn("no space left", body)
        self.assertIn("writing has failed; issuance stops until it works again", node.log_text())
        # Reading goes on.
        self.assertEqual(len(node.items("list", "--limit", "3")), 3)
        self.assertEqual(node.get("/health/live")[0], 200)
        # Space returns, service returns, and nothing of before is lost.
        subprocess.run(["mount", "-o", "remount,size=64m", node.state], check=True)
        issued.add(control.run("issue", pipeline="web", csr=request)["serial"])
        self.assertEqual(node.becomes(200)[0], 200)
        control.close()
        self.assertIn("unbroken", node.out("audit", "verify"))
        listed = {row["serial"] for row in node.items("list", "--authority", "issuing", "--state", "issued")}
        self.assertEqual(issued - listed, set())
        self.assertEqual(node.stop(), 0)
        node.start()
        self.assertEqual(node.stop(), 0)

    def test_what_is_kept_free_is_for_revocations_and_lists(self):
        subprocess.run(["mount", "-o", "remount,size=40m", self.node.state], check=True)
        node = self.node
        node.config.write_text(node.config.read_text().replace("[node]\n", '[node]\ndisk_reserve = "2MiB"\n'))
        node.init().start()
        _, csr = make_csr(node.folder, ["disk.example.test"])
        openssl("req", "-in", csr, "-outform", "DER", "-out", node.folder / "csr.der")
        request = base64.b64encode((node.folder / "csr.der").read_bytes()).decode()
        control = Control(node)
        serial = control.run("issue", pipeline="web", csr=request)["serial"]
        self.assertEqual(node.becomes(200)[0], 200)
        room = os.statvfs(node.state)
        with open(node.state / "ballast", "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, room.f_bavail * room.f_frsize - 1024 * 1024)
        status, body, _ = node.becomes(503)
        self.assertEqual(status, 503)
        self.assertIn("less than 2MiB are free", body)
        with self.assertRaisesRegex(Failed, "nothing is issued until there is more"):
            control.run("issue", pipeline="web", csr=request)
        control.run("revoke", certificate=serial, reason="superseded")
        self.assertEqual(node.get("/health/status")[0], 200)
        (node.state / "ballast").unlink()
        self.assertEqual(node.becomes(200)[0], 200)
        control.run("issue", pipeline="web", csr=request)
        control.close()
        self.assertEqual(node.stop(), 0)

    def test_init_on_a_full_disk_leaves_nothing_half_made(self):
        filler = self.node.state / "filler"
        with open(filler, "wb") as file:
            try:
                while file.write(bytes(65536)):
                    file.flush()
            except OSError:
                pass
        line = self.node.run("init", status=None)
        self.assertEqual(line.returncode, 1)
        self.assertEqual(len(line.stderr.strip().split("\n")), 1, line.stderr)
        self.assertRegex(line.stderr, "No space left on device|no space left|reading or writing failed")
        filler.unlink()
        self.assertIn("created, self-signed", self.node.out("init"))


if __name__ == "__main__":
    main()
