#!/usr/bin/python3
"""publisher/ldap against slapd, notifier/mail against an SMTP server with STARTTLS, notifier/webhook over HTTPS."""
import email
import email.policy
import socket
import threading
import time
import unittest

from events_test import until
from harness import BASE, Failed, Node, free_port, main, openssl
from peers import PASSWORD, ROOT_DN, SUFFIX, Directory, MailServer
from servers import Missing

PUBLISHING = BASE.replace('validate = ["lint"]\n', 'validate = ["lint"]\n{uses}\n', 1) + """
[profile.manual]
lifetime = "30d"
subject = "request"

[pipeline.manual]
authority = "issuing"
profiles = ["manual"]
approval = "manual"
{uses}

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]
"""
LDAP = """
[publisher.directory]
plugin = "ldap"
url = "{url}"
ca = "{ca}"
bind = "{bind}"
password = {{{{ file = "peer-password" }}}}
certificates = "cn={{{{common_name}}}},ou=servers,dc=example,dc=test"
authorities = "cn={{{{authority}}}},ou=pki,dc=example,dc=test"
timeout = "2s"
{more}
"""
MAIL = """
[notifier.operators]
plugin = "mail"
server = "smtp://localhost:{port}"
ca = "{ca}"
user = "pki"
password = {{{{ file = "peer-password" }}}}
from = "pki@example.test"
to = ["one@example.test", "two@example.test"]
subject = "PKI: {{{{type}}}} {{{{wanted}}}}{{{{common_name}}}}"
events = ["certificate.issued", "request.pending"]
timeout = "3s"
"""
TREE = f"""dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=servers,{SUFFIX}
objectClass: organizationalUnit
ou: servers

dn: ou=pki,{SUFFIX}
objectClass: organizationalUnit
ou: pki

dn: cn=known.example.test,ou=servers,{SUFFIX}
objectClass: device
cn: known.example.test
description: was there before
"""


def node_with(uses, config):
    node = Node(PUBLISHING + config, uses=uses)
    node.state.mkdir(mode=0o700, exist_ok=True)
    password = node.state / "peer-password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    return node


def issue(node, name):
    for path in ("k.pem", "c.pem"):
        (node.folder / path).unlink(missing_ok=True)
    return node.json("issue", "--pipeline", "web", "--name", name, "--key-out", node.folder / "k.pem", "--out", node.folder / "c.pem")["serial"]


