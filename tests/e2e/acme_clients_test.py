#!/usr/bin/python3
"""certbot, lego and dehydrated from the distribution, with names in a zone of a real DNS server (BIND)."""
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import unittest

from cryptography import x509

from harness import BASE, Node, Failed, free_port, main, openssl

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYzE="
CONFIG = BASE.replace('permit = ["127.0.0.0/8", "::1/128"]', 'resolvers = ["127.0.0.1:{dns}"]\npermit = ["127.0.0.0/8"]') + """
tls_alpn_01_port = {tls}
challenges = ["http-01", "dns-01", "tls-alpn-01"]

[protocol.bound]
plugin = "acme"
listener = "public"
path = "/bound"
pipeline = "web"
external_account = "required"
http_01_port = {challenge}
"""
ZONE = """$TTL 0
@ SOA ns.zone.test. hostmaster.zone.test. 1 60 60 600 0
@ NS ns
ns A 127.0.0.1
@ A 127.0.0.1
* A 127.0.0.1
"""


class Bind:
    """named with one zone that may be updated with a key."""

    def __init__(self, folder):
        self.port, self.folder = free_port(), folder / "bind"
        self.folder.mkdir()
        (self.folder / "zone.db").write_text(ZONE)
        conf = self.folder / "named.conf"
        conf.write_text(f"""options {{ directory "{self.folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  pid-file none; session-keyfile none; recursion no; dnssec-validation no; allow-query {{ any; }}; }};
controls {{ }};
key "acme." {{ algorithm hmac-sha256; secret "{SECRET}"; }};
zone "zone.test" {{ type primary; file "{self.folder}/zone.db"; allow-update {{ key "acme."; }}; }};
""")
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(["named", "-g", "-c", conf], stdout=self.log, stderr=self.log)
        question = b"\0\1\0\0\0\1\0\0\0\0\0\0\4zone\4test\0\0\6\0\1"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.settimeout(0.3)
                try:
                    probe.sendto(question, ("127.0.0.1", self.port))
                    probe.recv(512)
                    return
                except OSError:
                    time.sleep(0.1)
        raise Failed("named does not answer: " + (self.folder / "log").read_text())

    def hook(self):
        """A script for the hooks of certbot and dehydrated: sets and clears a TXT record by nsupdate."""
        path = self.folder / "hook"
        path.write_text(f"""#!/bin/sh
update() {{
  printf 'server 127.0.0.1 {self.port}\\nzone zone.test\\nupdate %s\\nsend\\n' "$1" | nsupdate -y hmac-sha256:acme.:{SECRET}
}}
case $1 in
  certbot-set) update "add _acme-challenge.$CERTBOT_DOMAIN 0 TXT $CERTBOT_VALIDATION" ;;
  certbot-clear) update "delete _acme-challenge.$CERTBOT_DOMAIN TXT $CERTBOT_VALIDATION" ;;
  deploy_challenge) update "add _acme-challenge.$2 0 TXT $4" ;;
  clean_challenge) update "delete _acme-challenge.$2 TXT $4" ;;
esac
exit 0
""")
        path.chmod(0o755)
        return path

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = Node("")
        cls.bind, cls.node = None, None
        if shutil.which("named") is None or shutil.which("nsupdate") is None:
            cls.base.close()
            raise unittest.SkipTest("bind9: it is not installed")
        cls.bind = Bind(cls.base.folder)
        cls.tls_port = free_port()
        cls.node = Node(CONFIG, dns=cls.bind.port, tls=cls.tls_port).init().start()

    @classmethod
    def tearDownClass(cls):
        for part in (cls.bind, cls.node, cls.base):
            if part is not None:
                part.close()

    def need(self, program):
        if shutil.which(program) is None:
            self.skipTest(f"{program}: it is not installed")

    def run_client(self, *words, status=0, **environment):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "REQUESTS_CA_BUNDLE": str(self.node.root_file()), "LEGO_CA_CERTIFICATES": str(self.node.root_file()), **environment})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def names(self, path):
        openssl("verify", "-CAfile", self.node.root_file(), "-untrusted", path, path)
        leaf = x509.load_pem_x509_certificate(pathlib.Path(path).read_bytes())
        return leaf, sorted(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName))

    def shown(self, leaf):
        return self.node.json("show", f"{leaf.serial_number:x}")

    def eab(self, owner):
        made = self.node.json("acme", "eab", "create", "--instance", "bound", "--owner", owner)
        return made["kid"], made["hmac"], self.node.directory().replace("/acme/", "/bound/")

    # certbot
    def certbot(self, folder, *words, server=None, **options):
        return self.run_client("certbot", "-n", "--config-dir", folder, "--work-dir", folder / "work", "--logs-dir", folder / "log", "--server", server or self.node.directory(), *words, **options)

    def test_certbot_proves_a_wildcard_by_dns(self):
        self.need("certbot")
        folder, hook = self.node.folder / "certbot", self.bind.hook()
        self.certbot(folder, "register", "--agree-tos", "-m", "a@example.test", "--no-eff-email")
        self.certbot(folder, "certonly", "--manual", "--preferred-challenges", "dns", "--manual-auth-hook", f"{hook} certbot-set", "--manual-cleanup-hook", f"{hook} certbot-clear",
                     "-d", "zone.test", "-d", "*.zone.test")
        live = folder / "live" / "zone.test"
        first, names = self.names(live / "fullchain.pem")
        self.assertEqual(names, ["*.zone.test", "zone.test"])
        self.certbot(folder, "renew", "--force-renewal", "--no-random-sleep-on-renew")
        second, _ = self.names(live / "fullchain.pem")
        self.assertNotEqual(first.serial_number, second.serial_number)
        self.certbot(folder, "revoke", "--cert-name", "zone.test", "--reason", "cessationofoperation", "--no-delete-after-revoke")
        self.assertEqual(self.shown(second)["reason"], "cessationOfOperation")

    def test_certbot_binds_an_external_account(self):
        self.need("certbot")
        folder = self.node.folder / "certbot-eab"
        kid, key, server = self.eab("certbot")
        self.certbot(folder, "register", "--agree-tos", "-m", "a@example.test", "--no-eff-email", server=server, status=1)
        self.certbot(folder, "register", "--agree-tos", "-m", "a@example.test", "--no-eff-email", "--eab-kid", kid, "--eab-hmac-key", key, server=server)
        self.certbot(folder, "certonly", "--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", self.node.challenge, "-d", "bound.zone.test", server=server)
        self.names(folder / "live" / "bound.zone.test" / "fullchain.pem")

    # lego
    def lego(self, folder, *words, server=None, **options):
        return self.run_client("lego", "--accept-tos", "-m", "l@example.test", "-s", server or self.node.directory(), "--path", folder, *words, **options)

    def test_lego_by_http_and_tls(self):
        self.need("lego")
        folder = self.node.folder / "lego"
        http01 = ["--http", "--http.port", f"127.0.0.1:{self.node.challenge}"]
        self.lego(folder, "-d", "lego.zone.test", "-d", "lego2.zone.test", *http01, "run")
        path = folder / "certificates" / "lego.zone.test.crt"
        first, names = self.names(path)
        self.assertEqual(names, ["lego.zone.test", "lego2.zone.test"])
        self.lego(folder, "-d", "lego.zone.test", "-d", "lego2.zone.test", *http01, "renew", "--days", "9999", "--no-random-sleep")
        second, _ = self.names(path)
        self.assertNotEqual(first.serial_number, second.serial_number)
        self.lego(folder, "-d", "lego.zone.test", "revoke", "--reason", "4")
        self.assertEqual(self.shown(second)["reason"], "superseded")
        self.lego(folder, "-d", "alpn.zone.test", "--tls", "--tls.port", f"127.0.0.1:{self.tls_port}", "run")
        self.names(folder / "certificates" / "alpn.zone.test.crt")

    def test_lego_by_dns_and_with_an_external_account(self):
        self.need("lego")
        folder = self.node.folder / "lego-dns"
        kid, key, server = self.eab("lego")
        environment = {"RFC2136_NAMESERVER": f"127.0.0.1:{self.bind.port}", "RFC2136_TSIG_ALGORITHM": "hmac-sha256.", "RFC2136_TSIG_KEY": "acme.", "RFC2136_TSIG_SECRET": SECRET,
                       "RFC2136_SEQUENCE_INTERVAL": "1"}
        self.lego(folder, "-d", "*.lego.zone.test", "-d", "lego.zone.test", "--dns", "rfc2136", "--dns.disable-cp", "--dns.resolvers", f"127.0.0.1:{self.bind.port}", "run", **environment)
        _, names = self.names(folder / "certificates" / "_.lego.zone.test.crt")
        self.assertEqual(names, ["*.lego.zone.test", "lego.zone.test"])
        self.lego(self.node.folder / "lego-eab", "--eab", "--kid", kid, "--hmac", key, "-d", "eab.zone.test", "--http", "--http.port", f"127.0.0.1:{self.node.challenge}", "run", server=server)

    # dehydrated
    def dehydrated(self, folder, *words, server=None, more="", **options):
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text(f"""CA="{server or self.node.directory()}"
BASEDIR="{folder}"
WELLKNOWN="{folder}/wellknown"
CURL_OPTS="--cacert {self.node.root_file()}"
CONTACT_EMAIL=d@example.test
KEY_ALGO=prime256v1
OCSP_MUST_STAPLE=no
HOOK_CHAIN=no
{more}
""")
        (folder / "wellknown").mkdir(exist_ok=True)
        return self.run_client("dehydrated", "--config", folder / "config", *words, **options)

    def serve(self, folder):
        outer = folder / "wellknown"

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = outer / self.path.rsplit("/", 1)[1]
                self.send_response(200 if path.exists() else 404)
                self.end_headers()
                if path.exists():
                    self.wfile.write(path.read_bytes())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.node.challenge), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def test_dehydrated_by_http(self):
        self.need("dehydrated")
        folder = self.node.folder / "dehydrated"
        self.dehydrated(folder, "--register", "--accept-terms")
        self.serve(folder)
        self.dehydrated(folder, "--cron", "-d", "dehydrated.zone.test")
        path = folder / "certs" / "dehydrated.zone.test" / "fullchain.pem"
        first, _ = self.names(path)
        self.dehydrated(folder, "--cron", "-d", "dehydrated.zone.test", "--force")
        second, _ = self.names(path)
        self.assertNotEqual(first.serial_number, second.serial_number)
        self.dehydrated(folder, "--revoke", folder / "certs" / "dehydrated.zone.test" / "cert.pem")
        self.assertEqual(self.shown(second)["state"], "revoked")
        self.dehydrated(folder, "--account")

    def test_dehydrated_by_dns_and_with_an_external_account(self):
        self.need("dehydrated")
        folder = self.node.folder / "dehydrated-dns"
        kid, key, server = self.eab("dehydrated")
        more = f'CHALLENGETYPE="dns-01"\nHOOK="{self.bind.hook()}"\n'
        self.dehydrated(folder, "--register", "--accept-terms", more=more)
        self.dehydrated(folder, "--cron", "-d", "*.dh.zone.test", "--alias", "wild", more=more)
        _, names = self.names(folder / "certs" / "wild" / "fullchain.pem")
        self.assertEqual(names, ["*.dh.zone.test"])
        self.dehydrated(self.node.folder / "dehydrated-eab", "--register", "--accept-terms", server=server, more=f'EAB_KID="{kid}"\nEAB_HMAC_KEY="{key}"\n')


if __name__ == "__main__":
    main()
