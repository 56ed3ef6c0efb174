#!/usr/bin/python3
"""Requests that must be refused: each with the section that says so, the status, the problem type, and nothing changed.

A row is (section, what is wrong, status, problem type, what to do). What to do is a function of the scene, which has
an account with an order in every state; it returns the answer.
"""
import hashlib
import json
import unittest

from acme_client import AccountKey, Client, Responder
from acme_test import csr_der
from harness import BASE, STORAGE, Node, b64, main, openssl

CONFIG = BASE.replace("[validator.lint]", '[validator.lint]\n\n[policy.names]\nexclude = [".forbidden.localhost"]').replace(
    'validate = ["lint"]', 'validate = ["lint"]\npolicy = ["names"]') + 'challenges = ["http-01", "tls-alpn-01"]\n'

ROWS = []


def row(section, what, status, type, act):
    ROWS.append((section, what, status, type, act))


def raw(scene, url, body, content_type="application/jose+json"):
    return scene.client.request("POST", scene.client.path(url), body, {"Content-Type": content_type} if content_type else {})


def resource(name):
    return lambda scene: scene.urls[name]


RESOURCES = {
    "newOrder": (lambda s: s.directory["newOrder"], {"identifiers": [{"type": "dns", "value": "a.localhost"}]}),
    "newAuthz": (lambda s: s.directory["newAuthz"], {"identifier": {"type": "dns", "value": "a.localhost"}}),
    "account": (lambda s: s.client.kid, {"contact": ["mailto:x@example.test"]}),
    "order": (resource("order"), None),
    "authorization": (resource("authorization"), None),
    "challenge": (resource("challenge"), {}),
    "finalize": (resource("finalize"), {"csr": "AA"}),
    "certificate": (resource("certificate"), None),
    "orders": (lambda s: s.client.kid + "/orders", None),
}
stranger = AccountKey()

# RFC 8555 6.2 to 6.5 for every resource that an account asks.
FAULTS = [
    ("6.2", "content type of JSON", 415, "malformed", dict(content_type="application/json")),
    ("6.2", "no content type", 415, "malformed", dict(content_type=None)),
    ("6.2", "alg none", 400, "badSignatureAlgorithm", dict(header={"alg": "none"})),
    ("6.2", "alg of a mac", 400, "badSignatureAlgorithm", dict(header={"alg": "HS256"})),
    ("6.2", "alg of another key", 400, "badPublicKey", dict(header={"alg": "RS256"})),
    ("6.2", "jwk where kid belongs", 400, "malformed", dict(by_key=True)),
    ("6.2", "kid of nobody", 400, "accountDoesNotExist", dict(header={"kid": "https://localhost/acme/account/x"})),
    ("6.2", "signed by another key", 400, "malformed", dict(key=stranger)),
    ("6.4", "url of another resource", 401, "unauthorized", dict(header={"url": "https://localhost/acme/other"})),
    ("6.4", "no url", 401, "unauthorized", dict(header={"url": None})),
    ("6.5", "no nonce", 400, "badNonce", dict(header={"nonce": None})),
    ("6.5", "a nonce that nobody made", 400, "badNonce", dict(header={"nonce": b64(bytes(21))})),
    ("6.5", "a nonce that is not base64url", 400, "malformed", dict(header={"nonce": "a+b="})),
]
for name, (where, payload) in RESOURCES.items():
    for section, what, status, type, options in FAULTS:
        row(section, f"{name}: {what}", status, type,
            lambda s, where=where, payload=payload, options=options: s.client.post(where(s), payload, **options))
    row("6.3", f"{name}: GET", 405, "malformed", lambda s, where=where: s.client.request("GET", s.client.path(where(s))))
    row("6.3", f"{name}: PUT", 405, "malformed", lambda s, where=where, payload=payload: s.client.post(where(s), payload, method="PUT"))
for name in ("order", "authorization", "certificate", "orders"):
    where = RESOURCES[name][0]
    status, type = (400, "malformed")
    row("6.3", f"{name}: a payload of {{}} where POST-as-GET belongs", status, type, lambda s, where=where: s.client.post(where(s), {}))
