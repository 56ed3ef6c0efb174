#!/usr/bin/python3
"""est-enroll, est-renew, scep-enroll: whole enrolments by 32 clients that keep their connections, each with a certificate that is durable.

The figure is CPU time of the server for each enrolment. The reference of EST is what `bench issue` says on the same machine;
that of renewal with the old certificate is one verification and one signature with P-256 in a bare loop; that of SCEP is two RSA-2048 private operations and two
verifications, likewise; both by openssl speed on every processor at once.
"""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import BUILD, Node, make_csr, openssl  # noqa: E402
from scep_test import SCEP, Client  # noqa: E402
from serve_bench import cpu, report  # noqa: E402

ROUNDS = 3
CLIENTS = 32
TOKEN = "a-token-of-some-length"
CHALLENGE = "correct horse battery"
CONFIG = SCEP + """
[authenticator.people]
plugin = "accounts"
file = "accounts"
[pipeline.est]
authority = "issuing"
profiles = ["device"]
authenticate = ["people"]
[protocol.est]
listener = "public"
path = "/.well-known/est"
pipeline = "est"
[authenticator.devices]
plugin = "mtls"
authorities = ["issuing"]
[pipeline.renewals]
authority = "issuing"
profiles = ["device"]
authenticate = ["devices"]
[protocol.est-renewals]
plugin = "est"
listener = "public"
path = "/.well-known/est/renewals"
pipeline = "renewals"
"""
CONFIG = CONFIG.replace('bind = "127.0.0.1:{https}"\n', 'bind = "127.0.0.1:{https}"\nclient_certificates = "optional"\n')


class Bench:
    """What Client asks of a test."""

    def __init__(self, node):
        self.node = node

    def file(self, name):
        return self.node.folder / name

    def registrar(self):
        path = self.file("registrar.pem")
        if not path.exists():
            subprocess.run(["curl", "-sS", "-o", self.file("cacert.p7"), f"http://127.0.0.1:{self.node.http}/scep?operation=GetCACert"], check=True)
            text = openssl("pkcs7", "-inform", "DER", "-in", self.file("cacert.p7"), "-print_certs")
            path.write_text(text[text.index("-----BEGIN"):].split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
        return path


def issued(node):
    return int(sum(float(value) for value in re.findall(r'^hanaper_certificates_issued_total\{[^}]*\} (\S+)$', node.get("/metrics")[1], re.M)))


def wrk(url, script, seconds):
    done = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "-s", script, url], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)


def enrolments(node, url, script, seconds):
    """Microseconds of the server for each new certificate, and how many there were in a second."""
    before, count = cpu(node.process.pid), issued(node)
    wrk(url, script, seconds)
    count = issued(node) - count
    return (cpu(node.process.pid) - before) / 1000 / count, count / seconds


def openssl_speed(algorithm):
    """Signatures and verifications of a processor in a second while all are busy, which they are when the server is."""
    processors = os.cpu_count() or 1
    text = subprocess.run(["openssl", "speed", "-seconds", "1", "-multi", str(processors), algorithm], capture_output=True, text=True, check=True).stdout
    return [float(rate) / processors for rate in text.split()[-2:]]


def octets(data):
    return "".join(f"\\{octet:03d}" for octet in data)


def bench_est(bench, seconds):
    node = bench.node
    _, pem = make_csr(node.folder, ["est.example.test"])
    der = pem.with_suffix(".der")
    openssl("req", "-in", pem, "-outform", "DER", "-out", der)
    script = bench.file("est.lua")
    script.write_text(f'wrk.method = "POST"\nwrk.body = "{base64.b64encode(der.read_bytes()).decode()}"\n'
                      f'wrk.headers["Content-Type"] = "application/pkcs10"\nwrk.headers["Authorization"] = "Bearer {TOKEN}"\n')
    ours, reference, rates = [], [], []
    for _ in range(ROUNDS):
        text = subprocess.run([BUILD / "bin" / "issue_bench", BUILD / "lib" / "hanaper" / "plugins", str(seconds)], capture_output=True, text=True, check=True).stdout
        reference.append(float(re.search(r"bench issue +ours=([0-9.]+)us", text).group(1)))
        cost, rate = enrolments(node, f"https://localhost:{node.https}/.well-known/est/simpleenroll", script, seconds)
        ours.append(cost)
        rates.append(rate)
    report("est-enroll", ours, reference, 0.6, "us")
    print(f"      {max(rates):.0f} enrolments a second", flush=True)


