"""Database servers of the distribution, on loopback, for as long as a test needs them.

Each has its own folder, port and socket and ends with its test. Standard library only.
"""
import contextlib
import fcntl
import glob
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

DATABASE = USER = "hanaper"
PASSWORD = "a p@ss'word\\ of the tests"


class Missing(Exception):
    """A program that is not installed."""


given_ports = {}  # to the open file whose lock tells other tests that it is taken


def free_port():
    """One to listen on later, this test's until it ends, also while nobody listens; below those that the kernel
    gives to whoever connects meanwhile."""
    folder = pathlib.Path(tempfile.gettempdir()) / f"hanaper-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        port = random.randrange(10_000, 32_768)
        if port in given_ports:
            continue
        held = open(folder / str(port), "w")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        given_ports[port] = held
        return port


def find(program, package, *folders):
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *folders])
    found = shutil.which(program, path=path)
    if found is None:
        raise Missing(f"{program} is not installed (package {package})")
    return found


class Server:
    """What is common: a folder, a process, and how to reach it."""

    kind = None       # the plugin's name
    account = None    # whom the server runs as when we are root
    reset_word = sql_word = None

    def __init__(self, parent=None):
        self.programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"hanaper-{self.kind}-", dir=parent))
        self.folder.chmod(0o755)
        self.process = None
        self.port = free_port()
        self.run_folder, self.data = self.folder / "run", self.folder / "data"
        self.run_folder.mkdir()
        self.password_file = self.folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        self.password_file.chmod(0o600)
        self.ca = self.folder / "ca.pem"
        self.certificates()
        self.own(self.run_folder)

    def __enter__(self):
        self.create()
        self.start()
        self.prepare()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def runs_as(self):
        return {"user": self.account, "group": self.account, "extra_groups": []} if os.geteuid() == 0 else {}

    def own(self, *paths):
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.account)
            for path in paths:
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def quiet(self, words, **options):
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd="/", **options)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done.stdout

    def certificates(self):
        """An issuer and a server's certificate for 127.0.0.1 and localhost."""
        key, pem = self.folder / "ca.key", self.ca
        self.server_key, self.server_certificate = self.run_folder / "server.key", self.run_folder / "server.pem"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"]
        self.quiet([*new, "-keyout", key, "-out", pem, "-subj", "/CN=Database Test CA"])
        self.quiet([*new, "-keyout", self.server_key, "-out", self.server_certificate, "-subj", "/CN=localhost", "-CA", pem, "-CAkey", key,
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        self.server_key.chmod(0o600)
        self.own(self.server_key, self.server_certificate)

    def start(self, seconds=60):
        with open(self.folder / "log", "ab") as log:
            self.log_began = log.tell()
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **self.runs_as)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None and self.ended_too_early():
                self.process = None
                return self.start(deadline - time.monotonic())
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.kind} ended with {self.process.returncode}: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")
            if self.answers():
                return None
            time.sleep(0.02)
        raise RuntimeError(f"{self.kind} is not up after {seconds} s")

    def ended_too_early(self):
        """Whether another attempt will do better."""
        return False

    def kill(self):
        """As a power cut would."""
        if self.process is not None:
            self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM)

    def end(self, number):
        self.process.send_signal(number)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def settings(self):
        """Values by name, for settings and placeholders."""
        return {"kind": self.kind, "host": "127.0.0.1", "port": str(self.port), "socket": str(self.socket), "database": DATABASE, "user": USER,
                "password": PASSWORD, "password_file": str(self.password_file), "ca": str(self.ca), "pid": str(self.process.pid if self.process else 0),
                "reset": self.reset_word, "sql": self.sql_word}


