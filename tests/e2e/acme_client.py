"""A small ACME client that can also do everything wrong."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from harness import b64


def integer(number, size=None):
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


class AccountKey:
    """A key with its JWK; signs by the alg of its kind."""

    def __init__(self, kind="ES256"):
        self.alg = kind
        curves = {"ES256": (ec.SECP256R1(), 32, "P-256"), "ES384": (ec.SECP384R1(), 48, "P-384"), "ES512": (ec.SECP521R1(), 66, "P-521")}
        if kind in curves:
            curve, self.size, name = curves[kind]
            self.key = ec.generate_private_key(curve)
            numbers = self.key.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": name, "x": integer(numbers.x, self.size), "y": integer(numbers.y, self.size)}
        elif kind == "EdDSA":
            self.key = ed25519.Ed25519PrivateKey.generate()
            raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        else:
            self.key = rsa.generate_private_key(65537, 2048)
            numbers = self.key.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": integer(numbers.n), "e": integer(numbers.e)}

    def thumbprint(self):
        return b64(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest())

    def sign(self, data):
        if self.alg.startswith("ES"):
            digest = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}[self.alg]
            r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(self.size, "big") + s.to_bytes(self.size, "big")
        if self.alg == "EdDSA":
            return self.key.sign(data)
        if self.alg == "PS256":
            return self.key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        """The problem type without its URN."""
        return self.json.get("type", "").removeprefix("urn:ietf:params:acme:error:")


class Client:
    def __init__(self, node, kind="ES256", path="/acme"):
        self.node = node
        self.key = AccountKey(kind)
        self.kid = None
        self.nonce = None
        self.context = node.tls()
        self.connection = http.client.HTTPSConnection("localhost", node.https, timeout=30, context=self.context)
        self.directory = self.request("GET", path + "/directory").json

    def close(self):
        self.connection.close()

    def request(self, method, path, body=None, headers={}):
        self.connection.request(method, path, body, headers)
        answer = Answer(self.connection.getresponse())
        self.nonce = answer.headers.get("Replay-Nonce") or self.nonce
        return answer

    def path(self, url):
        return "/" + url.split("/", 3)[3]

    def fresh_nonce(self):
        if self.nonce is None:
            self.request("HEAD", self.path(self.directory["newNonce"]))
        nonce, self.nonce = self.nonce, None
        return nonce

    def jws(self, url, payload, header=None, key=None, by_key=False, **changes):
        """The flattened JWS as text; `header` changes the protected one (None takes a member out), `changes` the JWS."""
        key = key or self.key
        protected = {"alg": key.alg, "nonce": self.fresh_nonce(), "url": url}
        if by_key or self.kid is None:
            protected["jwk"] = key.jwk
        else:
            protected["kid"] = self.kid
        for name, value in (header or {}).items():
            if value is None:
                protected.pop(name, None)
            else:
                protected[name] = value
        encoded = b64(json.dumps(protected).encode())
        text = "" if payload is None else b64(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        signature = b64(key.sign(f"{encoded}.{text}".encode()))
        whole = {"protected": encoded, "payload": text, "signature": signature}
        for name, value in changes.items():
            if value is None:
                whole.pop(name, None)
            else:
                whole[name] = value
        return json.dumps(whole)

    def post(self, url, payload=None, content_type="application/jose+json", method="POST", **options):
        """`payload` None is POST-as-GET."""
        return self.request(method, self.path(url), self.jws(url, payload, **options), {"Content-Type": content_type} if content_type else {})

    def register(self, **payload):
        answer = self.post(self.directory["newAccount"], {"termsOfServiceAgreed": True, **payload}, by_key=True)
        if answer.status in (200, 201):
            self.kid = answer.headers["Location"]
        return answer

    def order(self, *names, **more):
        identifiers = [{"type": "ip" if n.replace(".", "").isdigit() or ":" in n else "dns", "value": n} for n in names]
        return self.post(self.directory["newOrder"], {"identifiers": identifiers, **more})

    def wait(self, url, *states, seconds=20):
        import time
        deadline = time.monotonic() + seconds
        while True:
            answer = self.post(url)
            if answer.json["status"] in states or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)

    def challenge(self, authorization, kind="http-01"):
        return next(c for c in self.post(authorization).json["challenges"] if c["type"] == kind)

    def key_authorization(self, challenge):
        return f"{challenge['token']}.{self.key.thumbprint()}"

    def authorize(self, order, responder):
        """Meets every http-01 challenge of the order; the order's URL afterwards ready."""
        for url in order.json["authorizations"]:
            authorization = self.post(url).json
            if authorization["status"] == "valid":
                continue
            challenge = next(c for c in authorization["challenges"] if c["type"] == "http-01")
            responder.answers[challenge["token"]] = self.key_authorization(challenge)
            self.post(challenge["url"], {})
            self.wait(url, "valid", "invalid")
        return self.post(order.headers["Location"])

    def respond(self, authorization, kind="http-01"):
        """Says that it is ready, and waits; the authorization afterwards."""
        challenge = self.challenge(authorization, kind)
        self.post(challenge["url"], {})
        return self.wait(authorization, "valid", "invalid").json

    def change_key(self, new, header=None, payload=None, outer=None, raw=None):
        """Key rollover; `header` and `payload` change the inner JWS, `outer` the options of the outer one."""
        url = self.directory["keyChange"]
        inner = {"alg": new.alg, "jwk": new.jwk, "url": url, **(header or {})}
        inner = {name: value for name, value in inner.items() if value is not None}
        content = {"account": self.kid, "oldKey": self.key.jwk, **(payload or {})}
        content = {name: value for name, value in content.items() if value is not None}
        encoded, text = b64(json.dumps(inner).encode()), b64(json.dumps(content).encode())
        signer = (outer or {}).pop("inner_key", new)
        jws = {"protected": encoded, "payload": text, "signature": b64(signer.sign(f"{encoded}.{text}".encode()))}
        return self.post(url, jws if raw is None else raw, **(outer or {}))

    def binding(self, kid, hmac_key, header=None, key=None, mac_key=None):
        """An externalAccountBinding (RFC 8555 7.3.4)."""
        inner = {"alg": "HS256", "kid": kid, "url": self.directory["newAccount"], **(header or {})}
        inner = {name: value for name, value in inner.items() if value is not None}
        encoded, text = b64(json.dumps(inner).encode()), b64(json.dumps((key or self.key).jwk).encode())
        secret = base64.urlsafe_b64decode((mac_key or hmac_key) + "==")
        mac = hmac.new(secret, f"{encoded}.{text}".encode(), "sha256").digest()
        return {"protected": encoded, "payload": text, "signature": b64(mac)}

    def certificate(self, *names, responder, csr):
        order = self.order(*names)
        ready = self.authorize(order, responder)
        finalized = self.post(ready.json["finalize"], {"csr": b64(csr)})
        return order, finalized


