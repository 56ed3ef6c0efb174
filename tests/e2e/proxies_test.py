#!/usr/bin/python3
"""Behind balancers: the PROXY protocol and the fields Forwarded and X-Forwarded-For, written by hand and by HAProxy."""
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import struct
import subprocess
import time
import unittest

from acme_client import Client
from harness import BASE, Node, free_port, main

# The proxies are 127.0.0.2 and 127.0.0.3; whoever comes from 127.0.0.1 is a client.
PROXY, OTHER_PROXY = "127.0.0.2", "127.0.0.3"
CONFIG = BASE.replace('[listener.plain]\n', """[listener.plain]
proxies = ["127.0.0.2/31"]
""").replace('[listener.public]\n', """[listener.public]
proxies = ["127.0.0.2", "127.0.0.3", "2001:db8:f::/48"]
""").replace('limits = []', 'limits = ["accounts-per-address 2/1h"]') + """
[listener.few]
bind = "127.0.0.1:{few}"
health = true
proxies = ["127.0.0.2/31"]
connections_per_address = 2

[listener.fields]
bind = "127.0.0.1:{fields}"
url = "https://localhost:{fields}"
health = true
proxies = ["127.0.0.2/31", "10.0.0.0/8"]
proxy = "forwarded"
connections_per_address = 2

[authenticator.people]
plugin = "accounts"
file = "accounts"

[pipeline.devices]
authority = "issuing"
profiles = ["web"]
authenticate = ["people"]
validate = ["lint"]

[protocol.est]
listener = "public"
path = "/.well-known/est"
pipeline = "devices"

[protocol.behind]
plugin = "acme"
listener = "fields"
path = "/acme"
pipeline = "web"
limits = ["accounts-per-address 2/1h"]
"""
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def proxy_for(client):
    return "2001:db8:f::1" if ":" in client else "198.51.100.1"


def v1(client):
    return f"PROXY TCP{6 if ':' in client else 4} {client} {proxy_for(client)} 54321 443\r\n".encode()


def v2(client, command=1, values=b""):
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    rest = b"".join(socket.inet_pton(family, one) for one in (client, proxy_for(client))) + struct.pack("!HH", 54321, 443) + values
    return SIGNATURE + bytes([0x20 | command, 0x21 if ":" in client else 0x11]) + struct.pack("!H", len(rest)) + rest


LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
UNKNOWN = b"PROXY UNKNOWN\r\n"


def until(holds, seconds=5):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def connect(port, source=PROXY):
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def read_all(sock):
    octets = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            octets += chunk
    return octets


class ProxiedTls(http.client.HTTPSConnection):
    """HTTPS behind a header."""

    def __init__(self, header, port, context, source=PROXY):
        super().__init__("localhost", port, timeout=30, context=context)
        self.header, self.from_address, self.tls = header, source, context

    def connect(self):
        raw = connect(self.port, self.from_address)
        raw.sendall(self.header)
        self.sock = self.tls.wrap_socket(raw, server_hostname="localhost")


class ProxiedClient(Client):
    """An ACME client at the far side of a proxy: `header` comes before TLS, or `fields` with each request."""

    def __init__(self, node, port, header=None, fields=None, source=PROXY):
        self.more = fields or {}
        super().__init__(node)
        self.connection.close()
        if fields is None:
            self.connection = ProxiedTls(header, port, node.tls(), source)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
            self.directory, self.nonce = self.request("GET", "/acme/directory").json, None

    def request(self, method, path, body=None, headers={}):
        return super().request(method, path, body, {**headers, **self.more})


class Behind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.few, cls.fields = free_port(), free_port()
        cls.node = Node(CONFIG, few=cls.few, fields=cls.fields)
        cls.addClassCleanup(cls.node.close)
        cls.node.state.mkdir(mode=0o700)
        accounts = cls.node.state / "accounts"
        accounts.write_text("")
        accounts.chmod(0o600)
        cls.node.init().start()

    def ask(self, header, port=None, source=PROXY, pieces=None):
        with connect(port or self.node.http, source) as sock:
            whole = header + LIVE
            size = pieces or len(whole)
            for at in range(0, len(whole), size):
                sock.sendall(whole[at:at + size])
                if pieces:
                    time.sleep(0.001)
            return read_all(sock)

    def refused(self, listener="plain"):
        return self.node.metric(f'hanaper_http_refused_total{{listener="{listener}"}}') or 0

    def address_of_account(self, client):
        answer = client.register()
        self.assertEqual(answer.status, 201, answer.body)
        account = answer.headers["Location"].rsplit("/", 1)[1]
        line = next(line for line in self.node.log_text().splitlines() if "account created" in line and account in line)
        return line.split("address=")[1].split()[0]