class MariaDB(Server):
    kind, account = "mariadb", "mysql"

    def programs(self):
        self.daemon = find("mariadbd", "mariadb-server")
        self.installer = find("mariadb-install-db", "mariadb-server")
        self.client = find("mariadb", "mariadb-client")

    @property
    def socket(self):
        return self.run_folder / "sock"

    def create(self):
        words = [self.installer, "--no-defaults", f"--datadir={self.data}", "--skip-test-db", "--auth-root-authentication-method=normal"]
        if os.geteuid() == 0:
            words.append(f"--user={self.account}")
        self.install(words)
        self.sql_word = f"{self.client} --no-defaults --socket={self.socket} --user=root --batch --skip-column-names {DATABASE} -e"
        self.reset_word = (f"{self.client} --no-defaults --socket={self.socket} --user=root "
                           f"-e 'DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE} CHARACTER SET latin1'")

    def install(self, words, attempts=3):
        """On a busy machine the installer ends now and then before it has begun, and does not say why."""
        for left in reversed(range(attempts)):
            self.data.mkdir()
            self.own(self.data)
            try:
                return self.quiet(words)
            except RuntimeError:
                if left == 0:
                    raise
                shutil.rmtree(self.data)

    def command(self):
        return [self.daemon, "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}", f"--pid-file={self.run_folder}/pid", f"--tmpdir={self.run_folder}",
                "--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve", "--performance-schema=OFF", "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=64M", "--innodb-flush-log-at-trx-commit=1", f"--ssl-ca={self.ca}", f"--ssl-cert={self.server_certificate}",
                f"--ssl-key={self.server_key}"]

    def answers(self):
        return subprocess.run([self.client, "--no-defaults", f"--socket={self.socket}", "--user=root", "-e", "SELECT 1"], capture_output=True).returncode == 0

    def sql(self, text, database=DATABASE):
        words = [self.client, "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", "--skip-column-names"]
        return self.quiet([*words, *([f"--database={database}"] if database else []), "-e", text]).strip()

    def prepare(self):
        secret = PASSWORD.replace("\\", "\\\\").replace("'", "''")
        self.sql(f"CREATE DATABASE {DATABASE} CHARACTER SET latin1; CREATE USER {USER}@'%' IDENTIFIED BY '{secret}'; "
                 f"GRANT ALL ON {DATABASE}.* TO {USER}@'%'; DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES", database=None)


class PostgreSQL(Server):
    kind, account = "postgresql", "postgres"

    def programs(self):
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda folder: int(folder.split("/")[4]), reverse=True)
        self.daemon = find("postgres", "postgresql", *folders)
        self.installer = find("initdb", "postgresql", *folders)
        self.client = find("psql", "postgresql", *folders)

    @property
    def socket(self):
        return f"{self.run_folder}:{self.port}"

    def create(self):
        self.data.mkdir(mode=0o700)
        self.own(self.data)
        self.quiet([self.installer, "-D", self.data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-sync"], **self.runs_as)
        self.sql_word = f"{self.client} -X -q -At -F ' ' -h {self.run_folder} -p {self.port} -U {USER} {DATABASE} -c"
        self.reset_word = (f"{self.client} -q -h {self.run_folder} -p {self.port} -U {USER} {DATABASE} "
                           f"-c 'SET client_min_messages = error; DROP SCHEMA public CASCADE; CREATE SCHEMA public'")

    def command(self):
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.run_folder, "max_connections": 100,
                   "shared_buffers": "64MB", "ssl": "on", "ssl_cert_file": self.server_certificate, "ssl_key_file": self.server_key}
        return [self.daemon, "-D", str(self.data), *(word for key, value in options.items() for word in ("-c", f"{key}={value}"))]

    def answers(self):
        return subprocess.run([self.client, "-h", self.run_folder, "-p", str(self.port), "-U", "postgres", "-c", "SELECT 1", "postgres"], capture_output=True).returncode == 0

    def ended_too_early(self):
        # What a killed server leaves behind needs a moment to notice.
        return b"pre-existing shared memory block" in (self.folder / "log").read_bytes()[self.log_began:]

    def sql(self, text, database=DATABASE):
        return self.quiet([self.client, "-X", "-q", "-At", "-h", self.run_folder, "-p", str(self.port), "-U", "postgres", "-c", text, database or "postgres"]).strip()

    def prepare(self):
        secret = PASSWORD.replace("'", "''")
        self.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{secret}'", database=None)
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER} TEMPLATE template0 ENCODING 'UTF8'", database=None)
        self.sql(f"ALTER SCHEMA public OWNER TO {USER}")


KINDS = {server.kind: server for server in (MariaDB, PostgreSQL)}


@contextlib.contextmanager
def running(kind, parent=None):
    with KINDS[kind](parent) as server:
        yield server
