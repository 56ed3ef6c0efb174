"""Those who are told of events: a webhook receiver that fails and returns. Standard library only."""
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
import time

SECRET = "a secret of the tests"


class Receiver:
    """Keeps what it is sent, in its order. `answer` says with which status, and may wait or raise."""

    def __init__(self, port, answer=lambda event: 204):
        self.port, self.answer = port, answer
        self.lock = threading.Lock()
        self.tries = []   # every event that came, with its time
        self.events = []  # those that were taken
        self.faults = []
        self.server = None

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                size = int(self.headers["Content-Length"])
                body = self.rfile.read(size)
                if len(body) < size:
                    self.close_connection = True  # whoever sends it was killed in the middle
                    return
                try:
                    receiver.check(self.headers, body)
                    event = json.loads(body)
                    with receiver.lock:
                        receiver.tries.append((time.monotonic(), event))
                    status = receiver.answer(event)
                    fields = {}
                    if isinstance(status, tuple):
                        status, fields = status
                    with receiver.lock:
                        if 200 <= status < 300:
                            receiver.events.append(event)
                except Exception as fault:  # noqa: BLE001: the test looks at it
                    receiver.faults.append(repr(fault))
                    status, fields = 500, {}
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self):
        """As if it were killed: nobody listens any more."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def check(self, headers, body):
        stamp = headers["Hanaper-Timestamp"]
        assert abs(time.time() - int(stamp)) < 300, stamp
        mac = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["Hanaper-Signature"] == "v1=" + mac, headers["Hanaper-Signature"]
        assert headers["Content-Type"] == "application/cloudevents+json"

    def of(self, kind):
        with self.lock:
            return [event for event in self.events if event["type"] == kind]

    def serials(self, kind="certificate.issued"):
        """In the order of their first arrival."""
        return list(dict.fromkeys(event["subject"] for event in self.of(kind)))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Process:
    """A receiver of its own that can be killed: it writes each event into a file and syncs it, then answers."""

    def __init__(self, port, file):
        self.port, self.file = port, file
        self.file.touch()
        self.process = None

    def start(self):
        self.process = subprocess.Popen([sys.executable, __file__, str(self.port), str(self.file)])
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def events(self):
        """All that came, in its order; what a kill has cut off was never answered."""
        found = []
        for line in self.file.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def first_arrivals(self, kind="certificate.issued"):
        return list(dict.fromkeys(event["subject"] for event in self.events() if event["type"] == kind))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


def main():
    port, file = int(sys.argv[1]), sys.argv[2]
    out = open(file, "ab", buffering=0)
    lock = threading.Lock()

    def keep(event):
        with lock:
            out.write(b"\n" + json.dumps(event).encode() + b"\n")
            os.fsync(out.fileno())
        return 204

    receiver = Receiver(port, keep).start()
    while True:
        time.sleep(1)
        if receiver.faults:
            print(receiver.faults, file=sys.stderr)
            return


if __name__ == "__main__":
    main()
