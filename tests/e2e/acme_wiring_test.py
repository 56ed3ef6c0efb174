#!/usr/bin/python3
"""ACME services as configurations make them: profiles that a reload brings, requests that wait for approval, the sample."""
import concurrent.futures
import contextlib
import http.client
import signal
import socket
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import attestation
from acme_client import Client, Responder
from acme_service_test import SECOND
from acme_test import csr_der
from dns_server import A, DnsServer, address
from harness import BASE, ROOT, Node, b64, main, only


class Reload(unittest.TestCase):
    def test_the_directory_tells_of_profiles_that_a_reload_brings(self):
        changed = BASE.replace("[validator.lint]", SECOND + "\n[validator.lint]").replace('profiles = ["web"]', 'profiles = ["web", "short"]')
        with Node() as node:
            node.init().start()

            def profiles():
                with contextlib.closing(Client(node)) as client:
                    return set(client.directory["meta"]["profiles"])

            self.assertEqual(profiles(), {"web"})
            node.write_config(changed)
            node.signal(signal.SIGHUP)
            deadline = time.monotonic() + 15
            while profiles() == {"web"} and time.monotonic() < deadline:
                time.sleep(0.1)
            self.assertEqual(profiles(), {"web", "short"})


class Crowd(unittest.TestCase):
    """Accounts in any number, of one client, with names at servers that take a connection and never answer."""

    ADDRESSES = [f"127.0.1.{i}" for i in range(1, 11)]

    def test_servers_that_never_answer_keep_no_other_client_waiting(self):
        with Node(BASE) as node, contextlib.ExitStack() as stack:
            node.init().start()
            responder = Responder(node.challenge)
            stack.callback(responder.close)
            for address in self.ADDRESSES:
                silent = stack.enter_context(socket.create_server((address, node.challenge), backlog=256))
                silent.listen(256)

            def crowd(client):
                client.register()
                waiting = client.order(*self.ADDRESSES).json["authorizations"]
                for authorization in waiting:
                    client.post(client.challenge(authorization)["url"], {})
                return client, waiting

            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                crowds = list(pool.map(crowd, [stack.enter_context(contextlib.closing(Client(node))) for _ in range(12)]))
            client = stack.enter_context(contextlib.closing(Client(node)))
            client.connection = http.client.HTTPSConnection("localhost", node.https, timeout=30, context=client.context, source_address=("127.0.0.2", 0))
            client.register()
            ready = client.authorize(client.order("honest.localhost"), responder)
            self.assertEqual(ready.json["status"], "ready")
            judged = sum("error" in client.challenge(authorization) for client, waiting in crowds for authorization in waiting)
            self.assertLess(judged, 100, "they were not waited for")


    def crowded(self, clients, names, lead_astray):
        """Whether many with such names keep a client waiting: how many of them were judged before it was."""
        dns = DnsServer()
        self.addCleanup(dns.close)
        dns.default = "127.0.0.1"
        config = BASE.replace('permit = ["127.0.0.0/8"', f'resolvers = ["127.0.0.1:{dns.port}"]\npermit = ["127.0.0.0/8"')
        with Node(config) as node, contextlib.ExitStack() as stack:
            node.init().start()
            responder = Responder(node.challenge)
            stack.callback(responder.close)
            stack.enter_context(socket.create_server(("127.0.1.1", node.challenge), backlog=512))

            def client_at(address):
                client = stack.enter_context(contextlib.closing(Client(node)))
                client.close()
                client.connection = http.client.HTTPSConnection("localhost", node.https, timeout=30, context=client.context, source_address=(address, 0))
                return client

            def crowd(number, client):
                client.register()
                asked = [f"n{i}.crowd{number}.test" for i in range(names)]
                for name in asked:
                    lead_astray(dns, name)
                waiting = client.order(*asked).json["authorizations"]
                for authorization in waiting:
                    client.post(client.challenge(authorization)["url"], {})
                return client, waiting

            numbers = range(1, clients + 1)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                crowds = list(pool.map(crowd, numbers, [client_at(f"127.0.2.{number}") for number in numbers]))
            client = client_at("127.0.0.2")
            client.register()
            ready = client.authorize(client.order("honest.test"), responder)
            self.assertEqual(ready.json["status"], "ready")
            return sum("error" in client.challenge(authorization) for client, waiting in crowds for authorization in waiting)

    def test_one_server_that_never_answers_keeps_nobody_waiting_however_many_ask_for_it(self):
        judged = self.crowded(40, 8, lambda dns, name: dns.set(name, A, address("127.0.1.1")))
        self.assertLess(judged, 100, "they were not waited for")

    def test_names_that_dns_never_answers_for_keep_no_other_name_waiting(self):
        judged = self.crowded(10, 10, lambda dns, name: dns.silent.add(name))
        self.assertLess(judged, 50, "they were not waited for")