for name in ("newOrder", "newAuthz", "challenge", "finalize", "account"):
    where = RESOURCES[name][0]
    for what, payload in (("no JSON", b"{"), ("an array", []), ("a text", "x"), ("members twice", b'{"a":1,"a":2}'), ("octets behind", b"{} {}"), ("null", b"null")):
        row("6.2", f"{name}: payload is {what}", 400, "malformed", lambda s, where=where, payload=payload: s.client.post(where(s), payload))

# RFC 7515, RFC 8555 6.2: the form of the JWS, whatever it asks.
FORMS = [
    ("nothing", ""), ("an empty object", "{}"), ("an array", "[]"), ("no JSON", "nonsense"), ("a number", "1"),
    ("several signatures", json.dumps({"payload": "", "signatures": []})),
    ("protected twice", '{"protected":"e30","protected":"e30","payload":"","signature":""}'),
    ("protected is no text", '{"protected":{},"payload":"","signature":""}'),
    ("payload is no text", '{"protected":"e30","payload":{},"signature":""}'),
    ("no payload", '{"protected":"e30","signature":""}'), ("octets behind", '{"protected":"e30","payload":"","signature":""}x'),
    ("compact serialization", "e30.e30.AA"), ("deeply nested", "[" * 5000 + "]" * 5000),
]
for what, body in FORMS:
    row("6.2", f"the JWS is {what}", 400, "malformed", lambda s, body=body: raw(s, s.directory["newOrder"], body))
CHANGES = [
    ("an unprotected header", dict(header_={})), ("padding in the signature", dict(signature="AA==")), ("an empty signature", dict(signature="")),
    ("no signature", dict(signature=None)), ("a signature too short", dict(signature=b64(b"x" * 63))), ("a signature too long", dict(signature=b64(b"x" * 65))),
    ("a signature of zeroes", dict(signature=b64(bytes(64)))), ("a signature in DER", dict(signature=b64(b"\x30\x06\x02\x01\x01\x02\x01\x01"))),
    ("another payload", dict(payload=b64(b"{}"))), ("a payload in base64", dict(payload="a+/b")), ("protected of an array", dict(protected=b64(b"[]"))),
    ("protected of no JSON", dict(protected=b64(b"{"))), ("protected with padding", dict(protected="e30=")), ("protected empty", dict(protected="")),
    ("a further member", dict(more_=1)), ("stray bits in the signature", dict(signature=b64(bytes(64))[:-1] + "B")),
]
for what, change in CHANGES:
    def act(s, change=change):
        url = s.directory["newOrder"]
        whole = json.loads(s.client.jws(url, {"identifiers": [{"type": "dns", "value": "a.localhost"}]}))
        for name, value in change.items():
            whole[name.rstrip("_")] = value
            if value is None:
                del whole[name]
        return raw(s, url, json.dumps(whole))
    row("6.2", f"the JWS has {what}", 400, "malformed", act)
HEADERS = [
    ("crit", {"crit": ["x"], "x": 1}), ("an empty crit", {"crit": []}), ("b64 false", {"b64": False}), ("neither jwk nor kid", {"kid": None}),
    ("jwk and kid", {"jwk": stranger.jwk}), ("no alg", {"alg": None}), ("alg is a number", {"alg": 1}), ("kid is a number", {"kid": 1}),
    ("nonce is a number", {"nonce": 1}), ("url is a number", {"url": 1}),
]
for what, header in HEADERS:
    row("6.2", f"the header has {what}", 400, "malformed", lambda s, header=header: s.client.post(s.directory["newOrder"], {"identifiers": [{"type": "dns", "value": "a.localhost"}]}, header=header))
for alg in ("ES256K", "RS512", "RS384", "PS384", "es256", "HS512", ""):
    row("6.2", f"alg {alg}", 400, "badSignatureAlgorithm", lambda s, alg=alg: s.client.post(s.client.kid, header={"alg": alg}))