def bench_renewal(bench, seconds):
    """simplereenroll over connections that stay open, each with the certificate that is renewed."""
    node = bench.node
    key, pem = make_csr(node.folder, ["renew.example.test"])
    certificate, der, request = bench.file("renew.pem"), pem.with_suffix(".der"), bench.file("renew.request")
    node.out("issue", "--pipeline", "renewals", "--csr", pem, "--out", certificate)
    openssl("req", "-in", pem, "-outform", "DER", "-out", der)
    body = base64.b64encode(der.read_bytes())
    request.write_bytes(b"POST /.well-known/est/renewals/simplereenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    ours, reference, rates = [], [], []
    for _ in range(ROUNDS):
        signs, verifies = openssl_speed("ecdsap256")
        reference.append(1e6 / signs + 1e6 / verifies)
        before, count = cpu(node.process.pid), issued(node)
        done = int(subprocess.run([BUILD / "bin" / "load_client", "post", str(node.https), str(seconds), certificate, key, request, str(CLIENTS)],
                                  capture_output=True, text=True, check=True).stdout)
        count = issued(node) - count
        if done != count or count == 0:
            raise RuntimeError(f"{done} answers, {count} certificates")
        ours.append((cpu(node.process.pid) - before) / 1000 / count)
        rates.append(count / seconds)
    report("est-renew", ours, reference, 0.7, "us")
    print(f"      {max(rates):.0f} renewals a second", flush=True)


def bench_scep(bench, seconds):
    node = bench.node
    client = Client(bench, "scep.example.test", CHALLENGE)
    envelope = client.envelope(client.csr)
    script, reference, ours, rates = bench.file("scep.lua"), [], [], []
    for turn in range(ROUNDS):
        messages = []
        for number in range(2500 * seconds):
            client.transaction = hashlib.sha256(f"{turn} {number}".encode()).hexdigest()[:32]
            messages.append(client.message(19, envelope))
        # One request, ended by the transaction's messages: each is asked once, and what is asked again is not counted.
        script.write_text('wrk.method = "POST"\nlocal bodies = {\n' + "".join(f'"{octets(message)}",\n' for message in messages) +
                          '}\nlocal at = 0\nrequest = function() at = at % #bodies + 1; return wrk.format(nil, nil, nil, bodies[at]) end\n')
        signs, verifies = openssl_speed("rsa2048")
        reference.append(2e6 / signs + 2e6 / verifies)
        cost, rate = enrolments(node, f"http://127.0.0.1:{node.http}/scep?operation=PKIOperation", script, seconds)
        ours.append(cost)
        rates.append(rate)
    report("scep-enroll", ours, reference, 0.8, "us")
    print(f"      {max(rates):.0f} enrolments a second", flush=True)


def main():
    missing = [program for program in ("wrk", "openssl", "curl") if shutil.which(program) is None]
    if missing:
        print(f"SKIP {missing[0]}: it is not installed, and enrol_bench needs it")
        return
    seconds = 1 if "--short" in sys.argv else 2
    with Node(CONFIG) as node:
        node.state.mkdir()
        node.state.chmod(0o700)
        for name, text in (("challenge", CHALLENGE + "\n"), ("accounts", "bot:sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest() + "::.example.test\n")):
            (node.state / name).write_text(text)
            (node.state / name).chmod(0o600)
        node.init().start()
        bench = Bench(node)
        bench_est(bench, seconds)
        bench_renewal(bench, seconds)
        bench_scep(bench, seconds)
        node.stop()


if __name__ == "__main__":
    main()
