"""Those to whom events are told, from packages: OpenLDAP's slapd, and an SMTP server with STARTTLS. On loopback, in
folders of their own, for as long as a test needs them."""
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time

from servers import Missing, find, free_port

SUFFIX = "dc=example,dc=test"
ROOT_DN = "cn=hanaper," + SUFFIX
PASSWORD = "a password of the tests"


def make_certificates(folder, name="localhost"):
    """A CA and a certificate of its for that name: ca.pem, server.pem, server.key."""
    run = lambda *words: subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=folder)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
        "-subj", "/CN=Peers Test CA")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-copy_extensions", "copy",
        "-out", "server.pem")


class Directory:
    """slapd with one database; whoever binds needs TLS. By its address: libldap takes localhost for the machine's own name."""

    def __init__(self):
        self.slapd, self.search_program, self.add_program = find("slapd", "slapd"), find("ldapsearch", "ldap-utils"), find("ldapadd", "ldap-utils")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hanaper-slapd-"))
        self.port, self.tls_port = free_port(), free_port()
        make_certificates(self.folder)
        self.ca = self.folder / "ca.pem"
        (self.folder / "data").mkdir()
        self.config = self.folder / "slapd.conf"
        schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
        self.config.write_text(f"""{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {self.folder}/pid
TLSCACertificateFile {self.ca}
TLSCertificateFile {self.folder}/server.pem
TLSCertificateKeyFile {self.folder}/server.key
security simple_bind=128
database mdb
suffix "{SUFFIX}"
rootdn "{ROOT_DN}"
rootpw "{PASSWORD}"
directory {self.folder}/data
""")
        self.process = None

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([self.slapd, "-f", self.config, "-d", "0", "-h", f"ldap://127.0.0.1:{self.port} ldap://127.0.0.2:{self.port} ldaps://127.0.0.1:{self.tls_port}"],
                                        stdout=subprocess.DEVNULL, stderr=log)
        log.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.search("", scope="base") is not None:
                return self
            time.sleep(0.05)
        raise RuntimeError("slapd does not start: " + (self.folder / "log").read_text())

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def words(self):
        return ["-x", "-ZZ", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ROOT_DN, "-w", PASSWORD]

    def environment(self):
        return {**os.environ, "LDAPTLS_CACERT": str(self.ca)}

    def add(self, ldif):
        subprocess.run([self.add_program, *self.words()], input=ldif, text=True, check=True, capture_output=True, env=self.environment())

    def search(self, base, scope="sub"):
        """Entries by name, each with lists of values as octets; None when the server does not answer."""
        done = subprocess.run([self.search_program, *self.words(), "-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope], capture_output=True, text=True,
                              env=self.environment(), timeout=20)
        if done.returncode == 32:
            return {}
        if done.returncode != 0:
            return None
        import base64
        entries, entry = {}, None
        for line in done.stdout.splitlines():
            if not line:
                continue
            name, _, value = line.partition(":")
            octets = base64.b64decode(value[1:].strip()) if value.startswith(":") else value.strip().encode()
            if name == "dn":
                entry = entries.setdefault(octets.decode(), {})
            else:
                entry.setdefault(name, []).append(octets)
        return entries

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class MailServer:
    """aiosmtpd: STARTTLS first, then a login. `answer` says what is said of a mail, by its text."""

    def __init__(self, require_tls=True):
        try:
            from aiosmtpd.controller import Controller
            from aiosmtpd.smtp import AuthResult
        except ImportError as error:
            raise Missing("aiosmtpd is not installed (package python3-aiosmtpd)") from error
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hanaper-smtp-"))
        make_certificates(self.folder)
        self.ca = self.folder / "ca.pem"
        self.port = free_port()
        self.mails, self.recipients = [], []
        self.answer = lambda mail: "250 taken"
        server = self

        class Handler:
            async def handle_DATA(self, _, session, envelope):
                mail = envelope.content
                said = server.answer(mail)
                if said.startswith("250"):
                    server.mails.append(mail)
                    server.recipients.append((envelope.mail_from, envelope.rcpt_tos, session.ssl is not None))
                return said

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        login = lambda _server, _session, _envelope, _mechanism, data: AuthResult(success=data.password == PASSWORD.encode())
        tls = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": login} if require_tls else {}
        self.make = lambda: Controller(Handler(), hostname="127.0.0.1", port=self.port, ready_timeout=20, **tls)
        self.controller = None

    def start(self):
        self.controller = self.make()
        self.controller.start()
        return self

    def stop(self):
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
