#!/usr/bin/python3
"""load.py FOLDER LOG: what clients do all the time, from their own network, until standard input ends.

EST enrolment at the issue address, OCSP and CRL at the status address, each begun at its own pace whatever becomes of the
others; revocations and the numbers of CRLs at each node's control socket. FOLDER has root.pem, token, good.ocsp, the request
for a certificate that is good. A line of JSON for each in LOG: kind, begun, ended (of one clock), ok, and what was said.
"""
import base64
import http.client
import json
import pathlib
import queue
import random
import socket
import ssl
import sys
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from machines import FLOATING

PATIENCE = 8  # seconds that a client waits for an answer
PACES = {"est": 0.12, "ocsp": 0.1, "crl": 0.25}
MOST = 200  # requests at once

folder, log_file = pathlib.Path(sys.argv[1]), open(sys.argv[2], "w", buffering=1)
lock, ended, issued = threading.Lock(), threading.Event(), queue.Queue()
key = ec.generate_private_key(ec.SECP256R1())
context = ssl.create_default_context(cafile=str(folder / "root.pem"))
authorization = "Bearer " + (folder / "token").read_text().strip()
good = (folder / "good.ocsp").read_bytes()


def put(**entry):
    with lock:
        log_file.write(json.dumps(entry) + "\n")


def enrol():
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"device-{random.getrandbits(64):x}")])
    body = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    connection = http.client.HTTPSConnection(FLOATING["issue"], timeout=PATIENCE, context=context)
    try:
        connection.request("POST", "/.well-known/est/simpleenroll", base64.b64encode(body), {"Content-Type": "application/pkcs10", "Authorization": authorization})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        return False, f"{answer.status} {text[:80].decode(errors='replace').strip()}"
    leaf = next(found for found in pkcs7.load_der_pkcs7_certificates(base64.b64decode(text)) if found.subject == name)
    serial = f"{leaf.serial_number:040x}"
    issued.put(serial)
    return True, serial


def plain(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(FLOATING["status"], timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ask_ocsp():
    status, text = plain("POST", "/ocsp", good, {"Content-Type": "application/ocsp-request"})
    if status != 200:
        return False, str(status)
    answer = ocsp.load_der_ocsp_response(text)
    if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return False, answer.response_status.name
    return answer.certificate_status == ocsp.OCSPCertStatus.GOOD, answer.certificate_status.name


def fetch_crl():
    status, text = plain("GET", "/crl/issuing.crl")
    if status != 200:
        return False, str(status)
    return True, x509.load_der_x509_crl(text).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def once(kind, action):
    begun = time.monotonic()
    try:
        ok, said = action()
    except Exception as error:  # whatever it is, the client has no answer
        ok, said = False, repr(error)[:100]
    put(kind=kind, begun=begun, ended=time.monotonic(), ok=ok, said=said)


def keep_asking(kind, action, pace):
    at = time.monotonic()
    while not ended.is_set():
        if threading.active_count() < MOST:
            threading.Thread(target=once, args=(kind, action), daemon=True).start()
        at += pace
        ended.wait(max(0, at - time.monotonic()))


class Control:
    """A node's control socket, kept open as long as it answers."""

    def __init__(self, site):
        self.path, self.socket = str(folder / site / "state/control.sock"), None

    def ask(self, operation, **arguments):
        try:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(PATIENCE)
                self.socket.connect(self.path)
                self.file = self.socket.makefile("rb")
            body = json.dumps({"operation": operation, "arguments": arguments}).encode()
            self.socket.sendall(b"POST / HTTP/1.1\r\nHost: control\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            if not self.file.readline():
                raise ConnectionError("closed")
            length = 0
            while line := self.file.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            return json.loads(self.file.read(length))
        except (OSError, ValueError):
            if self.socket is not None:
                self.socket.close()
            self.socket = None
            raise


def revoke(site):
    control = Control(site)
    while not ended.is_set():
        try:
            serial = issued.get(timeout=0.5)
        except queue.Empty:
            continue

        def action():
            answer = control.ask("revoke", certificate=serial, reason="superseded")
            return "error" not in answer, serial if "error" not in answer else answer["error"]["detail"]
        once("revoke-" + site, action)
        for _ in range(3):  # most stay good
            if not issued.empty():
                issued.get()
        ended.wait(0.4)


def watch_crl(site):
    control = Control(site)
    while not ended.is_set():
        def action():
            answer = control.ask("crl.show", authority="issuing")
            return "error" not in answer, answer["result"]["number"] if "error" not in answer else answer["error"]["detail"]
        once("number-" + site, action)
        ended.wait(0.25)


jobs = [threading.Thread(target=keep_asking, args=(kind, action, PACES[kind]), daemon=True)
        for kind, action in (("est", enrol), ("ocsp", ask_ocsp), ("crl", fetch_crl))]
jobs += [threading.Thread(target=job, args=(site,), daemon=True) for job in (revoke, watch_crl) for site in "ab"]
for job in jobs:
    job.start()
sys.stdin.read()
ended.set()
# Nobody who asked is forgotten: whether he has a certificate decides what is to be found.
limit = time.monotonic() + PATIENCE + 1
while threading.active_count() > 1 and time.monotonic() < limit:
    time.sleep(0.05)
put(kind="end")
