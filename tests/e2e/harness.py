"""What the end-to-end tests share: a node in a folder of its own, its command line, raw sockets, an ACME client.

Standard library only, but for python3-cryptography, which certbot brings along.
"""
import base64
import contextlib
import copy
import http.client
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HANAPER_BUILD", ROOT / "build" / "release"))
HANAPER = BUILD / "bin" / "hanaper"
HANAPERD = BUILD / "bin" / "hanaperd"
SKIPPED = 77

sys.path.insert(0, str(ROOT / "tests" / "servers"))
from servers import free_port  # noqa: E402

BASE = """
[node]
state = "{state}"
lame_duck = "0s"
drain = "5s"

[listener.public]
bind = "127.0.0.1:{https}"
certificate = {{ issue = "web", names = ["localhost", "127.0.0.1"] }}

[listener.plain]
bind = "127.0.0.1:{http}"
health = true

[outbound]
permit = ["127.0.0.0/8", "::1/128"]

[storage.main]
plugin = "sqlite"

[keys.soft]
plugin = "softtoken"
pin = {{ file = "pin" }}

[authority.root]
key = "soft:root"
subject = "CN=Test Root CA"

[authority.issuing]
issuer = "root"
key = "soft:issuing"
subject = "CN=Test Issuing CA"

[profile.web]
lifetime = "90d"
usages = ["server-auth", "client-auth"]

[validator.lint]

[pipeline.web]
authority = "issuing"
profiles = ["web"]
validate = ["lint"]

[protocol.acme]
listener = "public"
path = "/acme"
pipeline = "web"
http_01_port = {challenge}
limits = []
"""


STORAGE = os.environ.get("HANAPER_DATABASE_KIND", "sqlite")
KEYS = os.environ.get("HANAPER_KEYS", "softtoken")
MODULE = next((path for path in pathlib.Path("/usr/lib").glob("**/libsofthsm2.so")), None)
TOKEN_PIN = "24681357"


def only(storage=None, keys=None):
    """For tests of what one storage or key provider does, which the other set-ups leave out."""
    wanted = (storage in (None, STORAGE)) and (keys in (None, KEYS))
    return unittest.skipUnless(wanted, f"setup: is about {storage or keys}")


def storage_table():
    """[storage.main] for the server that tests/servers/with_* has started around us, else for SQLite."""
    value = lambda name: os.environ["HANAPER_DATABASE_" + name]
    if "HANAPER_DATABASE_KIND" not in os.environ:
        return '[storage.main]\nplugin = "sqlite"\n'
    return (f'[storage.main]\nplugin = "{value("KIND")}"\nhosts = ["{value("HOST")}:{value("PORT")}"]\n'
            f'password = {{{{ file = "{value("PASSWORD_FILE")}" }}}}\ntls.ca = "{value("CA")}"\n')


def keys_table():
    """[keys.soft], or a token under that name that Node makes."""
    if KEYS == "softtoken":
        return 'plugin = "softtoken"\npin = {{ file = "pin" }}\n'
    return f'plugin = "pkcs11"\nmodule = "{MODULE}"\ntokens = ["node"]\npin = {{{{ file = "../token-pin" }}}}\n'