def with_jwk(jwk, alg="ES256"):
    return lambda s: s.client.post(s.directory["newAccount"], {"termsOfServiceAgreed": True}, header={"jwk": jwk, "alg": alg}, by_key=True)


good = AccountKey().jwk
KEYS = [
    ("an unknown kind", {"kty": "oct", "k": "AAAA"}), ("no kind", {}), ("a text", "x"), ("a private part", {**good, "d": good["x"]}),
    ("another curve", {**good, "crv": "P-192"}), ("no curve", {k: v for k, v in good.items() if k != "crv"}), ("a short x", {**good, "x": b64(b"x" * 31)}),
    ("a long x", {**good, "x": b64(b"x" * 33)}), ("no y", {k: v for k, v in good.items() if k != "y"}), ("padding", {**good, "x": good["x"] + "="}),
    ("a point off its curve", {**good, "y": b64(b"\1" * 32)}), ("the point of zeroes", {**good, "x": b64(bytes(32)), "y": b64(bytes(32))}),
    ("secp256k1", {**good, "crv": "secp256k1"}), ("a coordinate beyond the field", {**good, "x": b64(b"\xff" * 32)}),
]
for what, jwk in KEYS:
    row("6.2", f"the account's key has {what}", 400, "badPublicKey", with_jwk(jwk))
row("6.2", "the account's key is RSA of 1024 bits", 400, "badPublicKey", with_jwk({"kty": "RSA", "n": b64(b"\xc1" + b"\x35" * 127), "e": "AQAB"}, "RS256"))
row("6.2", "the account's key is RSA with exponent 1", 400, "badPublicKey", with_jwk({"kty": "RSA", "n": b64(b"\xc1" + b"\x35" * 255), "e": "AQ"}, "RS256"))
row("6.2", "the account's key is X25519", 400, "badPublicKey", with_jwk({"kty": "OKP", "crv": "X25519", "x": b64(b"x" * 32)}, "EdDSA"))

# RFC 8555 7.3: accounts.
CONTACTS = [
    ("tel", ["tel:+12025551212"], "unsupportedContact"), ("https", ["https://example.test"], "unsupportedContact"), ("no scheme", ["a@example.test"], "unsupportedContact"),
    ("hfields", ["mailto:a@example.test?subject=x"], "invalidContact"), ("two addresses", ["mailto:a@example.test,b@example.test"], "invalidContact"),
    ("no domain", ["mailto:a"], "invalidContact"), ("nothing", ["mailto:"], "invalidContact"), ("a domain with a blank", ["mailto:a@b c"], "invalidContact"),
    ("no list", "mailto:a@example.test", "malformed"), ("a number", [1], "malformed"), ("too many", ["mailto:a@example.test"] * 11, "malformed"),
]
for what, contact, type in CONTACTS:
    row("7.3", f"new account with contact {what}", 400, type, lambda s, contact=contact: s.stranger().register(contact=contact))
    row("7.3.2", f"update with contact {what}", 400, type, lambda s, contact=contact: s.client.post(s.client.kid, {"contact": contact}))
row("7.3.1", "onlyReturnExisting for an unknown key", 400, "accountDoesNotExist", lambda s: s.stranger().register(onlyReturnExisting=True))
row("7.3", "new account with kid", 400, "malformed", lambda s: s.client.post(s.directory["newAccount"], {}))
for status in ("valid2", "revoked", "", "Deactivated", 1):
    row("7.3.2", f"status {status} by the client", 400, "malformed", lambda s, status=status: s.client.post(s.client.kid, {"status": status}))
for what in ("order", "authorization", "challenge", "certificate", "finalize"):
    payload = {"csr": "AA"} if what == "finalize" else None
    row("10.5", f"{what} of another account", 403, "unauthorized", lambda s, what=what, payload=payload: s.other.post(s.urls[what], payload))
