#!/usr/bin/python3
"""The ways of proving a name (RFC 8555 8, RFC 8737, RFC 8738, RFC 9444, drafts), and the ways of abusing them."""
import base64
import hashlib
import http.server
import ipaddress
import socket
import ssl
import threading
import time
import unittest

from cryptography import x509

from acme_client import Client, Responder, TlsResponder
from acme_test import csr_der
from dns_server import A, AAAA, CAA, CNAME, SERVFAIL, TXT, DnsServer, address, caa, txt
from harness import BASE, Node, b64, free_port, main

CONFIG = BASE.replace('permit = ["127.0.0.0/8", "::1/128"]', 'resolvers = ["127.0.0.1:{dns}"]\npermit = ["127.0.0.1/32", "127.0.0.3/32", "::1/128"]\ntimeout = "3s"') + """
tls_alpn_01_port = {tls}
challenges = ["http-01", "dns-01", "tls-alpn-01"]
drafts = ["dns-account-01", "dns-persist-01"]
caa_identities = ["CA.Example.Test."]
"""


class Methods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = DnsServer()
        cls.dns.default = "127.0.0.1"
        cls.tls_port = free_port()
        cls.node = Node(CONFIG, dns=cls.dns.port, tls=cls.tls_port).init().start()
        cls.responder = Responder(cls.node.challenge)
        cls.tls = TlsResponder(cls.tls_port, cls.node.folder)

    @classmethod
    def tearDownClass(cls):
        cls.tls.close()
        cls.responder.close()
        cls.dns.close()
        cls.node.close()

    def setUp(self):
        self.client = Client(self.node)
        self.client.register()
        self.addCleanup(self.client.close)

    def authorization(self, name, **more):
        order = self.client.order(name, **more)
        self.assertEqual(order.status, 201, order.body)
        return order.json["authorizations"][0], order

    def digest(self, challenge):
        return b64(hashlib.sha256(self.client.key_authorization(challenge).encode()).digest())

    def assertProven(self, authorization, kind):
        answer = self.client.respond(authorization, kind)
        self.assertEqual(answer["status"], "valid", answer)
        self.assertEqual([c["type"] for c in answer["challenges"]], [kind], "the challenge that was used")

    def assertFailed(self, authorization, kind, type, text):
        answer = self.client.respond(authorization, kind)
        self.assertEqual(answer["status"], "invalid", answer)
        error = next(c for c in answer["challenges"] if c["type"] == kind)["error"]
        self.assertEqual(error["type"], "urn:ietf:params:acme:error:" + type, error)
        self.assertIn(text, error["detail"])

    # RFC 8555 8.4
    def test_item_34_dns_01_takes_any_of_several_records_and_follows_cname(self):
        url, _ = self.authorization("dns.example.test")
        challenge = self.client.challenge(url, "dns-01")
        self.dns.set("_acme-challenge.dns.example.test", TXT, txt("other"), txt(self.digest(challenge)), txt("x", "y"))
        self.assertProven(url, "dns-01")
        url, _ = self.authorization("alias.example.test")
        challenge = self.client.challenge(url, "dns-01")
        self.dns.set("_acme-challenge.alias.example.test", CNAME, "target.example.test")
        self.dns.set("target.example.test", TXT, txt(self.digest(challenge)))
        self.assertProven(url, "dns-01")

    def test_dns_01_failures_say_what_was_found(self):
        url, _ = self.authorization("wrong.example.test")
        self.dns.set("_acme-challenge.wrong.example.test", TXT, txt("something else"))
        self.assertFailed(url, "dns-01", "incorrectResponse", 'is 1 record of something else instead of')
        url, _ = self.authorization("none.example.test")
        self.assertFailed(url, "dns-01", "dns", "there is no TXT record")
        url, _ = self.authorization("broken.example.test")
        self.dns.codes["_acme-challenge.broken.example.test"] = SERVFAIL
        self.assertFailed(url, "dns-01", "dns", "broken.example.test")

    # RFC 8555 8.2
    def test_a_failed_attempt_is_kept_and_tried_again(self):
        url, _ = self.authorization("late.example.test")
        challenge = self.client.challenge(url, "dns-01")
        answer = self.client.post(challenge["url"], {})
        self.assertEqual(answer.json["status"], "processing")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        deadline = time.monotonic() + 10
        while "error" not in (seen := self.client.post(challenge["url"])).json and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual((seen.json["status"], seen.json["error"]["type"]), ("processing", "urn:ietf:params:acme:error:dns"))
        while "subproblems" not in (seen := self.client.post(challenge["url"])).json["error"] and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual([p["type"] for p in seen.json["error"]["subproblems"]], ["urn:ietf:params:acme:error:dns"], "the earlier attempt stays")
        self.dns.set("_acme-challenge.late.example.test", TXT, txt(self.digest(challenge)))
        self.assertEqual(self.client.wait(url, "valid", "invalid").json["status"], "valid")

    # RFC 8555 7.1.3, 7.1.4
    def test_item_26_a_wildcard_order_is_proven_by_dns_alone(self):
        order = self.client.order("*.wild.example.test", "wild.example.test")
        both = [self.client.post(url).json for url in order.json["authorizations"]]
        self.assertEqual([(a["identifier"]["value"], a.get("wildcard")) for a in both], [("wild.example.test", True), ("wild.example.test", None)])
        self.assertNotIn("wildcard", both[1])
        self.assertEqual({c["type"] for c in both[0]["challenges"]}, {"dns-01", "dns-account-01", "dns-persist-01"})
        values = [self.digest(next(c for c in a["challenges"] if c["type"] == "dns-01")) for a in both]
        self.dns.set("_acme-challenge.wild.example.test", TXT, *map(txt, values))
        for url in order.json["authorizations"]:
            self.assertProven(url, "dns-01")
        _, csr = csr_der(self.node, ["*.wild.example.test", "wild.example.test"], "wild")
        done = self.client.post(order.json["finalize"], {"csr": b64(csr)})
        self.assertEqual(done.json["status"], "valid", done.body)

    # RFC 8737
    def test_item_45_tls_alpn_01(self):
        url, _ = self.authorization("alpn.example.test")
        self.tls.prove("alpn.example.test", self.client.key_authorization(self.client.challenge(url, "tls-alpn-01")))
        self.assertProven(url, "tls-alpn-01")
        self.assertIn("alpn.example.test", self.tls.names)
        # Compared without case.
        url, _ = self.authorization("case.example.test")
        self.tls.prove("case.example.test", self.client.key_authorization(self.client.challenge(url, "tls-alpn-01")), sans=[x509.DNSName("CASE.example.TEST")])
        self.assertProven(url, "tls-alpn-01")

    # RFC 8737 4: "MUST NOT exchange any further data with the server and MUST immediately close the connection", "MUST only negotiate TLS 1.2 ... or higher"
    def test_item_46_the_handshake_is_of_tls_1_2_or_later_and_closed_at_once(self):
        self.addCleanup(setattr, self.tls, "newest", None)
        for number, (newest, proven) in enumerate(((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True))):
            with self.subTest(newest):
                name = f"version{number}.example.test"
                url, _ = self.authorization(name)
                self.tls.newest = newest
                self.tls.received.clear()
                self.tls.prove(name, self.client.key_authorization(self.client.challenge(url, "tls-alpn-01")))
                if not proven:
                    self.assertFailed(url, "tls-alpn-01", "tls", "tls:")
                    continue
                self.assertProven(url, "tls-alpn-01")
                deadline = time.monotonic() + 5
                while not self.tls.received and time.monotonic() < deadline:
                    time.sleep(0.01)
                self.assertEqual(self.tls.received, [b""], "its end and nothing else")
        # Unless a test or a closed network says otherwise.
        self.assertIn("#tls_alpn_01_port = 443\n", self.node.out("sample", "protocol.acme"))

    def test_tls_alpn_01_refuses_every_other_certificate(self):
        name = lambda i: f"bad{i}.example.test"
        cases = [
            (dict(critical=False), "not critical"),
            (dict(extension=False), "without acmeIdentifier"),
            (dict(digest=b"\1" * 32), "instead of"),
            (dict(digest=b"\1" * 31), "no digest"),
            (dict(sans=[]), "subjectAltName"),
            (dict(sans=[x509.DNSName("other.example.test")]), "names something else"),
            (dict(sans=[x509.DNSName(name(6)), x509.DNSName("b.example.test")]), "names something else"),
            (dict(sans=[x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), "names something else"),
            (dict(sans=[x509.DNSName(name(8)), x509.RFC822Name("a@example.test")]), "names something else"),
        ]
        for index, (options, text) in enumerate(cases):
            with self.subTest(text=text, options=str(options)):
                url, _ = self.authorization(name(index))
                self.tls.prove(name(index), self.client.key_authorization(self.client.challenge(url, "tls-alpn-01")), **options)
                self.assertFailed(url, "tls-alpn-01", "incorrectResponse", text)
        url, _ = self.authorization("nobody.example.test")
        self.assertFailed(url, "tls-alpn-01", "tls", "tls:")
        self.tls.protocols = ["http/1.1"]
        self.addCleanup(setattr, self.tls, "protocols", ["acme-tls/1"])
        url, _ = self.authorization("protocol.example.test")
        self.tls.prove("protocol.example.test", self.client.key_authorization(self.client.challenge(url, "tls-alpn-01")))
        answer = self.client.respond(url, "tls-alpn-01")
        self.assertEqual(answer["status"], "invalid")

    # RFC 8738
    def test_item_47_addresses_are_proven_without_dns(self):
        url, order = self.authorization("127.0.0.1")
        self.assertEqual({c["type"] for c in self.client.post(url).json["challenges"]}, {"http-01", "tls-alpn-01"})
        before = len(self.dns.asked)
        self.tls.prove("1.0.0.127.in-addr.arpa", self.client.key_authorization(self.client.challenge(url, "tls-alpn-01")),
                       sans=[x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        self.assertProven(url, "tls-alpn-01")
        self.assertIn("1.0.0.127.in-addr.arpa", self.tls.names)
        self.assertEqual(len(self.dns.asked), before, "nobody asked the DNS")
        _, csr = csr_der(self.node, ["127.0.0.1"], "address")
        self.assertEqual(self.client.post(order.json["finalize"], {"csr": b64(csr)}).json["status"], "valid")
        for value in ("2001:DB8::1", "2001:db8:0:0:0:0:0:1", "::ffff:0102:0304", "010.0.0.1", "1.2.3"):
            answer = self.client.post(self.client.directory["newOrder"], {"identifiers": [{"type": "ip", "value": value}]})
            self.assertEqual((answer.status, answer.type), (400, "malformed"), value)

    # RFC 9444
    def test_subdomains_of_an_authorized_domain(self):
        made = self.client.post(self.client.directory["newAuthz"], {"identifier": {"type": "dns", "value": "parent.example.test"}, "subdomainAuthAllowed": True})
        self.assertEqual(made.status, 201, made.body)
        url = made.headers["Location"]
        self.assertTrue(made.json["subdomainAuthAllowed"])
        self.assertTrue(all(c["type"].startswith("dns-") for c in made.json["challenges"]))
        challenge = self.client.challenge(url, "dns-01")
        self.dns.set("_acme-challenge.parent.example.test", TXT, txt(self.digest(challenge)))
        self.assertProven(url, "dns-01")
        below = [{"type": "dns", "value": n, "ancestorDomain": "parent.example.test"} for n in ("a.parent.example.test", "b.c.parent.example.test", "*.parent.example.test")]
        order = self.client.post(self.client.directory["newOrder"], {"identifiers": below})
        self.assertEqual((order.status, order.json["status"], order.json["authorizations"]), (201, "ready", [url]), order.body)
        # Without saying so, each name is proven by itself.
        plain = self.client.order("a.parent.example.test")
        self.assertEqual(plain.json["status"], "pending")
        wrong = self.client.post(self.client.directory["newOrder"], {"identifiers": [{"type": "dns", "value": "a.example.test", "ancestorDomain": "parent.example.test"}]})
        self.assertEqual((wrong.status, wrong.type), (400, "malformed"))

    # RFC 8555 7.4.1, 7.5.2
    def test_an_authorization_ahead_of_its_order_is_used_until_it_is_given_up(self):
        made = self.client.post(self.client.directory["newAuthz"], {"identifier": {"type": "dns", "value": "ahead.example.test"}})
        self.assertEqual((made.status, made.json["status"]), (201, "pending"))
        url = made.headers["Location"]
        challenge = self.client.challenge(url)
        self.responder.answers[challenge["token"]] = self.client.key_authorization(challenge)
        self.assertProven(url, "http-01")
        order = self.client.order("ahead.example.test")
        self.assertEqual((order.json["status"], order.json["authorizations"]), ("ready", [url]))
        self.assertEqual(self.client.post(url, {"status": "deactivated"}).json["status"], "deactivated")
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "invalid", "item 35: worthless for every order")
        self.assertNotIn(url, self.client.order("ahead.example.test").json["authorizations"])
        for identifier, type in (({"type": "dns", "value": "*.example.test"}, "malformed"), ({"type": "x", "value": "y"}, "unsupportedIdentifier"), ({}, "malformed")):
            self.assertEqual(self.client.post(self.client.directory["newAuthz"], {"identifier": identifier}).type, type)

    # draft-ietf-acme-dns-account-label
    def test_dns_account_01_asks_below_a_label_of_the_account(self):
        url, _ = self.authorization("account.example.test")
        challenge = self.client.challenge(url, "dns-account-01")
        label = "_" + base64.b32encode(hashlib.sha256(self.client.kid.encode()).digest()[:10]).decode().lower()
        self.dns.set(f"{label}._acme-challenge.account.example.test", TXT, txt(self.digest(challenge)))
        self.assertProven(url, "dns-account-01")

    # draft-ietf-acme-dns-persist
    def test_dns_persist_01_names_issuer_and_account(self):
        good = f"ca.example.test; accounturi={self.client.kid}"
        cases = [
            ("p1", good, True), ("p2", good + "; policy=wildcard", True), ("p3", f"CA.Example.Test;accounturi={self.client.kid};persistUntil={int(time.time()) + 1000}", True),
            ("p4", "other.example.test; accounturi=" + self.client.kid, False), ("p5", "ca.example.test", False), ("p6", "ca.example.test; accounturi=https://x.example.test/1", False),
            ("p7", good + "; persistUntil=1700000000", False), ("p8", good + "; persistUntil=soon", False), ("p9", good + "; accounturi=x", False),
        ]
        for name, record, proven in cases:
            with self.subTest(record):
                url, _ = self.authorization(f"{name}.example.test")
                self.assertTrue(self.client.challenge(url, "dns-persist-01")["token"], "item: every challenge has a token")
                self.assertEqual(self.client.challenge(url, "dns-persist-01")["issuer-domain-names"], ["ca.example.test"])
                self.dns.set(f"_validation-persist.{name}.example.test", TXT, txt(record))
                self.assertEqual(self.client.respond(url, "dns-persist-01")["status"], "valid" if proven else "invalid")
        for name, record, proven in (("w1", good, False), ("w2", good + ";policy=wildcard", True)):
            url, _ = self.authorization(f"*.{name}.example.test")
            self.dns.set(f"_validation-persist.{name}.example.test", TXT, txt(record))
            self.assertEqual(self.client.respond(url, "dns-persist-01")["status"], "valid" if proven else "invalid", record)

    # What would make a validation knock where it must not.
    def test_no_challenge_reaches_an_address_that_is_denied(self):
        knocks = []

        def watch(listener):
            while True:
                try:
                    connection, peer = listener.accept()
                except OSError:
                    return
                knocks.append((listener.getsockname(), peer))
                connection.close()

        listeners = [socket.create_server(("127.0.0.2", port)) for port in (self.node.challenge, self.tls_port)]
        for listener in listeners:
            self.addCleanup(listener.close)
            threading.Thread(target=watch, args=(listener,), daemon=True).start()
        denied = {"v4": (A, ["127.0.0.2"]), "mapped": (AAAA, ["::ffff:127.0.0.2"]), "metadata": (A, ["169.254.169.254"]), "nat64": (AAAA, ["64:ff9b::7f00:2"]),
                  "zero": (A, ["0.0.0.0"]), "several": (A, ["127.0.0.2", "169.254.169.254"]), "linklocal": (AAAA, ["fe80::1"]), "sixtofour": (AAAA, ["2002:7f00:2::1"])}
        for name, (kind, addresses) in denied.items():
            full = f"{name}.denied.test"
            self.dns.set(full, kind, *map(address, addresses))
            for method in ("http-01", "tls-alpn-01"):
                with self.subTest(name=name, method=method):
                    url, _ = self.authorization(full)
                    self.assertFailed(url, method, "unauthorized", "outbound policy")
        # A literal address as identifier.
        url, _ = self.authorization("127.0.0.2")
        self.assertFailed(url, "http-01", "unauthorized", "outbound policy")
        # Redirects to them, by address in any spelling and by name.
        port = self.node.challenge
        for index, target in enumerate((f"http://127.0.0.2:{port}/", f"http://v4.denied.test:{port}/", f"http://[::ffff:127.0.0.2]:{port}/", f"http://2130706434:{port}/",
                                        f"http://0x7f000002:{port}/", f"http://127.2:{port}/", f"http://user@127.0.0.2:{port}/", f"https://127.0.0.2:{port}/", "http://127.0.0.1:22/",
                                        "http://127.0.0.1:5432/", f"gopher://127.0.0.2:{port}/", f"//127.0.0.2:{port}/")):
            with self.subTest(target):
                url, _ = self.authorization(f"redirect{index}.example.test")
                challenge = self.client.challenge(url)
                self.responder.redirects[challenge["token"]] = target
                self.assertEqual(self.client.respond(url)["status"], "invalid")
        # A name that changes between one look and the next: what is checked is what is connected.
        turns = iter(range(1000000))
        self.dns.set("rebind.denied.test", A, lambda: [address("127.0.0.1" if next(turns) % 2 == 0 else "127.0.0.2")])
        for _ in range(4):
            url, _ = self.authorization("rebind.denied.test")
            challenge = self.client.challenge(url)
            self.responder.redirects[challenge["token"]] = f"http://rebind.denied.test:{port}/x/moved"
            self.client.respond(url)
        self.assertEqual(knocks, [])

    def test_an_address_that_does_not_answer_leaves_time_for_the_next(self):
        self.dns.set("both.example.test", AAAA, address("::1"))
        self.dns.set("both.example.test", A, address("127.0.0.1"))
        url, _ = self.authorization("both.example.test")
        challenge = self.client.challenge(url)
        self.responder.answers[challenge["token"]] = self.client.key_authorization(challenge)
        self.assertProven(url, "http-01")

    def test_a_dns_server_that_says_nothing_ends_in_time(self):
        self.dns.silent.add("_acme-challenge.silent.example.test")
        url, _ = self.authorization("silent.example.test")
        challenge = self.client.challenge(url, "dns-01")
        begun = time.monotonic()
        self.client.post(challenge["url"], {})
        while "error" not in (seen := self.client.post(challenge["url"])).json and time.monotonic() < begun + 20:
            time.sleep(0.1)
        self.assertEqual(seen.json["error"]["type"], "urn:ietf:params:acme:error:dns")
        self.assertLess(time.monotonic() - begun, 15)

    def test_item_33_white_space_is_ignored_and_the_body_has_a_limit(self):
        url, _ = self.authorization("space.example.test")
        challenge = self.client.challenge(url)
        self.assertRegex(challenge["token"], r"^[A-Za-z0-9_-]{22,}$")
        self.assertIn("#http_01_port = 80\n", self.node.out("sample", "protocol.acme"))
        self.responder.answers[challenge["token"]] = self.client.key_authorization(challenge) + " \r\n\t\n"
        self.assertProven(url, "http-01")
        url, _ = self.authorization("large.example.test")
        challenge = self.client.challenge(url)
        self.responder.answers[challenge["token"]] = self.client.key_authorization(challenge) + " " * 10000
        self.assertFailed(url, "http-01", "incorrectResponse", "more than 4096 octets")

    def test_a_peer_that_says_nothing_or_nonsense_is_explained(self):
        answers = {"mute": b"", "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", "nonsense": b"\0\1\2\3\r\n\r\n", "many": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"}
        for name, octets in answers.items():
            with self.subTest(name):
                url, _ = self.authorization(f"{name}.example.test")
                self.responder.raw[self.client.challenge(url)["token"]] = octets
                self.assertEqual(self.client.respond(url)["status"], "invalid")

    def test_a_redirect_to_https_is_followed_whatever_its_certificate(self):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.headers["Host"])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(Methods.secure_answer.encode())

            def log_message(self, *_):
                pass

        try:
            server = http.server.ThreadingHTTPServer(("127.0.0.3", 443), Handler)
        except OSError as error:
            self.skipTest(f"port-443: 127.0.0.3:443 cannot be had: {error}")
        self.tls.prove("secure.example.test", "nothing")
        context = self.tls.contexts["secure.example.test"]
        context.set_alpn_protocols(["http/1.1"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.dns.set("secure.example.test", A, address("127.0.0.3"))
        url, _ = self.authorization("moved.example.test")
        challenge = self.client.challenge(url)
        Methods.secure_answer = self.client.key_authorization(challenge)
        self.responder.redirects[challenge["token"]] = "https://secure.example.test/there"
        self.assertProven(url, "http-01")
        self.assertEqual(asked, ["secure.example.test"])

    def test_explain_tells_every_attempt_and_address(self):
        url, order = self.authorization("explained.example.test")
        challenge = self.client.challenge(url)
        self.responder.answers[challenge["token"]] = "nonsense"
        self.client.respond(url)
        told = self.node.json("acme", "explain", order.headers["Location"])
        self.assertEqual(told["status"], "invalid")
        text = "\n".join(event["what"] for event in told["events"])
        self.assertIn("order made from 127.0.0.1", text)
        self.assertIn("client is ready for http-01", text)
        self.assertIn(f"127.0.0.1:{self.node.challenge} answered 8 octets of something else", text)
        self.assertIn("http-01 attempt 1", self.node.out("acme", "explain", order.headers["Location"]))
        self.assertIn("no order", self.node.error("acme", "explain", "nothing"))


CAA_CONFIG = CONFIG.replace("[validator.lint]", '[validator.lint]\n\n[validator.caa]\nidentities = ["ca.example.test"]').replace('validate = ["lint"]', 'validate = ["lint", "caa"]')


class Caa(unittest.TestCase):
    """RFC 8659, RFC 8657, item 38: asked when the certificate is made, for every way of asking."""

    @classmethod
    def setUpClass(cls):
        cls.dns = DnsServer()
        cls.dns.default = "127.0.0.1"
        cls.node = Node(CAA_CONFIG.replace('names = ["localhost", "127.0.0.1"]', 'names = ["127.0.0.1", "localhost"]'), dns=cls.dns.port, tls=free_port()).init().start()
        cls.responder = Responder(cls.node.challenge)

    @classmethod
    def tearDownClass(cls):
        cls.responder.close()
        cls.dns.close()
        cls.node.close()

    def setUp(self):
        self.client = Client(self.node)
        self.client.register()
        self.addCleanup(self.client.close)

    def finalize(self, name):
        order = self.client.order(name)
        if name.startswith("*."):
            challenge = self.client.challenge(order.json["authorizations"][0], "dns-01")
            self.dns.set("_acme-challenge." + name[2:], TXT, txt(b64(hashlib.sha256(self.client.key_authorization(challenge).encode()).digest())))
            self.client.respond(order.json["authorizations"][0], "dns-01")
            ready = self.client.post(order.headers["Location"])
        else:
            ready = self.client.authorize(order, self.responder)
        self.assertEqual(ready.json["status"], "ready", ready.body)
        _, csr = csr_der(self.node, [name], "caa")
        return self.client.post(ready.json["finalize"], {"csr": b64(csr)}), ready

    def test_records_decide(self):
        ours, kid = "ca.example.test", self.client.kid
        table = [
            ("none", [], True), ("ours", [("issue", ours)], True), ("case", [("ISSUE", "CA.Example.TEST")], True), ("other", [("issue", "other.test")], False),
            ("nobody", [("issue", ";")], False), ("empty", [("issue", "")], False), ("both", [("issue", "other.test"), ("issue", ours)], True),
            ("wildonly", [("issuewild", ";")], True), ("iodef", [("iodef", "mailto:a@example.test")], True), ("account", [("issue", f"{ours}; accounturi={kid}")], True),
            ("otheraccount", [("issue", f"{ours}; accounturi={kid}x")], False), ("method", [("issue", f"{ours}; validationmethods=dns-01,http-01")], True),
            ("othermethod", [("issue", f"{ours}; validationmethods=dns-01")], False), ("twice", [("issue", f"{ours}; accounturi={kid}; accounturi={kid}")], False),
            ("garbage", [("issue", f"{ours}; accounturi")], False), ("unknown", [("future", "x")], True), ("parameter", [("issue", f"{ours}; x=y")], True),
            ("hyphen", [("issue", f"{ours}; cert-type=dv; a--b=c")], True), ("hyphenfirst", [("issue", f"{ours}; -a=b")], False), ("hyphenlast", [("issue", f"{ours}; a-=b")], False),
        ]
        for name, records, allowed in table:
            with self.subTest(name):
                full = f"{name}.caa.example.test"
                self.dns.set(full, CAA, *[caa(tag, value) for tag, value in records])
                answer, _ = self.finalize(full)
                self.assertEqual(answer.json.get("status") == "valid", allowed, answer.body)
                if not allowed:
                    self.assertEqual((answer.status, answer.type), (403, "caa"))
        self.dns.set("critical.caa.example.test", CAA, caa("future", "x", 128))
        self.assertEqual(self.finalize("critical.caa.example.test")[0].type, "caa")

    def test_the_closest_domain_and_the_wildcard_decide(self):
        self.dns.set("closed.example.test", CAA, caa("issue", ";"), caa("issuewild", "ca.example.test"))
        self.assertEqual(self.finalize("deep.below.closed.example.test")[0].type, "caa")
        self.assertEqual(self.finalize("*.closed.example.test")[0].json["status"], "valid")
        self.dns.set("open.closed.example.test", CAA, caa("issue", "ca.example.test"))
        self.assertEqual(self.finalize("a.open.closed.example.test")[0].json["status"], "valid")
        self.dns.set("alias.closed.example.test", CNAME, "target.example.test")
        self.dns.set("target.example.test", CAA, caa("issue", "ca.example.test"))
        self.assertIn("valid", self.finalize("alias.closed.example.test")[0].json.get("status", ""))

    def test_a_dns_that_fails_refuses_for_now_and_the_order_stays(self):
        order_name = "servfail.example.test"
        self.dns.set(order_name, CAA, caa("issue", "ca.example.test"))
        order = self.client.authorize(self.client.order(order_name), self.responder)
        self.dns.codes[order_name] = SERVFAIL
        _, csr = csr_der(self.node, [order_name], "caa")
        answer = self.client.post(order.json["finalize"], {"csr": b64(csr)})
        self.assertEqual(answer.status, 503, answer.body)
        self.assertTrue(answer.headers["Retry-After"])
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "ready")
        del self.dns.codes[order_name]
        deadline = time.monotonic() + 20  # the resolver remembers for some seconds that the server failed
        while (answer := self.client.post(order.json["finalize"], {"csr": b64(csr)})).status == 503 and time.monotonic() < deadline:
            time.sleep(0.5)
        self.assertEqual(answer.json["status"], "valid", answer.body)

    # RFC 8555 10.2, 11.2
    def test_item_38_records_are_asked_again_when_the_certificate_is_made(self):
        name = "changed.example.test"
        self.dns.set(name, CAA, caa("issue", "ca.example.test"))
        order = self.client.authorize(self.client.order(name), self.responder)
        self.assertEqual(order.json["status"], "ready")
        _, csr = csr_der(self.node, [name], "caa")
        self.dns.set(name, CAA, caa("issue", "other.test"))
        refused = self.client.post(order.json["finalize"], {"csr": b64(csr)})
        self.assertEqual((refused.status, refused.type), (403, "caa"), refused.body)
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "ready")
        self.dns.set(name, CAA, caa("issue", "ca.example.test"))
        done = self.client.post(order.json["finalize"], {"csr": b64(csr)})
        self.assertEqual(done.json["status"], "valid", done.body)

    def test_the_command_line_is_asked_the_same(self):
        self.dns.set("command.example.test", CAA, caa("issue", "other.test"))
        self.assertIn("caa: command.example.test does not allow it", self.node.error("issue", "--name", "command.example.test", "--key-out", str(self.node.folder / "k")))


if __name__ == "__main__":
    main()