class Responder:
    """What stands at the port where http-01 asks."""

    def __init__(self, port):
        self.answers = {}
        self.asked = []
        self.redirects = {}
        self.raw = {}  # octets instead of an answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.headers.get("Host"), self.path))
                token = self.path.rsplit("/", 1)[1]
                if token in outer.raw:
                    self.wfile.write(outer.raw[token])
                    self.close_connection = True
                    return
                if token in outer.redirects:
                    self.send_response(302)
                    self.send_header("Location", outer.redirects[token])
                    self.end_headers()
                    return
                body = outer.answers.get(token, "").encode()
                self.send_response(200 if token in outer.answers else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


class TlsResponder:
    """What stands at the port where tls-alpn-01 asks (RFC 8737): a certificate for each server name."""

    def __init__(self, port, folder):
        self.folder, self.port = folder, port
        self.contexts, self.names = {}, []
        self.protocols = ["acme-tls/1"]
        self.newest = None  # version of TLS; None is whatever there is
        self.received = []  # what came after each handshake, b"" for its end
        listener = socket.create_server(("127.0.0.1", port))
        self.listener = listener
        self.running = True
        threading.Thread(target=self.serve, daemon=True).start()

    def prove(self, name, key_authorization, sans=None, critical=True, digest=None, extension=True):
        key = ec.generate_private_key(ec.SECP256R1())
        whole = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(whole).issuer_name(whole).public_key(key.public_key()).serial_number(1)
                   .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)))
        if sans is None:
            sans = [x509.DNSName(name)]
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), False)
        if extension:
            octets = hashlib.sha256(key_authorization.encode()).digest() if digest is None else digest
            builder = builder.add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, b"\x04" + bytes([len(octets)]) + octets), critical)
        certificate = builder.sign(key, hashes.SHA256())
        path = self.folder / f"alpn-{len(self.contexts)}-{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if self.protocols:
            context.set_alpn_protocols(self.protocols)
        self.contexts[name] = context

    def serve(self):
        while self.running:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.shake, args=(connection,), daemon=True).start()

    def shake(self, connection):
        choice = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def switch(stream, name, _):
            self.names.append(name)
            if name not in self.contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            stream.context = self.contexts[name]

        choice.sni_callback = switch
        if self.protocols:
            choice.set_alpn_protocols(self.protocols)
        if self.newest:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that old versions are old is why they are here
                choice.minimum_version, choice.maximum_version = ssl.TLSVersion.TLSv1, self.newest
            choice.set_ciphers("ALL:@SECLEVEL=0")
        try:
            with choice.wrap_socket(connection, server_side=True) as stream:
                stream.settimeout(5)
                self.received.append(stream.recv(1))
        except OSError as error:
            self.received.append(error)
            connection.close()

    def close(self):
        self.running = False
        self.listener.close()
