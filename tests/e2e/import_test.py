#!/usr/bin/env python3
"""What an authority has issued and revoked before it was taken over: made by `openssl ca`, judged by OpenSSL."""
import json
import pathlib
import re
import subprocess
import threading
import unittest

from harness import BASE, Node, main, openssl
from validity import Validity, until

CONFIG = BASE + """
[authority.old]
key = "soft:old"
subject = "CN=Old CA"

[pipeline.old]
authority = "old"
profiles = ["web"]

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing", "old"]

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["root", "issuing", "old"]
"""

OPENSSL = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}/newcerts
serial = {folder}/serial
crlnumber = {folder}/crlnumber
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 365
default_crl_days = 30
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:false
[below]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
"""


class OldAuthority:
    """A folder in which `openssl ca` keeps an authority."""

    def __init__(self, folder, name="Old CA"):
        self.folder = folder
        (folder / "newcerts").mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        (folder / "crlnumber").write_text("2A\n")
        self.config = folder / "ca.cnf"
        self.config.write_text(OPENSSL.format(folder=folder))
        self.key, self.certificate = folder / "ca.key", folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.certificate, "-addext", "basicConstraints=critical,CA:true",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.leaf_key = folder / "leaf.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.leaf_key)

    def ca(self, *words):
        return openssl("ca", "-config", self.config, "-batch", *words)

    def issue(self, name, *words):
        request, out = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        openssl("req", "-new", "-key", self.leaf_key, "-subj", f"/CN={name}", "-out", request)
        self.ca("-in", request, "-out", out, "-notext", *words)
        return out

    def revoke(self, certificate, *words):
        self.ca("-revoke", certificate, *words)

    def crl(self, name="crl.pem"):
        self.ca("-gencrl", "-out", self.folder / name)
        return self.folder / name


class Imported(Validity):
    config = CONFIG

    def setUp(self):
        self.node = Node(self.config)
        self.addCleanup(self.node.close)
        self.old = OldAuthority(self.node.folder / "old")
        self.url = f"http://127.0.0.1:{self.node.http}"
        self.root = self.issuing = self.old.certificate
        self.good, self.compromised, self.held, self.plain = (self.old.issue(n) for n in ("good", "compromised", "held", "plain"))
        self.expired = self.old.issue("expired", "-startdate", "190101000000Z", "-enddate", "200101000000Z")
        self.old.revoke(self.compromised, "-crl_compromise", "20260101000000Z")
        self.old.revoke(self.held, "-crl_hold", "holdInstructionReject")
        self.old.revoke(self.plain)
        self.crl = self.old.crl()
        self.node.out("init", "--import", "old", "--key", self.old.key, "--certificate", self.old.certificate)

    def take(self, *files, status=0):
        done = self.node.run("import", "--authority", "old", *files, status=status)
        return done.stdout

    def tallies(self, *files, status=0):
        return json.loads(self.node.run("import", "--authority", "old", *files, "--json", status=status).stdout)

    def counts(self):
        return {table: len(self.node.rows(table, "serial")) for table in ("certificate", "signature", "revocation")}

    def status_of(self, certificate):
        text = openssl("ocsp", "-issuer", self.old.certificate, "-serial", "0x" + self.serial(certificate), "-url", self.url + "/ocsp",
                       "-CAfile", self.old.certificate)
        return re.search(r": (good|revoked|unknown)", text).group(1)

    def expect_all(self):
        self.assertEqual({name: self.status_of(getattr(self, name)) for name in ("good", "compromised", "held", "plain", "expired")},
                         {"good": "good", "compromised": "revoked", "held": "revoked", "plain": "revoked", "expired": "good"})

    def expect_crl(self):
        """The next CRL goes above the last of before, and OpenSSL refuses by it what was revoked."""
        self.assertTrue(until(lambda: self.http("/crl/old.crl")[0] == 200 and self.crl_number("old.crl") > 0x2a and self.listed(self.serial(self.plain), "old.crl")))
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file("old.crl"), "-noout", "-text")
        self.assertIn("Key Compromise", text)
        self.assertIn("Certificate Hold", text)
        self.assertIn("Invalidity Date", text)
        crl = self.node.folder / "new-crl.pem"
        crl.write_text(openssl("crl", "-inform", "DER", "-in", self.crl_file("old.crl")))
        verify = lambda certificate: subprocess.run(["openssl", "verify", "-crl_check", "-CAfile", self.old.certificate, "-CRLfile", crl, certificate],
                                                    capture_output=True, text=True)
        self.assertEqual(verify(self.good).returncode, 0, verify(self.good).stderr)
        for certificate in (self.compromised, self.held, self.plain):
            self.assertIn("certificate revoked", verify(certificate).stderr)


class Import(Imported):
    def test_what_openssl_ca_has_left_is_taken_in_by_a_daemon_that_runs(self):
        self.node.start()
        self.crl_ready("old.crl")
        before = self.crl_number("old.crl")
        files = (self.old.folder / "newcerts", self.old.folder / "index.txt", self.crl)
        dry = self.tallies(*files, "--dry-run")
        self.assertEqual(self.status_of(self.good), "unknown")
        told = self.tallies(*files)
        self.assertEqual(dry["items"], told["items"])
        folder, index, crl = told["items"]
        self.assertEqual((folder["new"], folder["known"], folder["refused"]), (5, 0, []))
        self.assertEqual((index["revoked"] + crl["revoked"], index["numbers"] + crl["numbers"]), (3, 0))
        self.assertEqual(crl["crl_number"], 0x2a)
        self.assertEqual(told["next_crl"], 0x2b)
        self.assertLess(before, 0x2a)
        self.expect_all()
        self.expect_crl()
        after = self.counts()
        again = self.tallies(*files)
        self.assertEqual([(row["new"], row["revoked"], row["numbers"]) for row in again["items"]], [(0, 0, 0)] * 3)
        self.assertEqual(again["items"][0]["known"], 5)
        self.assertEqual(self.counts(), after)
        self.assertIn("revoked", self.node.out("show", self.serial(self.plain)))
        self.assertEqual({row["serial"] for row in self.node.items("list", "--authority", "old", "--profile", "imported")},
                         {self.serial(getattr(self, name)) for name in ("good", "compromised", "held", "plain", "expired")})
        lines = self.node.out("audit", "tail", "--lines", "200")
        self.assertEqual(lines.count('"event":"imported"'), 5)
        self.assertEqual(lines.count('"event":"revoked"'), 3)
        self.node.out("audit", "verify")
        # What is known is revoked and released like any other; the compromised key is certified no more.
        self.node.out("revoke", self.good, "--reason", "superseded")
        self.assertEqual(self.status_of(self.good), "revoked")
        self.node.out("revoke", self.serial(self.held), "--reason", "removeFromCRL")
        self.assertEqual(self.status_of(self.held), "good")
        self.tallies(*files)
        self.assertEqual(self.status_of(self.held), "good", "a hold that has ended does not come back")
        self.expect_key_blocked()

    def test_a_daemon_that_was_stopped_has_all_of_it_when_it_starts(self):
        self.node.start()
        self.crl_ready("old.crl")
        self.node.stop()
        self.take(self.old.folder / "newcerts", self.old.folder / "index.txt", self.crl)
        self.node.start()
        self.expect_all()
        self.expect_crl()

    def test_an_index_alone_makes_certificates_known_by_their_numbers(self):
        self.node.start()
        told = self.take(self.old.folder / "index.txt")
        self.assertIn("5 by serial number alone; 3 revocations; 0 refused", told)
        self.expect_all()
        shown = self.node.json("show", self.serial(self.plain))
        self.assertEqual((shown["state"], shown["profile"]), ("revoked", "imported"))
        self.assertIn("only the serial number", self.node.error("show", self.serial(self.plain), "--pem"))
        self.assertEqual(len(self.node.items("list", "--state", "issued", "--profile", "imported")), 2)
        # The certificates complete it whenever they come, and with them the keys that leaked.
        self.assertEqual(self.tallies(self.old.folder / "newcerts")["items"][0]["new"], 5)
        self.assertEqual(self.tallies(self.old.folder / "newcerts")["items"][0]["known"], 5)
        self.assertEqual(self.node.out("show", self.serial(self.plain), "--pem"), self.plain.read_text())
        self.assertEqual(self.status_of(self.plain), "revoked")
        self.expect_key_blocked()
        self.assertTrue(until(lambda: self.listed(self.serial(self.plain), "old.crl")))

    def expect_key_blocked(self):
        csr = self.node.folder / "again.csr"
        openssl("req", "-new", "-key", self.old.leaf_key, "-subj", "/", "-addext", "subjectAltName=DNS:a.test", "-out", csr)
        self.assertIn("blocked", self.node.error("issue", "--pipeline", "old", "--csr", csr))

    def test_bundles_of_every_form_are_read(self):
        self.node.start()
        folder = self.node.folder
        openssl("crl2pkcs7", "-nocrl", "-certfile", self.good, "-out", folder / "p7.pem")
        openssl("crl2pkcs7", "-in", self.crl, "-certfile", self.compromised, "-outform", "DER", "-out", folder / "p7.der")
        openssl("x509", "-in", self.held, "-outform", "DER", "-out", folder / "one.der")
        openssl("pkcs12", "-export", "-inkey", self.old.leaf_key, "-in", self.plain, "-certfile", self.expired, "-passout", "pass:secret", "-out", folder / "all.p12")
        (folder / "pin").write_text("secret\n")
        (folder / "several.pem").write_text("note\n" + self.old.leaf_key.read_text() + self.expired.read_text() + self.good.read_text())
        wrong = self.tallies(folder / "all.p12", status=1)
        self.assertIn("wants its pin", wrong["items"][0]["refused"][0])
        told = self.tallies(*(folder / name for name in ("p7.pem", "p7.der", "one.der", "all.p12", "several.pem")), "--pin", folder / "pin")
        self.assertEqual([row["new"] for row in told["items"]], [1, 1, 1, 2, 0])
        self.assertEqual(told["items"][4]["known"], 2)
        self.assertEqual(told["items"][1]["revoked"], 3)
        self.expect_all()
        self.expect_crl()

    def test_what_somebody_else_made_is_refused_by_name(self):
        self.node.start()
        other = OldAuthority(self.node.folder / "other")  # of the same name
        twin = other.issue("twin")
        other.revoke(twin)
        told = self.tallies(twin, other.crl(), self.good, status=1)
        self.assertIn(f"{twin}: is not signed by authority old", told["items"][0]["refused"][0])
        self.assertIn("is not signed by the authority's key, though it has its name", told["items"][1]["refused"][0])
        self.assertEqual(told["items"][2]["new"], 1)
        mine = self.node.folder / "mine.pem"
        self.node.out("issue", "--pipeline", "web", "--name", "a.test", "--key-out", self.node.folder / "mine.key", "--out", mine)
        self.assertIn("is signed by authority issuing, not old", self.take(mine, status=1))
        (self.old.folder / "serial").write_text(self.serial(self.good).zfill(4) + "\n")  # a number is given twice
        (self.old.folder / "index.txt").write_text("")
        forged = self.old.issue("forged")
        self.assertIn("another certificate has the serial number", self.take(forged, status=1))
        self.assertIn("no authority \"oldd\"; did you mean \"old\"?", self.node.error("import", "--authority", "oldd", twin))
        self.assertIn("--authority NAME is needed", self.node.error("import", twin, status=2))
        self.assertIn("no such file", self.node.error("import", "--authority", "old", "/nowhere.pem"))
        self.assertIn("is neither PEM", self.take(self.node.config, status=1))

    def test_lines_that_are_broken_are_named_and_the_others_taken(self):
        self.node.start()
        index = self.node.folder / "index.txt"
        index.write_text(
            "V\t301231235959Z\t\t77\tunknown\t/CN=two digits\n"
            "R\t20601231235959Z\t20251231235959Z,superseded\t78\tunknown\t/CN=four digits\n"
            "V\t301331235959Z\t\t79\tunknown\t/CN=no such month\n"
            "R\t301231235959Z\t251231235959Z,whim\t7A\tunknown\t/CN=no reason\n"
            "R\t301231235959Z\t\t7B\tunknown\t/CN=not when\n"
            "V\t301231235959Z\t\t00\tunknown\t/CN=zero\n"
            "V\t301231235959Z\t\t-7C\tunknown\t/CN=negative\n"
            "V\t301231235959Z\t\t" + 21 * "7C" + "\tunknown\t/CN=long\n"
            "nonsense\n\n"
            "E\t691231235959Z\t\t7D\tunknown\t/CN=long\\\tago\r\n")
        told = self.tallies(index, status=1)
        row = told["items"][0]
        self.assertEqual((row["numbers"], row["revoked"], len(row["refused"])), (3, 1, 7))
        for number, line in zip((3, 4, 5, 6, 7, 8, 9), row["refused"]):
            self.assertIn(f"{index}: line {number} ", line)

    def test_numbers_that_were_given_out_are_not_given_out_again(self):
        self.node.write_config(self.config.replace('subject = "CN=Old CA"\n', 'subject = "CN=Old CA"\nserial = "range"\nrange = {{ start = "1000", size = 16 }}\n'))
        self.take(self.old.folder / "newcerts")
        self.node.start()
        given = [int(self.node.json("issue", "--pipeline", "old", "--name", f"a{i}.test", "--key-out", self.node.folder / f"a{i}.key")["serial"], 16)
                 for i in range(3)]
        self.assertEqual(given, sorted(given))
        self.assertTrue(all(0x1005 <= number < 0x1020 for number in given), given)

    def test_who_is_killed_in_the_middle_and_asked_again_completes(self):
        index = self.node.folder / "index.txt"
        lines = [f"R\t301231235959Z\t251231235959Z,superseded\t{0x100000 + i:06X}\tunknown\t/CN={i}\n" for i in range(20000)]
        index.write_text("".join(lines))
        self.node.start()
        self.crl_ready("old.crl")
        done = threading.Event()

        def take():
            self.node.run("import", "--authority", "old", index, status=None)
            done.set()

        threading.Thread(target=take).start()
        self.assertTrue(until(lambda: len(self.node.rows("revocation", "serial")) > 2000, 60))
        self.node.kill()
        self.assertTrue(done.wait(30))
        taken = len(self.node.rows("revocation", "serial"))
        self.assertLess(taken, 20000)
        self.node.start()
        told = self.tallies(index)
        self.assertEqual(told["items"][0]["revoked"], 20000 - taken)
        self.assertEqual(len(self.node.rows("revocation", "serial")), 20000)
        self.assertEqual(len(self.node.rows("certificate WHERE profile = 'imported'", "serial")), 20000)
        self.assertTrue(until(lambda: openssl("crl", "-inform", "DER", "-in", self.crl_file("old.crl"), "-noout", "-text").count("Serial Number") == 20000, 20))
        self.node.out("audit", "verify")

    def test_a_number_that_nobody_knows_is_revoked_by_who_says_so(self):
        self.node.start()
        error = self.node.error("revoke", "7f01", "--reason", "keyCompromise")
        self.assertIn("no certificate with serial number 7f01", error)
        self.assertIn("--unknown wants serial numbers", self.node.error("revoke", "7f01", "--unknown", status=2))
        self.assertIn("--unknown wants serial numbers", self.node.error("revoke", "--authority", "old", "--unknown", status=2))
        revoke = ("revoke", "7f01", "--authority", "old", "--unknown", "--reason", "keyCompromise")
        self.assertIn("revoked 7f01, keyCompromise", self.node.out(*revoke))
        self.assertIn("already", self.node.out(*revoke))
        self.assertTrue(until(lambda: self.listed("7f01", "old.crl")))
        self.assertEqual(re.search(r": (good|revoked|unknown)", openssl("ocsp", "-issuer", self.old.certificate, "-serial", "0x7f01", "-url",
                                                                      self.url + "/ocsp", "-CAfile", self.old.certificate)).group(1), "revoked")
        self.take(self.good)
        self.assertIn("is known; revoke it as such", self.node.error("revoke", self.serial(self.good), "--authority", "old", "--unknown"))
        self.node.out("revoke", "7f02", "--authority", "old", "--unknown", "--reason", "certificateHold")
        self.node.out("revoke", "7f02", "--reason", "removeFromCRL")
        self.assertEqual(self.node.json("show", "7f02")["state"], "issued")
        self.assertIn('"authority":"old"', self.node.out("audit", "tail", "--lines", "40"))

    def test_an_authority_below_and_links_are_taken_like_others(self):
        self.node.start()
        below = self.old.issue("below", "-extensions", "below")
        link = self.node.folder / "link"
        link.symlink_to(self.old.folder / "newcerts", target_is_directory=True)
        self.assertEqual(self.tallies(link)["items"][0]["new"], 6)
        self.assertEqual(self.tallies(self.old.certificate)["items"][0]["known"], 1)
        fifo = self.node.folder / "some" / "fifo"
        fifo.parent.mkdir()
        subprocess.run(["mkfifo", fifo], check=True)
        pathlib.Path(fifo.parent / "readme").write_text("nothing of interest\n")
        self.assertEqual(self.tallies(fifo.parent)["items"][0]["passed_over"], 2)
        self.assertEqual(self.status_of(below), "good")

    def test_what_cannot_be_read_keeps_nothing_else_out(self):
        self.node.start()
        file = self.node.folder / "mixed.pem"
        file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + self.good.read_text())
        row = self.tallies(file, status=1)["items"][0]
        self.assertEqual((row["new"], len(row["refused"])), (1, 1))
        self.assertIn("holds a certificate that cannot be read", row["refused"][0])


    def test_of_two_authorities_with_one_number_the_one_is_named(self):
        self.node.start()
        number = self.serial(self.good)
        self.take(self.good)
        self.node.out("revoke", number, "--authority", "issuing", "--unknown")
        said = self.node.error("revoke", number, "--reason", "superseded")
        self.assertIn("belongs to more than one authority; name the one that is meant by --authority", said)
        self.assertIn("--authority", self.node.error("show", number))
        self.assertEqual(self.node.json("show", number, "--authority", "old")["state"], "issued")
        self.assertIn("no authority", self.node.error("revoke", number, "--authority", "olt"))
        self.node.out("revoke", number, "--authority", "old", "--reason", "superseded")
        self.assertEqual([self.node.json("show", number, "--authority", name)["reason"] for name in ("old", "issuing")], ["superseded", "unspecified"])
        self.assertEqual(self.node.json("show", "--authority", "old")["state"], "issued")

    def test_one_that_cannot_be_revoked_keeps_no_other_from_it(self):
        self.node.start()
        self.take(self.good, self.old.folder / "newcerts")
        numbers = [self.serial(self.good), "77", self.serial(self.expired), "zz"]
        done = self.node.run("revoke", *numbers, status=1)
        self.assertIn("revoked " + numbers[0].lower(), done.stdout.lower())
        self.assertEqual(len(done.stderr.strip().split("\n")), 3, done.stderr)
        for number, line in zip(("77", numbers[2], "zz"), done.stderr.strip().split("\n")):
            self.assertIn(number + ": ", line)
        done = self.node.run("revoke", "7f0a", "-1", "7f0b", "--authority", "old", "--unknown", status=1)
        self.assertEqual(done.stdout.count("revoked 7f0"), 2)

    def test_a_folder_may_hold_what_lies_beside_certificates(self):
        self.node.start()
        folder = self.node.folder / "beside"
        (folder / "below").mkdir(parents=True)
        (folder / "gone").symlink_to(folder / "nowhere")
        (folder / "serial").write_text("01\n")
        (folder / "text").write_text("0" * 200 + "\n")
        openssl("pkey", "-in", self.old.leaf_key, "-outform", "DER", "-out", folder / "pkcs8.der")
        openssl("ec", "-in", self.old.leaf_key, "-outform", "DER", "-out", folder / "ec.der")
        openssl("pkcs8", "-topk8", "-in", self.old.leaf_key, "-outform", "DER", "-passout", "pass:long enough", "-out", folder / "encrypted.der")
        openssl("req", "-in", self.old.folder / "good.csr", "-outform", "DER", "-out", folder / "csr.der")
        openssl("x509", "-in", self.good, "-outform", "DER", "-out", folder / "good.der")
        row = self.tallies(folder)["items"][0]
        self.assertEqual((row["new"], row["passed_over"], row["refused"]), (1, 8, []))
        damaged = (folder / "good.der").read_bytes()
        (folder / "damaged.der").write_bytes(damaged[:40] + b"\xff" + damaged[41:])
        self.assertEqual(len(self.tallies(folder, status=1)["items"][0]["refused"]), 1)

    def test_an_entry_that_nobody_can_keep_leaves_the_others(self):
        self.node.start()
        index = self.old.folder / "index.txt"
        lines = "".join(f"R\t300101000000Z\t260101000000Z\t{number}\tunknown\t/CN=odd\n" for number in ("00", "7f" * 21, "0a0b"))
        index.write_text(index.read_text() + lines)
        row = self.tallies(self.old.crl("odd.crl"), status=1)["items"][0]
        self.assertEqual([re.sub(r"\d+", "N", line.split(": ", 1)[1])[:19] for line in row["refused"]], ["entry N of the CRL:"] * 2)
        self.assertEqual(self.node.json("show", "0a0b", "--authority", "old")["state"], "revoked")
        self.assertEqual(self.node.json("show", self.serial(self.plain))["state"], "revoked")

    def test_who_takes_the_same_in_at_the_same_time_disturbs_nobody(self):
        self.node.start()
        index = self.node.folder / "many.txt"
        index.write_text("".join(f"R\t300101000000Z\t260101000000Z\t7E{i:06X}\tunknown\t/CN=n{i}\n" for i in range(3000)))
        ended = []
        threads = [threading.Thread(target=lambda: ended.append(self.node.run("import", "--authority", "old", index).returncode)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(ended, [0, 0, 0])
        self.assertEqual(len(self.node.rows("revocation", "serial")), 3000)


class IntoShards(Imported):
    """Certificates that name where the old authority had its CRL, and an authority whose CRLs are several."""
    config = CONFIG.replace('authorities = ["root", "issuing", "old"]\n\n[protocol.ocsp]', 'authorities = ["root", "issuing", "old"]\nshards = 2\n\n[protocol.ocsp]')
    address = "http://old.example.test/ca.crl"

    def verify(self, certificate, *lists):
        crls = self.node.folder / "shards.pem"
        crls.write_text("".join(openssl("crl", "-inform", "DER", "-in", self.crl_file(name)) for name in lists))
        return subprocess.run(["openssl", "verify", "-crl_check", "-extended_crl", "-CAfile", self.old.certificate, "-CRLfile", crls, certificate],
                              capture_output=True, text=True)

    def test_each_certificate_is_on_the_list_that_it_names(self):
        self.node.start()
        self.old.config.write_text(self.old.config.read_text() + f"crlDistributionPoints = URI:{self.address}\n")
        named = self.old.issue("named", "-extensions", "below")
        self.take(named, self.good)
        self.assertTrue(until(lambda: self.http("/crl/old.crl")[0] == 200 and self.verify(named, "old.crl").returncode == 0), self.verify(named, "old.crl").stderr)
        self.node.out("revoke", "--reason", "cACompromise", named)
        self.assertTrue(until(lambda: "certificate revoked" in self.verify(named, "old.crl").stderr))

    def test_a_number_alone_is_on_every_list(self):
        self.node.start()
        self.node.out("revoke", "7f01", "--authority", "old", "--unknown", "--reason", "keyCompromise")
        for name in ("old.crl", "old-1.crl", "old-2.crl"):
            self.assertTrue(until(lambda: self.http("/crl/" + name)[0] == 200 and self.listed("7f01", name)), name)


class Authorities(unittest.TestCase):
    """Authorities of long ago, and those whose key is where it shall be already."""

    def setUp(self):
        self.node = Node(CONFIG)
        self.addCleanup(self.node.close)
        self.key, self.certificate = self.node.folder / "old.key", self.node.folder / "old.pem"

    def make(self, *words):
        openssl("req", "-x509", *words, "-nodes", "-days", "3650", "-subj", "/CN=Old CA", "-keyout", self.key, "-out", self.certificate,
                "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def test_a_root_that_has_signed_itself_with_sha1_is_taken_over(self):
        self.make("-newkey", "rsa:2048", "-sha1")
        told = self.node.out("init", "--import", "old", "--key", self.key, "--certificate", self.certificate)
        self.assertIn("authority old: imported, rsa-2048", told)
        self.assertNotIn("weak", told)

    def test_of_a_key_that_is_weak_init_says_so(self):
        self.make("-newkey", "rsa:1024")
        self.assertIn("its key is weak", self.node.out("init", "--import", "old", "--key", self.key, "--certificate", self.certificate))

    def test_a_key_that_is_in_its_place_already_needs_no_file(self):
        self.make("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.node.write_config(BASE)
        self.node.init()
        self.node.out("keys", "import", "soft:old", "--key", self.key)
        self.node.write_config(CONFIG.replace('key = "soft:old"\n', 'key = "soft:old"\nissuer = "external"\n'))
        self.node.out("init")
        self.assertIn("authority old: installed", self.node.out("init", "--install", self.certificate))
        self.node.start()
        self.assertEqual(self.node.out("show", "--authority", "old", "--pem"), self.certificate.read_text())


if __name__ == "__main__":
    main()