class Approval(unittest.TestCase):
    # RFC 8555 7.4: "processing", for as long as an operator has not decided
    def test_an_order_waits_for_approval_and_is_valid_or_invalid_afterwards(self):
        approved = '[pipeline.approved]\nauthority = "issuing"\nprofiles = ["web"]\nvalidate = ["lint"]\napproval = "manual"\n\n[protocol.acme]'
        with Node(BASE.replace("[protocol.acme]", approved).replace('path = "/acme"\npipeline = "web"', 'path = "/acme"\npipeline = "approved"')) as node:
            node.init().start()
            responder = Responder(node.challenge)
            self.addCleanup(responder.close)
            client = Client(node)
            self.addCleanup(client.close)
            client.register()
            _, csr = csr_der(node, ["approved.localhost"], "approved")
            orders = []
            # The same request twice: each order is a request of its own.
            for _ in range(2):
                order = client.order("approved.localhost")
                ready = client.authorize(order, responder)
                answer = client.post(ready.json["finalize"], {"csr": b64(csr)})
                self.assertEqual((answer.status, answer.json["status"]), (200, "processing"), answer.body)
                self.assertGreater(int(answer.headers["Retry-After"]), 1)
                self.assertNotIn("certificate", answer.json)
                again = client.post(ready.json["finalize"], {"csr": b64(csr)})
                self.assertEqual((again.status, again.type), (403, "orderNotReady"))
                orders.append(order.headers["Location"])
            waiting = node.items("requests", "list")
            self.assertEqual(len(waiting), 2)
            told = [node.out("acme", "explain", url.rsplit("/", 1)[1]) for url in orders]
            first, second = (next(r["request"] for r in waiting if r["request"] in text) for text in told)
            client.close()
            client.nonce = None
            node.kill()
            node.start()
            node.out("requests", "approve", first)
            node.out("requests", "deny", second, "--reason", "nobody knows it")
            approved = client.wait(orders[0], "valid", "invalid", seconds=40)
            self.assertEqual(approved.json["status"], "valid", approved.body)
            leaf = x509.load_pem_x509_certificate(client.post(approved.json["certificate"]).body)
            self.assertEqual(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName), ["approved.localhost"])
            denied = client.wait(orders[1], "valid", "invalid", seconds=40)
            self.assertEqual(denied.json["status"], "invalid", denied.body)
            self.assertIn("nobody knows it", denied.json["error"]["detail"])


class Sample(unittest.TestCase):
    @only(storage="sqlite", keys="softtoken")
    def test_config_acme_toml_runs_all_three_services(self):
        with Node("") as node:
            makers = attestation.Authority("Makers")
            node.state.mkdir(mode=0o700)
            (node.state / "attestation-roots.pem").write_bytes(makers.pem)
            text = (ROOT / "config" / "acme.toml").read_text()
            for old, new in (('"../state"', f'"{node.state}"'), ("127.0.0.1:8443", f"127.0.0.1:{node.https}"), ("127.0.0.1:8081", f"127.0.0.1:{node.http}"),
                             ("deny = [", 'permit = ["127.0.0.0/8"]\ndeny = [')):
                self.assertIn(old, text)
                text = text.replace(old, new)
            for path in ("/acme", "/inside"):
                text = text.replace(f'path = "{path}"\n', f'path = "{path}"\nhttp_01_port = {node.challenge}\n')
            node.config.write_text(text)
            node.init().start()
            self.assertIn("https://", node.out("plan"))
            responder = Responder(node.challenge)
            self.addCleanup(responder.close)
            _, csr = csr_der(node, ["sample.localhost"], "sample")
            public, inside = Client(node), Client(node, path="/inside")
            self.addCleanup(public.close)
            self.addCleanup(inside.close)
            self.assertEqual(public.directory["meta"]["termsOfService"], "https://pki.example.test/terms/1")
            self.assertEqual(public.register().status, 201)
            self.assertEqual(inside.register().type, "externalAccountRequired")
            made = node.json("acme", "eab", "create", "--instance", "inside", "--owner", "team red", "--name", "localhost")
            self.assertEqual(inside.register(externalAccountBinding=inside.binding(made["kid"], made["hmac"])).status, 201)
            for client in (public, inside):
                _, done = client.certificate("sample.localhost", responder=responder, csr=csr)
                self.assertEqual(done.json["status"], "valid", done.body)
            devices = Client(node, path="/devices")
            self.addCleanup(devices.close)
            self.assertEqual(devices.register().type, "externalAccountRequired")
            made = node.json("acme", "eab", "create", "--instance", "devices", "--owner", "the fleet")
            self.assertEqual(devices.register(externalAccountBinding=devices.binding(made["kid"], made["hmac"])).status, 201)
            order = lambda serial: devices.post(devices.directory["newOrder"], {"identifiers": [{"type": "permanent-identifier", "value": serial}]})
            self.assertEqual(order("X-1").type, "rejectedIdentifier")
            ordered = order("C02XK1ABJG5H")
            challenge = devices.post(ordered.json["authorizations"][0]).json["challenges"][0]
            key = attestation.new_key()
            answer = devices.post(challenge["url"], {"attObj": b64(attestation.cbor(attestation.Apple(makers, "C02XK1ABJG5H").attest(key, challenge["token"])))})
            self.assertEqual(answer.json["status"], "valid", answer.body)
            csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
            self.assertEqual(devices.post(ordered.json["finalize"], {"csr": b64(csr)}).json["status"], "valid")
            self.assertEqual(len(node.items("acme", "accounts")), 3)
            self.assertEqual({order["status"] for order in node.items("acme", "orders")}, {"valid"})


if __name__ == "__main__":
    main()