class Proxies(Behind):
    def test_headers_of_both_versions_are_taken_however_their_octets_come(self):
        for header in (v1("192.0.2.7"), v1("2001:db8::7"), v2("192.0.2.7"), v2("2001:db8::7"), v2("192.0.2.7", values=b"\x04\x00\x02xx"), LOCAL, UNKNOWN):
            for pieces in (None, 1, 7):
                for source in (PROXY, OTHER_PROXY):
                    self.assertIn(b"200 OK", self.ask(header, pieces=pieces, source=source), (header, pieces))

    def test_tls_begins_right_behind_the_header(self):
        for header in (v1("192.0.2.7"), v2("2001:db8::7"), LOCAL):
            connection = ProxiedTls(header, self.node.https, self.node.tls())
            connection.request("GET", "/acme/directory")
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
        with connect(self.node.https) as raw:
            # The header and the beginning of TLS in one packet, then the rest.
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self.node.tls().wrap_bio(incoming, outgoing, server_hostname="localhost")
            with self.assertRaises(ssl.SSLWantReadError):
                tls.do_handshake()
            hello = outgoing.read()
            raw.sendall(v1("192.0.2.7") + hello[:40])
            time.sleep(0.05)
            raw.sendall(hello[40:])
            self.assertEqual(raw.recv(1)[0], 0x16, "a handshake")

    def test_what_does_not_begin_with_a_header_is_closed_and_counted_and_told_once(self):
        wrong = [LIVE, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", v1("192.0.2.7").replace(b"TCP4", b"TCP6"), v2("192.0.2.7")[:-2] + b"\xff",
                 v2("192.0.2.7", values=b"\x03\x00\x04abcd"), SIGNATURE + b"\x21\x11\xff\xff", b"PROXY " + b"x" * 200]
        before = self.refused()
        for number, header in enumerate(wrong, 1):
            if number == 4:
                header = v2("192.0.2.7", command=2)
            self.assertEqual(self.ask(header), b"", header)
            self.assertTrue(until(lambda: self.refused() == before + number), header)
        lines = [line for line in self.node.log_text().splitlines() if "do not say whom they are for" in line and "listener=plain" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("proxy=127.0.0.", lines[0])
        self.assertIn("error=", lines[0])

    def test_a_header_has_a_second(self):
        for first, then in ((b"", LIVE), (v1("192.0.2.7")[:10], LIVE)):
            with connect(self.few) as sock:
                sock.sendall(first)
                began = time.monotonic()
                self.assertEqual(read_all(sock), b"")
                self.assertLess(time.monotonic() - began, 5)
        with connect(self.few) as sock:
            sock.sendall(v1("192.0.2.7")[:10])
            time.sleep(0.3)
            sock.sendall(v1("192.0.2.7")[10:] + LIVE)
            self.assertIn(b"200 OK", read_all(sock))

    def test_who_connects_and_leaves_is_nobodys_fault(self):
        before = self.refused("few")
        for _ in range(3):
            connect(self.few).close()
        self.assertIn(b"200 OK", self.ask(LOCAL, self.few))
        self.assertEqual(self.refused("few"), before)

    def test_others_are_served_as_ever_and_their_headers_refused(self):
        self.assertIn(b"200 OK", self.ask(b"", source="127.0.0.1"))
        for header in (v1("192.0.2.7"), v2("192.0.2.7"), LOCAL):
            self.assertTrue(self.ask(header, source="127.0.0.4").startswith(b"HTTP/1.1 400"), header)
            with self.assertRaises(OSError):
                ProxiedTls(header, self.node.https, self.node.tls(), "127.0.0.4").request("GET", "/acme/directory")

    def test_connections_count_for_the_client_and_for_its_network(self):
        def open_for(header):
            sock = connect(self.few)
            opened.enter_context(sock)
            sock.sendall(header + LIVE.replace(b"Connection: close\r\n", b""))
            with contextlib.suppress(ConnectionError):
                return b"200 OK" in sock.recv(4096)
            return False

        with contextlib.ExitStack() as opened:
            self.assertEqual([open_for(v1("192.0.2.7")) for _ in range(3)], [True, True, False])
            self.assertEqual([open_for(v2(f"2001:db8:1:2::{n}")) for n in range(1, 4)], [True, True, False])
            self.assertTrue(open_for(v2("2001:db8:1:3::1")))
            self.assertEqual([open_for(v2("::ffff:192.0.2.8")), open_for(v1("192.0.2.8")), open_for(v1("192.0.2.8"))], [True, True, False])
            self.assertEqual([open_for(LOCAL) for _ in range(5)], [True] * 5, "the balancer's own")
        self.assertTrue(until(lambda: b"200 OK" in self.ask(v1("192.0.2.7"), self.few)), "when the others have left")
        self.assertIn("client=192.0.2.7 proxy=127.0.0.2", self.node.log_text())

    def test_accounts_count_for_the_client(self):
        for client in ("192.0.2.10", "192.0.2.11", "2001:db8:a::1"):
            made = []
            for header in (v1, v2, v1):
                acme = ProxiedClient(self.node, self.node.https, header(client))
                made.append(acme.register().status)
                acme.close()
            self.assertEqual(made, [201, 201, 429], client)
        self.assertIn("address=192.0.2.11", self.node.log_text())

    def test_the_audit_names_the_client(self):
        connection = ProxiedTls(v2("192.0.2.20"), self.node.https, self.node.tls())
        connection.request("POST", "/.well-known/est/simpleenroll", b"x", {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc=", "Content-Type": "application/pkcs10"})
        self.assertEqual(connection.getresponse().status, 401)
        connection.close()
        lines = [json.loads(line) for line in self.node.out("audit", "tail", "--lines", "100").splitlines() if "est.refused" in line]
        self.assertEqual([line["address"] for line in lines], ["192.0.2.20"])

    def test_fields_of_requests_name_the_client(self):
        for fields, client in [
            ({"X-Forwarded-For": "192.0.2.30"}, "192.0.2.30"),
            ({"X-Forwarded-For": "198.51.100.9, 192.0.2.31, 10.1.2.3"}, "192.0.2.31"),
            ({"Forwarded": 'for=198.51.100.9, for="[2001:db8:b::1]:4711";proto=https, for=10.0.0.1'}, "2001:db8:b::1"),
            ({"Forwarded": "for=192.0.2.32", "X-Forwarded-For": "192.0.2.32"}, "192.0.2.32"),
            ({"Forwarded": "for=192.0.2.33", "X-Forwarded-For": "192.0.2.34"}, PROXY),
            ({"X-Forwarded-For": "192.0.2.35, unknown, 10.0.0.9"}, "10.0.0.9"),
        ]:
            acme = ProxiedClient(self.node, self.fields, fields=fields)
            self.assertEqual(self.address_of_account(acme), client, fields)
            acme.close()

    def test_each_request_of_a_connection_has_its_own_client(self):
        acme = ProxiedClient(self.node, self.fields, fields={"X-Forwarded-For": "192.0.2.40"})
        seen = []
        for client in ("192.0.2.40", "192.0.2.41", "192.0.2.40", "192.0.2.40"):
            acme.more, acme.kid, acme.key = {"X-Forwarded-For": client}, None, type(acme.key)()
            seen.append(acme.register().status)
        self.assertEqual(seen, [201, 201, 201, 429])
        acme.close()

    def test_fields_of_others_are_ignored(self):
        acme = ProxiedClient(self.node, self.fields, fields={"Forwarded": "for=192.0.2.50", "X-Forwarded-For": "192.0.2.50"}, source="127.0.0.5")
        self.assertEqual(self.address_of_account(acme), "127.0.0.5")
        acme.close()
        acme = ProxiedClient(self.node, self.node.https, v1("192.0.2.51"))
        acme.more = {"X-Forwarded-For": "192.0.2.52"}
        self.assertEqual(self.address_of_account(acme), "192.0.2.51")
        acme.close()

    def test_a_proxy_that_names_clients_in_requests_is_not_limited_as_one_of_them(self):
        with contextlib.ExitStack() as opened:
            for number in range(6):
                sock = opened.enter_context(connect(self.fields))
                sock.sendall(LIVE.replace(b"Connection: close", f"X-Forwarded-For: 192.0.2.{number}".encode()))
                self.assertIn(b"200 OK", sock.recv(4096))
            # One after the other: those that come at once are accepted in whatever order.
            for _ in range(2):
                sock = opened.enter_context(connect(self.fields, "127.0.0.6"))
                sock.sendall(LIVE.replace(b"Connection: close\r\n", b""))
                self.assertIn(b"200 OK", sock.recv(4096))
            self.assertEqual(read_all(opened.enter_context(connect(self.fields, "127.0.0.6"))), b"", "a client's third")

    def test_a_change_waits_for_the_next_start(self):
        text = self.node.config.read_text()
        self.addCleanup(self.node.config.write_text, text)
        self.node.config.write_text(text.replace('proxies = ["127.0.0.2/31"]\n', 'proxies = ["127.0.0.8"]\n', 1))
        self.assertIn("listener.plain: takes effect at the next start", self.node.out("reload"))
        self.assertIn(b"200 OK", self.ask(v1("192.0.2.7")))


HAPROXY = """
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout check 2s

listen text
  mode tcp
  bind 127.0.0.1:{text}
  server node 127.0.0.1:{https} source 127.0.0.2 send-proxy

listen binary
  mode tcp
  bind 127.0.0.1:{binary}
  server node 127.0.0.1:{https} source 127.0.0.2 send-proxy-v2 proxy-v2-options crc32c

listen checked
  mode http
  bind 127.0.0.1:{checked}
  option httpchk GET /health/ready
  server node 127.0.0.1:{http} source 127.0.0.3 send-proxy-v2 check inter 100ms fall 1

listen older
  mode http
  bind 127.0.0.1:{older}
  option forwardfor
  http-request del-header Forwarded
  server node 127.0.0.1:{fields} source 127.0.0.2

listen standard
  mode http
  bind 127.0.0.1:{standard}
  {forwarded}
  http-request del-header X-Forwarded-For
  server node 127.0.0.1:{fields} source 127.0.0.2
"""


@unittest.skipUnless(shutil.which("haproxy"), "haproxy: it is not installed")
class HaProxy(Behind):
    """A balancer that nobody here wrote; its clients come from 127.0.0.9."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = ("text", "binary", "checked", "older", "standard")
        cls.ports = {name: free_port() for name in names}
        version = subprocess.run(["haproxy", "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
        has_option = tuple(int(part) for part in version.split(".")[:2]) >= (2, 8)
        forwarded = "option forwarded" if has_option else "http-request set-header Forwarded for=%[src]"
        config = cls.node.folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(https=cls.node.https, http=cls.node.http, fields=cls.fields, forwarded=forwarded, **cls.ports))
        with open(cls.node.folder / "haproxy.log", "wb") as log:
            cls.haproxy = subprocess.Popen(["haproxy", "-db", "-f", config], stdout=log, stderr=log)
        cls.addClassCleanup(cls.end)
        for port in cls.ports.values():
            assert until(lambda: cls.listens(port), 10), (cls.node.folder / "haproxy.log").read_text()

    @classmethod
    def end(cls):
        cls.haproxy.terminate()
        cls.haproxy.wait(10)

    @staticmethod
    def listens(port):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        return False

    def test_its_headers_are_read_before_tls(self):
        for name in ("text", "binary"):
            acme = ProxiedClient(self.node, self.ports[name], b"", source="127.0.0.9")
            self.assertEqual(self.address_of_account(acme), "127.0.0.9", name)
            acme.close()
        acme = ProxiedClient(self.node, self.ports["text"], b"", source="127.0.0.9")
        self.assertEqual(acme.register().status, 429, "the third of that client")
        acme.close()

    def test_its_health_checks_come_through(self):
        def asked():
            connection = http.client.HTTPConnection("127.0.0.1", self.ports["checked"], timeout=10)
            with contextlib.closing(connection):
                connection.request("GET", "/health/ready")
                return connection.getresponse().status

        before = self.refused()
        self.assertTrue(until(lambda: asked() == 200))
        time.sleep(0.5)  # some checks later
        self.assertEqual(asked(), 200)
        self.assertEqual(self.refused(), before)

    def test_its_fields_name_the_client_whatever_he_sends_himself(self):
        for name, source in (("older", "127.0.0.10"), ("standard", "127.0.0.11")):
            acme = ProxiedClient(self.node, self.ports[name], fields={"X-Forwarded-For": "192.0.2.60", "Forwarded": 'for="192.0.2.60'}, source=source)
            self.assertEqual(self.address_of_account(acme), source, name)
            acme.close()


if __name__ == "__main__":
    main()
