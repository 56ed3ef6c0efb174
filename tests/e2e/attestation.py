"""Devices that attest themselves as Apple's and as TPMs do (WebAuthn level 2, 6.5.4, 8.3): everything by hand, so that everything can be wrong."""
import datetime
import hashlib
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

OID = x509.ObjectIdentifier
PERMANENT_IDENTIFIER, HARDWARE_MODULE = OID("1.3.6.1.5.5.7.8.3"), OID("1.3.6.1.5.5.7.8.4")
AIK = OID("2.23.133.8.3")
SERIAL, UDID, NONCE = OID("1.2.840.113635.100.8.9.1"), OID("1.2.840.113635.100.8.9.2"), OID("1.2.840.113635.100.8.11.1")
NOBODY = x509.Name([])


class Raw(bytes):
    """CBOR that is put in as it stands."""


def cbor_head(major, number):
    for limit, more in ((24, None), (1 << 8, 24), (1 << 16, 25), (1 << 32, 26)):
        if number < limit:
            return bytes([major << 5 | (number if more is None else more)]) + (b"" if more is None else number.to_bytes(1 << (more - 24), "big"))
    return bytes([major << 5 | 27]) + number.to_bytes(8, "big")


def cbor(value):
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(cbor, value))
    return cbor_head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def der(tag, *parts):
    content = b"".join(parts)
    size = bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])
    return bytes([tag]) + size + content


def der_oid(dotted):
    arcs = [int(a) for a in dotted.split(".")]
    octets = b""
    for arc in [arcs[0] * 40 + arcs[1], *arcs[2:]]:
        groups = [arc & 127]
        while arc := arc >> 7:
            groups.append(arc & 127 | 128)
        octets += bytes(reversed(groups))
    return der(6, octets)


def device_name(kind, value):
    """The otherName of an identifier (RFC 4043, RFC 4108)."""
    text, _, dotted = value.partition("/")
    if kind == "hardware-module":
        return x509.OtherName(HARDWARE_MODULE, der(0x30, der_oid(dotted), der(4, text.encode())))
    return x509.OtherName(PERMANENT_IDENTIFIER, der(0x30, der(12, text.encode()), *([der_oid(dotted)] if dotted else [])))


def new_key(kind="ec"):
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP384R1() if kind == "ec384" else ec.SECP256R1())


class Authority:
    def __init__(self, name, issuer=None, ca=True):
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.key = new_key()
        signer = issuer or self
        self.certificate = signer.certify(self.key.public_key(), self.name, [(x509.BasicConstraints(ca, None), True)])
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def certify(self, public, subject, extensions, days=30, digest=hashes.SHA256()):
        now = datetime.datetime.utcnow()
        first, last = sorted((now - datetime.timedelta(hours=1), now + datetime.timedelta(days=days)))
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public)
                   .serial_number(int.from_bytes(os.urandom(8), "big") | 1).not_valid_before(first).not_valid_after(last))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, digest)


def octets(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


class Apple:
    """A device whose attestations come from `issuer`, a sub-CA of a root."""

    def __init__(self, issuer, serial="C02XK1ABJG5H", udid="00008110-001A2B3C4D5E801E"):
        self.issuer, self.serial, self.udid = issuer, serial, udid

    def attest(self, key, token, nonce=None, serial=None, udid=None, chain=None, **dates):
        extensions = [(x509.BasicConstraints(False, None), True)]
        for oid, value in ((SERIAL, self.serial if serial is None else serial), (UDID, self.udid if udid is None else udid)):
            if value:
                extensions.append((x509.UnrecognizedExtension(oid, value.encode()), False))
        nonce = hashlib.sha256(token.encode()).digest() if nonce is None else nonce
        if nonce:
            extensions.append((x509.UnrecognizedExtension(NONCE, nonce), False))
        name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "AAA Certification")])
        leaf = self.issuer.certify(key.public_key(), name, extensions, **dates)
        return {"fmt": "apple", "attStmt": {"x5c": [octets(leaf), self.issuer.der] if chain is None else chain(octets(leaf))}}


def sized(data):
    return len(data).to_bytes(2, "big") + data


def number(value, size):
    return value.to_bytes(size, "big")


class Tpm:
    """A TPM whose attestation key `issuer` has certified for a device."""
    DIGESTS = {"ES256": (-7, 0x18, 0x0b), "RS256": (-257, 0x14, 0x0b), "PS256": (-37, 0x16, 0x0b)}

    def __init__(self, issuer, kind, value, algorithm="ES256"):
        self.issuer, self.algorithm = issuer, algorithm
        self.key = new_key("ec" if algorithm == "ES256" else "rsa")
        self.names = [device_name(kind, value)]

    def aik(self, subject=NOBODY, usages=(AIK,), ca=False, names=None, **options):
        extensions = [(x509.BasicConstraints(ca, None), True)]
        if usages:
            extensions.append((x509.ExtendedKeyUsage(usages), False))
        extensions.append((x509.SubjectAlternativeName(self.names if names is None else names), True))
        return octets(self.issuer.certify(self.key.public_key(), subject, extensions, **options))

    @staticmethod
    def public_area(public, attributes=0x00040072, name_alg=0x0b, tail=b""):
        null = number(0x10, 2)
        if isinstance(public, rsa.RSAPublicKey):
            n = public.public_numbers().n
            unique = number(2048, 2) + number(0, 4) + sized(number(n, 256))
            return number(1, 2) + number(name_alg, 2) + number(attributes, 4) + sized(b"") + null + null + unique + tail
        numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        curve = {256: 3, 384: 4}[public.curve.key_size]
        unique = number(curve, 2) + null + sized(number(numbers.x, size)) + sized(number(numbers.y, size))
        return number(0x23, 2) + number(name_alg, 2) + number(attributes, 4) + sized(b"") + null + number(0x18, 2) + number(0x0b, 2) + unique + tail

    @staticmethod
    def cert_info(area, key_authorization, magic=0xff544347, type=0x8017, extra=None, name=None, tail=b""):
        digest = hashlib.sha256(key_authorization.encode()).digest() if extra is None else extra
        name = area[2:4] + hashlib.sha256(area).digest() if name is None else name
        return (number(magic, 4) + number(type, 2) + sized(b"\0\x0b" + b"s" * 32) + sized(digest) + bytes(17) + bytes(8) + sized(name) +
                sized(b"\0\x0b" + b"q" * 32) + tail)

    def sign(self, info, key=None, algorithm=None):
        key = key or self.key
        _, scheme, digest = self.DIGESTS[algorithm or self.algorithm]
        head = number(scheme, 2) + number(digest, 2)
        if scheme == 0x18:
            r, s = utils.decode_dss_signature(key.sign(info, ec.ECDSA(hashes.SHA256())))
            return head + sized(number(r, 32)) + sized(number(s, 32))
        pad = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if scheme == 0x16 else padding.PKCS1v15()
        return head + sized(key.sign(info, pad, hashes.SHA256()))

    def attest(self, key, key_authorization, area={}, info={}, aik={}, statement={}, chain=None):
        """`area`, `info` and `aik` change what is in the structures, `statement` the members themselves."""
        public = self.public_area(key.public_key(), **area)
        certified = self.cert_info(public, key_authorization, **info)
        leaf = self.aik(**aik)
        whole = {"ver": "2.0", "alg": self.DIGESTS[self.algorithm][0], "x5c": [leaf, self.issuer.der] if chain is None else chain(leaf),
                 "sig": self.sign(certified), "certInfo": certified, "pubArea": public}
        whole.update(statement)
        return {"fmt": "tpm", "attStmt": {name: value for name, value in whole.items() if value is not None}}