def tlv(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else bytes([0x82, size >> 8, size & 255])
    return bytes([tag]) + length + content


def oid(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    out = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        groups = [arc & 127]
        while arc := arc >> 7:
            groups.append(arc & 127 | 128)
        out += bytes(reversed(groups))
    return tlv(6, out)


def elements(der):
    """The elements of what is one after the other: tag, content, whole."""
    found = []
    while der:
        head, size = 2, der[1]
        if size & 128:
            head, size = 2 + (size & 127), int.from_bytes(der[2:2 + (size & 127)], "big")
        found.append((der[0], der[head:head + size], der[:head + size]))
        der = der[head + size:]
    return found


class Failed(Exception):
    pass


class Node:
    """A state folder, a configuration, and a daemon that may or may not run."""

    health = None  # the port of what the node says of itself, where that is not `http`

    def __init__(self, config=BASE, **extra):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hanaper-e2e-"))
        self.state = self.folder / "state"
        self.https, self.http, self.challenge = free_port(), free_port(), free_port()
        self.config = self.folder / "pki.toml"
        self.process = None
        if "HANAPER_DATABASE_RESET" in os.environ:
            subprocess.run(os.environ["HANAPER_DATABASE_RESET"], shell=True, check=True)
        self.environment = {}  # beside what the test itself runs in
        if KEYS == "pkcs11":
            self.make_token()
        self.write_config(config, **extra)

    def make_token(self):
        if MODULE is None or shutil.which("softhsm2-util") is None:
            raise unittest.SkipTest("softhsm: softhsm2 is not installed")
        (self.folder / "tokens").mkdir()
        conf = self.folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.folder}/tokens\nlog.level = ERROR\n")
        self.environment["SOFTHSM2_CONF"] = str(conf)
        pin = self.folder / "token-pin"
        pin.write_text(TOKEN_PIN)
        pin.chmod(0o600)
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "node", "--so-pin", "13572468", "--pin", TOKEN_PIN],
                       check=True, capture_output=True, env={**os.environ, **self.environment})

    @staticmethod
    def quoted(column):
        return f"`{column}`" if STORAGE == "mariadb" else column

    def execute(self, statement):
        """Tampers with the ledger; {lines} and such are column names that a server may want quoted."""
        statement = statement.format(lines=self.quoted("lines"))
        if STORAGE == "sqlite":
            with contextlib.closing(sqlite3.connect(self.state / "hanaper.db")) as database:
                database.execute(statement)
                database.commit()
            return ""
        return subprocess.run([*shlex.split(os.environ["HANAPER_DATABASE_SQL"]), statement], check=True, capture_output=True, text=True).stdout

    def rows(self, table, *columns):
        """What the ledger itself holds, as octets; for tests that trust nobody."""
        wanted = {"sqlite": "hex({0})", "mariadb": "HEX({0})", "postgresql": "encode({0}, 'hex')"}[STORAGE]
        text = {"octets", "tbs"}
        cells = [wanted.format(f"convert_to({c}, 'UTF8')" if STORAGE == "postgresql" and c not in text else self.quoted(c)) for c in columns]
        statement = f"SELECT {', '.join(cells)} FROM {table}"
        if STORAGE == "sqlite":
            with contextlib.closing(sqlite3.connect(f"file:{self.state}/hanaper.db?mode=ro", uri=True)) as database:
                found = [row for row in database.execute(statement)]
        else:
            found = [line.split() for line in self.execute(statement).splitlines()]
        return [tuple(bytes.fromhex(cell) for cell in row) for row in found]

    def write_config(self, config, **extra):
        config = config.replace('[storage.main]\nplugin = "sqlite"\n', storage_table())
        config = config.replace('plugin = "softtoken"\npin = {{ file = "pin" }}\n', keys_table())
        self.config.write_text(config.format(state=self.state, https=self.https, http=self.http, challenge=self.challenge, **extra))

    def second(self, config, **extra):
        """Another node of the same storage, keys and authorities, not started; both end with whoever made the first."""
        node = copy.copy(self)
        node.state, node.config, node.process = self.folder / "second", self.folder / "second.toml", None
        node.https, node.http = free_port(), free_port()
        node.write_config(config.replace('[node]\n', '[node]\nname = "second"\n'), **extra)
        node.state.mkdir(mode=0o700)
        for name in ("pin", "keys"):
            if (self.state / name).is_dir():
                shutil.copytree(self.state / name, node.state / name)
            elif (self.state / name).exists():
                shutil.copy(self.state / name, node.state / name)
        return node

    def empty_state(self):
        """But for the pin."""
        pin = self.state / "pin"
        kept = pin.read_bytes() if pin.exists() else None
        shutil.rmtree(self.state)
        self.state.mkdir(mode=0o700)
        if kept is not None:
            pin.write_bytes(kept)
            pin.chmod(0o600)

    def empty(self):
        """The database, too, where it is on a server."""
        self.empty_state()
        if "HANAPER_DATABASE_RESET" in os.environ:
            subprocess.run(os.environ["HANAPER_DATABASE_RESET"], shell=True, check=True)

    def close(self):
        """A daemon that is killed leaves no counts of the lines that it ran, and no word of memory that it lost."""
        if self.process is not None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The command line.
    def run(self, *words, status=0, text=True, **options):
        done = subprocess.run([HANAPER, *words, "-c", self.config], capture_output=True, text=text, timeout=120, env={**os.environ, **self.environment}, **options)
        if status is not None and done.returncode != status:
            raise Failed(f"hanaper {' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def out(self, *words, **options):
        return self.run(*words, **options).stdout

    def error(self, *words, status=1):
        """The one line that a failing command says."""
        done = self.run(*words, status=status)
        lines = done.stderr.strip().split("\n")
        if len(lines) != 1:
            raise Failed(f"more than one line: {done.stderr}")
        return lines[0].removeprefix("hanaper: ")

    def json(self, *words):
        return json.loads(self.out(*words, "--json"))

    def items(self, *words):
        """The rows of what answers a list."""
        return self.json(*words)["items"]

    def init(self):
        self.out("init")
        return self

    # The daemon.
    def spawn(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([HANAPERD, "-c", self.config], stdout=log, stderr=log, env={**os.environ, **self.environment})
        return self

    def start(self, seconds=60, ready=200):
        """Until it says how ready it is, to issue and to tell the status: 200, or 503 of either where a test wants to see that."""
        self.spawn()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"hanaperd ended with {self.process.returncode}: {self.log_text()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                seen = [self.get("/health/" + purpose)[0] for purpose in ("ready", "status")]
                if (all if ready == 200 else any)(status == ready for status in seen):
                    return self
            time.sleep(0.05)
        raise Failed("hanaperd is not ready: " + self.log_text())

    def failed_start(self, status=1):
        """What a daemon says that does not come up: its last line."""
        done = subprocess.run([HANAPERD, "-c", self.config], capture_output=True, text=True, timeout=60, env={**os.environ, **self.environment})
        if done.returncode != status:
            raise Failed(f"hanaperd: status {done.returncode}\n{done.stderr}")
        return done.stderr.strip().split("\n")[-1].removeprefix("hanaperd: ")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=30):
        self.signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process = None
        return status

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log_text(self):
        return (self.folder / "log").read_text(errors="replace")

    # HTTP, plain.
    def get(self, path, headers={}):
        about_itself = self.health is not None and path.startswith(("/health", "/metrics"))
        connection = http.client.HTTPConnection("127.0.0.1", self.health if about_itself else self.http, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer
        finally:
            connection.close()

    def becomes(self, status, purpose="ready", seconds=5):
        """What /health says once it says that; a node looks at itself ten times a second."""
        deadline = time.monotonic() + seconds
        while (answer := self.get("/health/" + purpose))[0] != status and time.monotonic() < deadline:
            time.sleep(0.02)
        return answer

    def metric(self, line):
        for text in self.get("/metrics")[1].split("\n"):
            if text.startswith(line + " "):
                return float(text.rsplit(" ", 1)[1])
        return None

    def root_file(self):
        path = self.folder / "root.pem"
        if not path.exists():
            path.write_text(self.out("show", "--authority", "root", "--pem"))
        return path

    def tls(self, **options):
        context = ssl.create_default_context(cafile=str(self.root_file()))
        for key, value in options.items():
            setattr(context, key, value)
        return context

    def directory(self):
        return f"https://localhost:{self.https}/acme/directory"


class Control:
    """The control socket as the command line uses it, kept open."""

    def __init__(self, node):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(node.state / "control.sock"))
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def run(self, operation, **arguments):
        body = json.dumps({"operation": operation, "arguments": arguments}).encode()
        self.socket.sendall(b"POST / HTTP/1.1\r\nHost: control\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        status = self.file.readline()
        if not status:
            raise ConnectionError("closed")
        length = 0
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        text = self.file.read(length)
        if len(text) != length:
            raise ConnectionError("cut off")
        answer = json.loads(text)
        if "error" in answer:
            raise Failed(f"{answer['error']['code']}: {answer['error']['detail']}")
        return answer["result"]


def openssl(*words, **options):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60, **options)
    if done.returncode != 0:
        raise Failed(f"openssl {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def make_csr(folder, names, key_type="ec", name="csr"):
    """A key and a request for the names, made by OpenSSL; their paths."""
    key, csr = folder / f"{name}.key", folder / f"{name}.pem"
    algorithm = {"ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed25519": ["ED25519"]}[key_type]
    openssl("genpkey", "-algorithm", *algorithm, "-out", key)
    alternative = ",".join(("IP:" if n.replace(".", "").isdigit() or ":" in n else "DNS:") + n for n in names)
    openssl("req", "-new", "-key", key, "-subj", "/", "-addext", f"subjectAltName={alternative}", "-out", csr)
    return key, csr


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def main():
    """Runs the tests of the calling file; says loudly what was skipped and for what (reasons begin with the name of what is
    missing, see CONTRIBUTING.md), and ends with 77 when nothing else was run."""
    program = unittest.main(exit=False, verbosity=2, module="__main__")
    result = program.result
    for test, reason in result.skipped:
        print(f"SKIP {reason}: {test}")
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
