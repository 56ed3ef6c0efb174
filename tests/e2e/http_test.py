#!/usr/bin/python3
"""The HTTP front over real sockets: TLS, limits, deadlines, pipelining, shedding, draining."""
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import threading
import time
import unittest

from acme_client import Client
from harness import BASE, Node, main, openssl

SLOW = BASE.replace('health = true', 'health = true\nheader_timeout = "500ms"\nbody_timeout = "500ms"\nidle_timeout = "1s"\nmax_connections = 20\nheader_limit = "4KiB"')


def read_all(sock, seconds=5):
    sock.settimeout(seconds)
    octets = b""
    with contextlib.suppress(socket.timeout, ConnectionError):
        while chunk := sock.recv(65536):
            octets += chunk
    return octets


class Front(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(SLOW).init().start()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.node.http))

    def ask(self, octets, seconds=5):
        with self.connect() as sock:
            sock.sendall(octets)
            return read_all(sock, seconds)

    def test_a_connection_is_kept_and_requests_may_be_pipelined(self):
        one = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = self.ask(one * 3 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 4)
        self.assertEqual(answer.count(b"Connection: close"), 1)

    def test_requests_may_come_octet_by_octet(self):
        with self.connect() as sock:
            for octet in b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n":
                sock.sendall(bytes([octet]))
                time.sleep(0.001)
            self.assertIn(b"200 OK", sock.recv(4096))

    def test_what_is_no_proper_request_is_refused_and_the_connection_closed(self):
        for octets, status in [
            (b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", b"501"), (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 5000 + b"\r\n\r\n", b"431"), (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
            (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", b"413"), (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", b"505"),
            (b"GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", b"400"), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        ]:
            answer = self.ask(octets)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), (octets[:60], answer[:60]))
            self.assertIn(b"Connection: close", answer)

    def test_head_has_no_body_and_unknown_paths_are_404(self):
        answer = self.ask(b"HEAD /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertTrue(answer.endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: ", answer)
        self.assertIn(b"404", self.ask(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        self.assertIn(b"405", self.ask(b"DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))

    def test_a_client_that_waits_for_100_continue_gets_it(self):
        with socket.create_connection(("127.0.0.1", self.node.https)) as raw:
            with self.node.tls().wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(b"POST /acme/new-account HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
                self.assertEqual(sock.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
                sock.sendall(b"{}")
                self.assertIn(b"415", read_all(sock))

    def test_slow_clients_are_cut_off(self):
        for prefix in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"):
            with self.connect() as sock:
                sock.sendall(prefix)
                start = time.monotonic()
                self.assertEqual(read_all(sock, 10), b"")
                self.assertLess(time.monotonic() - start, 3)
        # One octet now and then does not help: the whole header section has one deadline.
        with self.connect() as sock:
            start = time.monotonic()
            with contextlib.suppress(ConnectionError):
                for octet in b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 100:
                    sock.sendall(bytes([octet]))
                    time.sleep(0.05)
                    if time.monotonic() - start > 4:
                        break
            self.assertLess(time.monotonic() - start, 4)

    def test_idle_connections_end(self):
        with self.connect() as sock:
            sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200", sock.recv(4096))
            start = time.monotonic()
            self.assertEqual(read_all(sock, 10), b"")
            self.assertLess(time.monotonic() - start, 3)

    def test_more_connections_than_allowed_are_closed(self):
        sockets = []
        try:
            for _ in range(30):
                sockets.append(self.connect())
            time.sleep(0.2)
            closed = 0
            for sock in sockets:
                sock.settimeout(0.05)
                with contextlib.suppress(socket.timeout, ConnectionError):
                    closed += sock.recv(1) == b""
            self.assertGreaterEqual(closed, 10)
        finally:
            for sock in sockets:
                sock.close()
        time.sleep(0.3)
        self.assertGreater(self.node.metric('hanaper_http_shed_total{listener="plain"}'), 0)

    def test_every_protocol_version_that_is_allowed_and_no_other(self):
        for version, works in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            context = self.node.tls()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", self.node.https)) as raw:
                try:
                    with context.wrap_socket(raw, server_hostname="localhost") as sock:
                        self.assertTrue(works, version)
                        self.assertIsNone(sock.selected_alpn_protocol())
                except ssl.SSLError:
                    self.assertFalse(works, version)

    def test_plain_http_at_the_tls_port_is_just_closed(self):
        with socket.create_connection(("127.0.0.1", self.node.https)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertNotIn(b"HTTP/1.1", read_all(sock))

    def test_large_answers_come_whole_to_slow_readers(self):
        with self.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50 + b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            octets = b""
            while chunk := sock.recv(1000):
                octets += chunk
            self.assertEqual(octets.count(b"HTTP/1.1 200 OK"), 51)

    def test_metrics_are_in_prometheus_form(self):
        text = self.node.get("/metrics")[1]
        for line in text.strip().split("\n"):
            self.assertRegex(line, r'^(# (HELP|TYPE) .+|[a-z0-9_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+|.*\+Inf.*)$')
        for name in ("hanaper_certificates", "hanaper_build_info", "hanaper_commit_seconds_bucket", "hanaper_ready"):
            self.assertIn(name, text)


class Certificates(unittest.TestCase):
    def test_a_listener_asks_for_client_certificates_where_told(self):
        for mode in ("optional", "required"):
            config = BASE.replace('names = ["localhost", "127.0.0.1"] }}', f'names = ["localhost", "127.0.0.1"] }}}}\nclient_certificates = "{mode}"')
            with Node(config).init().start() as node:
                certificate, key = node.folder / "c.pem", node.folder / "c.key"
                node.out("issue", "--name", "client.example.test", "--key-out", key, "--out", certificate)
                for with_certificate in (True, False):
                    context = node.tls()
                    if with_certificate:
                        context.load_cert_chain(certificate, key)
                    connection = http.client.HTTPSConnection("localhost", node.https, context=context, timeout=10)
                    try:
                        connection.request("GET", "/acme/directory")
                        self.assertEqual(connection.getresponse().status, 200)
                        self.assertTrue(with_certificate or mode == "optional")
                    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
                        self.assertFalse(with_certificate or mode == "optional", mode)
                    finally:
                        connection.close()

    def test_a_certificate_from_files_is_served_and_read_again(self):
        folder_config = BASE.replace('certificate = {{ issue = "web", names = ["localhost", "127.0.0.1"] }}', 'certificate = {{ file = "{state}/tls.pem", key = "{state}/tls.key" }}\nurl = "https://localhost:{https}"')
        with Node(folder_config).init() as node:
            node.out("issue", "--name", "localhost", "--key-out", node.state / "tls.key", "--out", node.state / "tls.pem")
            node.start()

            def served():
                pem = ssl.get_server_certificate(("127.0.0.1", node.https))
                return openssl("x509", "-noout", "-serial", input=pem)

            before = served()
            (node.state / "tls.key").unlink()
            node.out("issue", "--name", "localhost", "--key-out", node.state / "tls.key", "--out", node.state / "tls.pem")
            node.signal(signal.SIGHUP)
            deadline = time.monotonic() + 10
            while served() == before:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)

    def test_a_key_that_does_not_belong_to_the_certificate_is_refused(self):
        config = BASE.replace('certificate = {{ issue = "web", names = ["localhost", "127.0.0.1"] }}', 'certificate = {{ file = "{state}/tls.pem", key = "{state}/tls.key" }}')
        with Node(config).init() as node:
            node.out("issue", "--name", "localhost", "--key-out", node.state / "other.key", "--out", node.state / "tls.pem")
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", node.state / "tls.key")
            self.assertIn("listener.public.certificate: the private key does not belong to the certificate", node.failed_start(2))


class Load(unittest.TestCase):
    def test_a_full_pool_sheds_with_503_and_retry_after(self):
        config = BASE.replace('drain = "5s"', 'drain = "5s"\nworkers = 1\nqueue = 1')
        with Node(config).init().start() as node:
            statuses, lock = [], threading.Lock()

            def work():
                for _ in range(20):
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        status, _, answer = node.get("/metrics")
                        with lock:
                            statuses.append((status, answer.headers.get("Retry-After")))

            threads = [threading.Thread(target=work) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertIn((200, None), statuses)
            self.assertIn((503, "1"), statuses)

    def test_a_stop_lets_running_requests_finish(self):
        with Node().init().start() as node:
            client = Client(node)
            client.register()
            done = []

            def work():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    while True:
                        done.append(client.order("drain.localhost").status)

            thread = threading.Thread(target=work)
            thread.start()
            time.sleep(0.5)
            self.assertEqual(node.stop(), 0)
            thread.join()
            self.assertGreater(len(done), 1)
            self.assertEqual(set(done), {201}, "every answer that began was finished")
            client.close()

    def test_readiness_goes_before_the_listener_does(self):
        with Node().init().start() as node:
            ready = json.loads(node.get("/health/ready")[1])
            self.assertEqual(ready["status"], "ready")
            for check in ("writer", "storage.main", "keys.soft", "listeners", "serving"):
                self.assertEqual(ready["checks"][check], "ok")

    def test_the_manager_is_told_when_it_is_ready_and_when_it_stops(self):
        with Node().init() as node:
            path = node.folder / "notify"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            listener.bind(str(path))
            listener.settimeout(20)
            os.environ["NOTIFY_SOCKET"] = str(path)
            try:
                node.start()
                self.assertEqual(listener.recv(100), b"READY=1")
                node.stop()
                self.assertEqual(listener.recv(100), b"STOPPING=1")
            finally:
                del os.environ["NOTIFY_SOCKET"]
                listener.close()


if __name__ == "__main__":
    main()