row("10.5", "another account", 403, "unauthorized", lambda s: s.other.post(s.client.kid))
row("10.5", "orders of another account", 403, "unauthorized", lambda s: s.other.post(s.client.kid + "/orders"))
row("7.3.2", "changing another account", 403, "unauthorized", lambda s: s.other.post(s.client.kid, {"status": "deactivated"}))
row("7.5.2", "deactivating another's authorization", 403, "unauthorized", lambda s: s.other.post(s.urls["authorization"], {"status": "deactivated"}))
row("7.5.1", "answering another's challenge", 403, "unauthorized", lambda s: s.other.post(s.urls["challenge"], {}))
for what, act in (("account", lambda s: s.gone.post(s.gone.kid)), ("new order", lambda s: s.gone.order("a.localhost")), ("reactivation", lambda s: s.gone.post(s.gone.kid, {"status": "valid"})),
                  ("key change", lambda s: s.gone.change_key(AccountKey())), ("new account", lambda s: s.gone.register()), ("new authorization", lambda s: s.gone.post(s.directory["newAuthz"], {"identifier": {"type": "dns", "value": "a.localhost"}}))):
    row("7.3.6", f"{what} of a deactivated account", 401, "unauthorized", act)

# RFC 8555 7.1.3, 7.1.4, 7.4; RFC 8738 3: identifiers.
DNS = ["", ".", "a..localhost", ".a.localhost", "-a.localhost", "a-.localhost", "a_b.localhost", "a b.localhost", "x" * 64 + ".localhost", ".".join(["x" * 60] * 5), "a.*.localhost", "*a.localhost",
       "**.localhost", "*", "*.", "*.*.localhost", "xn--.localhost", "xn--99999.localhost", "ab--c.localhost", "m\u00fcnchen.localhost", "a.localhost:80", "https://a.localhost", "a/b.localhost", "127.0.0.1",
       "1.2.3.4.5", "::1", "a.localhost\u0000", "a,b.localhost", "user@a.localhost"]
for value in DNS:
    row("7.1.4", f"dns identifier {value!r:.40}", 400, "malformed", lambda s, value=value: s.client.post(s.directory["newOrder"], {"identifiers": [{"type": "dns", "value": value}]}))
