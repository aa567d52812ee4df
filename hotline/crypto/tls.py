"""Self-signed TLS certificates: they carry a key to be pinned, and nothing is believed because of what they say.

ECDSA on secp256r1, because gRPC's TLS library offers no Ed25519 certificates by default.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hotline.errors import Untrusted

_LIFETIME_DAYS = 3_653
_CLOCKS_MAY_DIFFER_DAYS = 2
_UNSOUND = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm)
_UNREADABLE = (x509.InvalidVersion, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


class TlsIdentity(NamedTuple):
    """A private key (PKCS 8, PEM) and its self-signed certificate (DER)."""

    private_pem: bytes
    certificate_der: bytes


def server_name(name: str) -> str:
    """The DNS name in a certificate; it resolves nowhere and is compared only with itself."""
    return f"{name.lower()}.hotline.invalid"


def make_tls_identity(name: str, unix_ms: int) -> TlsIdentity:
    """A new key and certificate for `name`, valid for ten years from `unix_ms`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server_name(name))])
    begin = datetime.fromtimestamp(unix_ms / 1_000, UTC) - timedelta(days=_CLOCKS_MAY_DIFFER_DAYS)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=_LIFETIME_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)  # digitalSignature: it certifies nobody
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(server_name(name))]), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsIdentity(private_pem, certificate.public_bytes(Encoding.DER))


def pem(certificate_der: bytes) -> bytes:
    """The certificate as gRPC takes it."""
    return x509.load_der_x509_certificate(certificate_der).public_bytes(Encoding.PEM)


def certificate_name(certificate_der: bytes) -> str:
    """The one DNS name of a certificate made by `make_tls_identity`. Raises ValueError."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(names.get_values_for_type(x509.DNSName)[0])


def fingerprint(certificate_der: bytes) -> str:
    """Hex SHA-256 of the certificate: what the charter pins."""
    return hashlib.sha256(certificate_der).hexdigest()


def fingerprint_of_pem(certificate_pem: bytes) -> str:
    """The same of a PEM certificate, as the transport hands it over. Raises ValueError."""
    return fingerprint(x509.load_pem_x509_certificate(certificate_pem).public_bytes(Encoding.DER))


def check_certificate(certificate_der: bytes) -> None:
    """Raises Untrusted unless this is a self-signed secp256r1 certificate with one name, in its one spelling."""
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        certificate.verify_directly_issued_by(certificate)
        lawful = certificate.public_bytes(Encoding.DER) == certificate_der
        # A signature that ends in a zero bit can be written as one of fewer bits; it holds all the same.
        lawful = lawful and certificate_der.endswith(b"\0" + certificate.signature)
        key = certificate.public_key()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*_UNSOUND, *_UNREADABLE) as error:
        raise Untrusted("certificate", "not a self-signed certificate") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1) or not lawful:
        raise Untrusted("certificate", "not a certificate of a secp256r1 key")
    if len(names.get_values_for_type(x509.DNSName)) != 1:
        raise Untrusted("certificate", "not exactly one name")


def public_key(certificate_der: bytes) -> bytes:
    """The public key (SubjectPublicKeyInfo, DER) in a certificate. Raises ValueError."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def validity_ms(certificate_der: bytes) -> tuple[int, int]:
    """First and last Unix millisecond at which a certificate is valid. Raises ValueError."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return int(first.timestamp()) * 1_000, int(last.timestamp()) * 1_000
