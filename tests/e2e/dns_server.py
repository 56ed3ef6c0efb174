"""A DNS server on loopback that says what a test tells it, and remembers what it was asked."""
import socket
import socketserver
import struct
import threading

A, CNAME, SOA, TXT, AAAA, CAA = 1, 5, 6, 16, 28, 257
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split(".") if label) + b"\0"


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def txt(*texts):
    """One record; every text becomes character-strings of at most 255 octets."""
    out = b""
    for text in texts:
        octets = text.encode()
        for start in range(0, max(len(octets), 1), 255):
            part = octets[start:start + 255]
            out += bytes([len(part)]) + part
    return out


def caa(tag, value, flags=0):
    return bytes([flags, len(tag)]) + tag.encode() + value.encode()


class DnsServer:
    def __init__(self):
        self.records = {}   # (name, type) -> list of rdata, or a function that makes one
        self.codes = {}     # name -> response code
        self.silent = set()  # names that get no answer
        self.default = None  # address of every other name
        self.asked = []
        self.lock = threading.Lock()
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                octets, sock = self.request
                if (answer := outer.answer(octets, 1232)) is not None:
                    sock.sendto(answer, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(size := self.rfile.read(2)) == 2:
                    if (answer := outer.answer(self.rfile.read(struct.unpack("!H", size)[0]), 65535)) is not None:
                        self.wfile.write(struct.pack("!H", len(answer)) + answer)

        class Threaded(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        # The same port for both: TCP is tried until UDP has that port too.
        while True:
            self.tcp = Threaded(("127.0.0.1", 0), Tcp)
            self.port = self.tcp.server_address[1]
            try:
                self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Udp)
                break
            except OSError:
                self.tcp.server_close()
        for server in (self.tcp, self.udp):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self):
        for server in (self.tcp, self.udp):
            server.shutdown()
            server.server_close()

    def set(self, name, kind, *rdata):
        with self.lock:
            self.records[name.lower(), kind] = rdata[0] if len(rdata) == 1 and callable(rdata[0]) else list(rdata)

    def lookup(self, name, kind):
        """The answer section as (owner, type, rdata), CNAMEs followed."""
        found = []
        for _ in range(10):
            target = self.records.get((name, CNAME))
            if target is None or kind == CNAME:
                break
            found.append((name, CNAME, wire_name(target[0])))
            name = target[0]
        rdata = self.records.get((name, kind), [])
        if callable(rdata):
            rdata = rdata()
        if not rdata and kind == A and self.default and not any((name, other) in self.records for other in (AAAA, CNAME)):
            rdata = [address(self.default)]
        return found + [(name, kind, octets) for octets in rdata]

    def answer(self, question, limit):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = struct.unpack("!H", question[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        with self.lock:
            self.asked.append((name, kind))
            if name in self.silent:
                return None
            code = self.codes.get(name, NOERROR)
            found = [] if code else self.lookup(name, kind)
        body = question[12:at + 5]
        for owner, type_, rdata in found:
            body += wire_name(owner) + struct.pack("!HHIH", type_, 1, 0, len(rdata)) + rdata
        truncated = 12 + len(body) > limit
        flags = 0x8580 | code | (0x0200 if truncated else 0)
        if truncated:
            body, found = question[12:at + 5], []
        return question[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0) + body