for value in ("localhost", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4/24", "::g", "2001:DB8::1", "2001:db8:0::1", "fe80::1%eth0", "[::1]", "0x7f000001", "2130706433", " 1.2.3.4"):
    row("8738 3", f"ip identifier {value!r}", 400, "malformed", lambda s, value=value: s.client.post(s.directory["newOrder"], {"identifiers": [{"type": "ip", "value": value}]}))
for type_ in ("email", "uri", "DNS", "TNAuthList", "permanent-identifier"):
    row("7.4", f"identifiers of type {type_}", 400, "unsupportedIdentifier", lambda s, type_=type_: s.client.post(s.directory["newOrder"], {"identifiers": [{"type": type_, "value": "x"}]}))
ORDERS = [
    ("no identifiers", {}), ("an empty list", {"identifiers": []}), ("a list of texts", {"identifiers": ["a.localhost"]}), ("an object", {"identifiers": {"type": "dns", "value": "a.localhost"}}),
    ("no type", {"identifiers": [{"value": "a.localhost"}]}), ("no value", {"identifiers": [{"type": "dns"}]}), ("a number", {"identifiers": [{"type": "dns", "value": 1}]}),
    ("too many identifiers", {"identifiers": [{"type": "dns", "value": f"n{i}.localhost"} for i in range(101)]}),
    ("notBefore that is no time", {"identifiers": [{"type": "dns", "value": "a.localhost"}], "notBefore": "now"}),
    ("notAfter that is no text", {"identifiers": [{"type": "dns", "value": "a.localhost"}], "notAfter": 1}),
    ("notAfter in the past", {"identifiers": [{"type": "dns", "value": "a.localhost"}], "notAfter": "2020-01-01T00:00:00Z"}),
    ("notAfter beyond the profile", {"identifiers": [{"type": "dns", "value": "a.localhost"}], "notAfter": "2099-01-01T00:00:00Z"}),
    ("replaces that is nothing", {"identifiers": [{"type": "dns", "value": "a.localhost"}], "replaces": "x"}),
    ("auto-renewal where there is none", {"identifiers": [{"type": "dns", "value": "a.localhost"}], "auto-renewal": {}}),
    ("an ancestor beside it", {"identifiers": [{"type": "dns", "value": "a.localhost", "ancestorDomain": "b.localhost"}]}),
    ("an ancestor that is a wildcard", {"identifiers": [{"type": "dns", "value": "b.a.localhost", "ancestorDomain": "*.a.localhost"}]}),
    ("an ancestor that is a number", {"identifiers": [{"type": "dns", "value": "b.a.localhost", "ancestorDomain": 1}]}),
]
for what, payload in ORDERS:
    row("7.4", f"an order with {what}", 400, "malformed", lambda s, payload=payload: s.client.post(s.directory["newOrder"], payload))
row("7.4", "an order with an unknown profile", 400, "invalidProfile", lambda s: s.client.order("a.localhost", profile="none"))
row("6.7.1", "an order with a name that policy refuses", 403, "rejectedIdentifier", lambda s: s.client.order("a.forbidden.localhost"))
row("6.7.1", "an order with several such names", 403, "rejectedIdentifier", lambda s: s.client.order("a.forbidden.localhost", "good.localhost", "b.forbidden.localhost"))
row("8.3", "a wildcard where no challenge can prove it", 403, "rejectedIdentifier", lambda s: s.client.order("*.wild.localhost"))
row("9444 4.1", "subdomains where no challenge can prove them", 403, "rejectedIdentifier", lambda s: s.client.post(s.directory["newAuthz"], {"identifier": {"type": "dns", "value": "a.localhost"}, "subdomainAuthAllowed": True}))
for what, payload in (("no identifier", {}), ("a wildcard", {"identifier": {"type": "dns", "value": "*.a.localhost"}}), ("an address with subdomains", {"identifier": {"type": "ip", "value": "127.0.0.1"}, "subdomainAuthAllowed": True})):
    row("7.4.1", f"an authorization of {what}", 400, "malformed", lambda s, payload=payload: s.client.post(s.directory["newAuthz"], payload))

# RFC 8555 7.4, 7.5: what a state does not allow.
row("7.4", "finalizing a pending order", 403, "orderNotReady", lambda s: s.client.post(s.urls["finalize"], {"csr": "AA"}))
row("7.4", "finalizing an order twice", 403, "orderNotReady", lambda s: s.client.post(s.urls["valid finalize"], {"csr": b64(s.csr)}))
row("7.4", "finalizing an order that failed", 403, "orderNotReady", lambda s: s.client.post(s.urls["invalid finalize"], {"csr": b64(s.csr)}))
for what, csr in (("nothing", None), ("empty", ""), ("padded", "AAA="), ("no DER", "AAAA"), ("a number", 1), ("PEM", "LS0tLS1CRUdJTg"), ("cut off", lambda s: b64(s.csr[:-10])), ("with octets behind", lambda s: b64(s.csr + b"\0")),
                  ("of another name", lambda s: b64(s.other_csr)), ("with a wrong signature", lambda s: b64(s.csr[:-1] + bytes([s.csr[-1] ^ 1]))), ("with a name too many", lambda s: b64(s.more_csr)),
                  ("with the name as address", lambda s: b64(s.address_csr)), ("of 1024 bits", lambda s: b64(s.weak_csr)), ("of the account's key", lambda s: b64(s.account_csr)), ("for an authority", lambda s: b64(s.authority_csr))):
    row("7.4", f"a request that is {what}", 400, "badCSR",
        lambda s, csr=csr: s.client.post(s.urls["ready finalize"], {} if csr is None else {"csr": csr(s) if callable(csr) else csr}))
for payload in ({}, {"status": "valid"}, {"status": "pending"}, {"status": 1}, {"status": "revoked"}):
    row("7.5.2", f"an authorization's update to {payload}", 400, "malformed", lambda s, payload=payload: s.client.post(s.urls["authorization"], payload))
row("7.4.2", "the certificate of an order without one", 404, "malformed", lambda s: s.client.post(s.urls["order"].replace("/order/", "/certificate/")))
for path in ("/order/x", "/authorization/x", "/challenge/x/http-01", "/challenge/x", "/certificate/x", "/order/" + "x" * 300, "/star-certificate/x"):
    row("7.1", f"no such resource {path[:30]}", 404, "malformed", lambda s, path=path: s.client.post(s.base + path))
row("7.1", "another account's name", 403, "unauthorized", lambda s: s.client.post(s.base + "/account/x"))
row("7.5.1", "a challenge that was not offered", 404, "malformed", lambda s: s.client.post(s.urls["authorization"].replace("/authorization/", "/challenge/") + "/dns-01", {}))
for path in ("/", "/nothing", "/order", "/order/", "/directory/", "/new-order/", "/account/", "/renewal-info/"):
    row("6.3", f"no such path {path}", 404, "malformed", lambda s, path=path: s.client.post(s.base + path, {}))
for method in ("PUT", "DELETE", "PATCH"):
    for path in ("/directory", "/new-nonce", "/new-account", "/revoke-cert", "/key-change"):
        row("6.3", f"{method} {path}", 405, "malformed", lambda s, method=method, path=path: s.client.request(method, s.client.path(s.base + path)))
row("6.3", "POST to the directory with a payload", 400, "malformed", lambda s: s.client.post(s.base + "/directory", {}))

# RFC 8555 7.6
REVOKE = [
    ("no certificate", {}, 400, "malformed"), ("an empty one", {"certificate": ""}, 400, "malformed"), ("one in base64", {"certificate": "a+/="}, 400, "malformed"),
    ("no DER", {"certificate": "AAAA"}, 400, "malformed"), ("a number", {"certificate": 1}, 400, "malformed"),
]
for what, payload, status, type in REVOKE:
    row("7.6", f"revoking {what}", status, type, lambda s, payload=payload: s.client.post(s.directory["revokeCert"], payload))
row("7.6", "revoking what was not issued here", 404, "malformed", lambda s: s.client.post(s.directory["revokeCert"], {"certificate": b64(s.foreign)}))
row("7.6", "revoking what was changed", 404, "malformed", lambda s: s.client.post(s.directory["revokeCert"], {"certificate": b64(s.certificate[:-1] + bytes([s.certificate[-1] ^ 1]))}))
row("7.6", "revoking by an account that has nothing to do with it", 403, "unauthorized", lambda s: s.other.post(s.directory["revokeCert"], {"certificate": b64(s.certificate)}))
row("7.6", "revoking by a key that is another", 403, "unauthorized", lambda s: s.client.post(s.directory["revokeCert"], {"certificate": b64(s.certificate)}, key=stranger, by_key=True))
for reason in (-1, 2, 6, 7, 8, 9, 10, 11, 256, "1", 1.5, [1]):
    row("7.6", f"revoking for reason {reason}", 400, "badRevocationReason", lambda s, reason=reason: s.client.post(s.directory["revokeCert"], {"certificate": b64(s.certificate), "reason": reason}))
row("7.6", "revoking twice", 400, "alreadyRevoked", lambda s: s.client.post(s.directory["revokeCert"], {"certificate": b64(s.revoked)}))


class Scene:
    """An account with orders in every state, another account, and one that is gone."""

    def __init__(self, node):
        self.node = node
        self.responder = Responder(node.challenge)
        self.client, self.other, self.gone = Client(node), Client(node), Client(node)
        for client in (self.client, self.other, self.gone):
            client.register()
        self.gone.post(self.gone.kid, {"status": "deactivated"})
        self.directory = self.client.directory
        self.base = self.directory["newNonce"].removesuffix("/new-nonce")
        self.urls = {}
        self.requests()
        pending = self.client.order("pending.localhost")
        self.remember("", pending)
        authorization = self.client.post(self.urls["authorization"]).json
        self.urls["challenge"] = authorization["challenges"][0]["url"]
        self.remember("ready ", self.client.authorize(self.client.order("ready.localhost"), self.responder))
        invalid = self.client.order("invalid.localhost")
        self.client.post(invalid.json["authorizations"][0], {"status": "deactivated"})
        self.remember("invalid ", invalid)
        self.certificate, valid = self.issue()
        self.urls["certificate"], self.urls["valid finalize"] = valid.json["certificate"], valid.json["finalize"]
        self.revoked, _ = self.issue()
        self.client.post(self.directory["revokeCert"], {"certificate": b64(self.revoked)})
        foreign = node.folder / "foreign.der"
        openssl("req", "-x509", "-key", node.folder / "ready.key", "-subj", "/CN=x", "-outform", "DER", "-out", foreign)
        self.foreign = foreign.read_bytes()

    def remember(self, prefix, order):
        self.urls[prefix + "order"] = order.headers["Location"]
        self.urls[prefix + "finalize"] = order.json["finalize"]
        self.urls[prefix + "authorization"] = order.json["authorizations"][0]

    def requests(self):
        folder = self.node.folder
        _, self.csr = csr_der(self.node, ["ready.localhost"], "ready")
        _, self.other_csr = csr_der(self.node, ["other.localhost"], "other")
        _, self.more_csr = csr_der(self.node, ["ready.localhost", "more.localhost"], "more")
        _, self.address_csr = csr_der(self.node, ["127.0.0.1"], "address")
        from cryptography.hazmat.primitives import serialization
        (folder / "account.key").write_bytes(self.client.key.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", folder / "weak.key")
        for name, key, extension in (("weak", "weak", []), ("account", "account", []), ("authority", "ready", ["-addext", "basicConstraints=critical,CA:TRUE"])):
            openssl("req", "-new", "-key", folder / f"{key}.key", "-subj", "/", "-addext", "subjectAltName=DNS:ready.localhost", *extension, "-outform", "DER", "-out", folder / f"{name}.der")
            setattr(self, f"{name}_csr", (folder / f"{name}.der").read_bytes())

    def issue(self):
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        _, csr = csr_der(self.node, ["valid.localhost"], "valid")
        _, done = self.client.certificate("valid.localhost", responder=self.responder, csr=csr)
        leaf = x509.load_pem_x509_certificate(self.client.post(done.json["certificate"]).body)
        return leaf.public_bytes(serialization.Encoding.DER), done

    def stranger(self):
        self.client_of_nobody = Client(self.node)
        return self.client_of_nobody

    def ledger(self):
        """A digest of everything that is stored."""
        digest = hashlib.sha256()
        for table, columns in (("record", ("collection", "item", "data")), ("certificate", ("serial",)), ("signature", ("serial",)), ("revocation", ("serial",))):
            for found in sorted(self.node.rows(table, *columns)):
                if table != "record" or found[0].startswith(b"acme."):  # the host keeps some of its own
                    digest.update(repr((table, found)).encode())
        return digest.hexdigest()


class Negative(unittest.TestCase):
    def test_every_row_is_refused_and_changes_nothing(self):
        with Node(CONFIG).init().start() as node:
            scene = Scene(node)
            try:
                before = scene.ledger()
                for section, what, status, type, act in ROWS:
                    with self.subTest(f"RFC 8555 {section}: {what}"):
                        answer = act(scene)
                        self.assertEqual((answer.status, answer.type), (status, type), answer.body)
                        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                        self.assertEqual(answer.json["status"], status)
                        self.assertTrue(answer.json["detail"])
                        if not what.endswith("/directory") and "the directory" not in what:
                            self.assertIn('rel="index"', ", ".join(answer.headers.get_all("Link")))
                        self.assertNotIn("identifier", answer.json, "only subproblems have one")
                        if STORAGE == "sqlite":  # a look at a server's tables takes too long for every row
                            was, before = before, scene.ledger()
                            self.assertEqual(before, was, "the ledger has changed")
                self.assertEqual(scene.ledger(), before, "the ledger has changed")
            finally:
                scene.responder.close()
        self.assertGreaterEqual(len(ROWS), 200)
        print(f"{len(ROWS)} rows")


if __name__ == "__main__":
    main()