def der_of(path):
    import ssl
    return ssl.PEM_cert_to_DER_cert(path.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")


class Silent:
    """Takes connections and says nothing."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


class Ldap(unittest.TestCase):
    def directory(self):
        try:
            return Directory()
        except Missing as missing:
            self.skipTest(f"slapd: {missing}")

    def config(self, directory, url=None, more="", ca=None):
        return LDAP.format(url=url or f"ldap://127.0.0.1:{directory.port}", ca=ca or directory.ca, bind=ROOT_DN, more=more)

    def test_certificates_and_crls_come_into_the_directory_and_go(self):
        with self.directory() as directory:
            directory.add(TREE)
            with node_with('publish = ["directory"]', self.config(directory)) as node:
                node.init().start()
                entry = lambda name, unit: directory.search(f"cn={name},ou={unit},{SUFFIX}").get(f"cn={name},ou={unit},{SUFFIX}", {})
                for authority in ("root", "issuing"):
                    self.assertTrue(until(lambda: "certificateRevocationList;binary" in entry(authority, "pki")), authority)
                    pem = node.folder / f"{authority}-shown.pem"
                    pem.write_text(node.out("show", "--authority", authority, "--pem"))
                    self.assertEqual(entry(authority, "pki")["cACertificate;binary"], [der_of(pem)])
                    self.assertIn(b"pkiCA", entry(authority, "pki")["objectClass"])
                made = {}
                for name in ("new.example.test", "known.example.test"):
                    made[name] = issue(node, name)
                    leaf = der_of(node.folder / "c.pem")
                    self.assertTrue(until(lambda: entry(name, "servers").get("userCertificate;binary") == [leaf]), name)
                    self.assertIn(b"pkiUser", entry(name, "servers")["objectClass"])
                self.assertEqual(entry("known.example.test", "servers")["description"], [b"was there before"])
                issue(node, "new.example.test")
                self.assertTrue(until(lambda: len(entry("new.example.test", "servers")["userCertificate;binary"]) == 2))
                serial = made["new.example.test"]
                count = lambda: len(entry("new.example.test", "servers").get("userCertificate;binary", []))
                node.out("revoke", serial, "--reason", "certificateHold")
                self.assertTrue(until(lambda: count() == 1), "what is on hold is taken out")
                node.out("revoke", serial, "--reason", "removeFromCRL")
                self.assertTrue(until(lambda: count() == 2), "and comes back")
                node.out("revoke", serial, "--reason", "superseded")
                self.assertTrue(until(lambda: count() == 1))

                def listed():
                    crl = node.folder / "from-directory.crl"
                    crl.write_bytes(entry("issuing", "pki")["certificateRevocationList;binary"][0])
                    return serial in openssl("crl", "-in", crl, "-inform", "DER", "-noout", "-text").replace(":", "").lower()
                self.assertTrue(until(listed), "the CRL that lists it")
                # The server goes, and comes back: what was issued meanwhile is there then.
                directory.stop()
                issue(node, "later.example.test")
                leaf = der_of(node.folder / "c.pem")
                time.sleep(1)  # so that it is tried at least once while nobody is there
                directory.start()
                later = lambda: entry("later.example.test", "servers").get("userCertificate;binary") == [leaf]
                self.assertTrue(until(later), node.log_text()[-2000:])
                self.assertEqual(node.metric('hanaper_events_dead_total{instance="publisher.directory",pipeline="web"}'), 0)

    def test_ldaps_works_and_a_certificate_of_somebody_else_does_not(self):
        with self.directory() as directory:
            directory.add(TREE)
            with node_with('publish = ["directory"]', self.config(directory, url=f"ldaps://127.0.0.1:{directory.tls_port}")) as node:
                node.init().start()
                issue(node, "new.example.test")
                self.assertTrue(until(lambda: directory.search(f"cn=new.example.test,ou=servers,{SUFFIX}")))
            for url in (f"ldap://127.0.0.1:{directory.port}", f"ldaps://127.0.0.1:{directory.tls_port}", f"ldap://127.0.0.2:{directory.port}"):
                other = "/etc/ssl/certs/ca-certificates.crt" if "127.0.0.1" in url else directory.ca
                with self.subTest(url), node_with('publish = ["directory"]', self.config(directory, url=url, ca=other)) as node:
                    node.init().start()
                    issue(node, "new.example.test")
                    failed = lambda: (node.metric('hanaper_events_failed_total{instance="publisher.directory",pipeline="web"}') or 0) >= 1
                    self.assertTrue(until(failed), "a server that nobody vouches for, or of another name")
                    self.assertEqual(node.metric('hanaper_events_delivered_total{instance="publisher.directory",pipeline="web"}'), 0)

    def test_a_server_that_says_nothing_costs_seconds_and_delays_nothing_else(self):
        with self.directory() as directory, Silent() as silent:
            for scheme in ("ldap", "ldaps"):
                with self.subTest(scheme), node_with('publish = ["directory"]', self.config(directory, url=f"{scheme}://127.0.0.1:{silent.port}")) as node:
                    node.init().start()
                    failed = lambda: (node.metric('hanaper_events_failed_total{instance="publisher.directory",pipeline="web"}') or 0) >= 1
                    begun = time.monotonic()
                    issue(node, "new.example.test")
                    self.assertTrue(until(failed, 30))
                    self.assertLess(time.monotonic() - begun, 25)
                    self.assertEqual(node.stop(), 0)


class Mail(unittest.TestCase):
    def server(self, **options):
        try:
            return MailServer(**options)
        except Missing as missing:
            self.skipTest(f"smtp: {missing}")

    def mails(self, server):
        return [email.message_from_bytes(mail, policy=email.policy.default) for mail in server.mails]

    def test_people_are_told_and_nothing_gets_into_the_header(self):
        with self.server() as server, node_with('notify = ["operators"]', MAIL.format(port=server.port, ca=server.ca)) as node:
            node.init().start()
            serial = issue(node, "a.example.test")
            self.assertTrue(until(lambda: len(server.mails) == 1))
            mail = self.mails(server)[0]
            self.assertEqual(server.recipients[0], ("pki@example.test", ["one@example.test", "two@example.test"], True), "by TLS")
            self.assertEqual(mail["Subject"], "PKI: certificate.issued a.example.test")
            self.assertEqual((mail["From"], mail["To"]), ("pki@example.test", "one@example.test, two@example.test"))
            self.assertEqual(mail["Auto-Submitted"], "auto-generated")
            text = mail.get_content()
            self.assertIn("A certificate was issued.", text)
            self.assertIn(serial, text)
            self.assertIn("dns:a.example.test", text)
            # A subject that would like to be a header, and is no ASCII.
            openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", node.folder / "odd.key", "-utf8",
                    "-multivalue-rdn", "-subj", "/CN=odd.example.test/O=Gr\u00fc\u00dfe an alle, Bcc: x@example.test " + "\u4e16\u754c" * 12, "-out", node.folder / "odd.pem")
            node.run("issue", "--pipeline", "manual", "--csr", node.folder / "odd.pem", "--out", node.folder / "odd.out", status=None)
            self.assertTrue(until(lambda: len(server.mails) == 2))
            mail = self.mails(server)[1]
            self.assertIsNone(mail["Bcc"])
            self.assertTrue(mail["Subject"].startswith("PKI: request.pending "), mail["Subject"])
            self.assertIn("Gr\u00fc\u00dfe an alle", mail["Subject"])
            self.assertIn("Gr\u00fc\u00dfe", mail.get_content())
            for raw in server.mails:
                self.assertLess(max(map(len, raw.split(b"\r\n"))), 999)
                self.assertTrue(raw.isascii())

    def test_a_server_that_fails_gets_the_mail_later_and_one_that_refuses_does_not(self):
        with self.server() as server, node_with('notify = ["operators"]', MAIL.format(port=server.port, ca=server.ca)) as node:
            answers = iter(["451 later", "550 not this one"])
            server.answer = lambda mail: next(answers, "250 taken")
            node.init().start()
            issue(node, "a.example.test")
            issue(node, "b.example.test")
            self.assertTrue(until(lambda: len(server.mails) == 1))
            self.assertIn("b.example.test", self.mails(server)[0]["Subject"])
            dead = 'hanaper_events_dead_total{instance="notifier.operators",pipeline="web"}'
            self.assertTrue(until(lambda: node.metric(dead) == 1))
            server.stop()
            issue(node, "c.example.test")
            time.sleep(1)
            server.start()
            self.assertTrue(until(lambda: len(server.mails) == 2))
            self.assertEqual(node.metric(dead), 1)

    def test_nothing_is_sent_without_tls_or_to_whom_nobody_vouches_for(self):
        failed = lambda node: (node.metric('hanaper_events_failed_total{instance="notifier.operators",pipeline="web"}') or 0) >= 1
        with self.server(require_tls=False) as server, node_with('notify = ["operators"]', MAIL.format(port=server.port, ca=server.ca)) as node:
            node.init().start()
            issue(node, "a.example.test")
            self.assertTrue(until(lambda: failed(node)))
            self.assertEqual(server.mails, [])
        with self.server() as server, node_with('notify = ["operators"]', MAIL.format(port=server.port, ca="/etc/ssl/certs/ca-certificates.crt")) as node:
            node.init().start()
            issue(node, "a.example.test")
            self.assertTrue(until(lambda: failed(node)))
            self.assertEqual(server.mails, [])

    def test_configurations_that_would_send_passwords_in_the_open_are_refused(self):
        with node_with('notify = ["operators"]', MAIL.format(port=25, ca="/etc/ssl/certs/ca-certificates.crt") + "starttls = false\n") as node:
            self.assertIn("a password is never sent in the open", node.run("init", status=None).stderr)


if __name__ == "__main__":
    main()
