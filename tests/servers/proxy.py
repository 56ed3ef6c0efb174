"""A TCP proxy between us and a database that breaks connections at the worst moment."""
import socket
import struct
import threading
import time


class Proxy:
    """Forwards to 127.0.0.1:port. `rule` is asked about each piece from the client and may take it over: see Link."""

    def __init__(self, port):
        self.target = port
        self.rule = None
        self.links = []
        self.refusing = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.links.append(Link(self, client, server))

    def once(self, wanted, action):
        """The next piece that holds `wanted` is given to `action(link, piece)` instead of being forwarded."""
        self.fired = threading.Event()

        def rule(link, piece):
            if wanted not in piece or self.fired.is_set():
                return False
            self.fired.set()
            action(link, piece)
            return True
        self.rule = rule

    def close(self):
        self.listener.close()
        for link in self.links:
            link.close()


class Link:
    """One connection. `sent` is what the client has said on it."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.sent = b""
        self.muted = False      # answers of the server do not reach the client
        self.replied = threading.Event()
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.up, daemon=True).start()
        threading.Thread(target=self.down, daemon=True).start()

    def up(self):
        try:
            while piece := self.client.recv(1 << 16):
                self.sent += piece
                rule = self.proxy.rule
                if rule is None or not rule(self, piece):
                    self.server.sendall(piece)
        except OSError:
            pass
        if not self.muted:
            self.close()

    def down(self):
        try:
            while piece := self.server.recv(1 << 16):
                self.replied.set()
                if not self.muted:
                    self.client.sendall(piece)
        except OSError:
            pass
        if not self.muted:
            self.close()

    def close(self):
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut_client(self):
        try:
            self.client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def cut_server(self):
        self.muted = True
        try:
            self.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # What rules do.
    def cut_before(self, _):
        """The server never hears of it."""
        self.close()

    def cut_after(self, piece):
        """The server does it; the client never hears so."""
        self.muted = True
        self.replied.clear()
        self.server.sendall(piece)
        self.replied.wait(10)
        self.close()

    def deliver_late(self, piece, seconds=0.7):
        """The client is cut off at once; the server gets it a while later."""
        self.muted = True
        self.cut_client()

        def late():
            time.sleep(seconds)
            self.server.sendall(piece)
            self.replied.clear()
            self.replied.wait(10)
            self.close()
        threading.Thread(target=late, daemon=True).start()

    def answer(self, octets):
        """The server never hears of it; the client gets an answer."""
        self.client.sendall(octets)

    def falsify(self, piece, octets):
        """The server does it; the client is told something else."""
        self.muted = True
        self.replied.clear()
        self.server.sendall(piece)
        self.replied.wait(10)
        self.muted = False
        self.client.sendall(octets)


def mariadb_error(number, state, text="made up"):
    body = b"\xff" + struct.pack("<H", number) + b"#" + state.encode() + text.encode()
    return struct.pack("<I", len(body))[:3] + b"\x01" + body


def postgresql_error(state, text="made up"):
    fields = b"SERROR\0" + b"C" + state.encode() + b"\0M" + text.encode() + b"\0\0"
    return b"E" + struct.pack(">I", len(fields) + 4) + fields + b"Z" + struct.pack(">I", 5) + b"E"
