"""Certificates that carry a key to be pinned."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from hotline.crypto.tls import (
    certificate_name,
    check_certificate,
    fingerprint,
    fingerprint_of_pem,
    make_tls_identity,
    pem,
    public_key,
    validity_ms,
)
from hotline.errors import Untrusted

NOW = 1_795_000_000_000
DAY = 86_400_000


def public_key_of(private_pem: bytes) -> bytes:
    """As `public_key` says it of a certificate."""
    key = load_pem_private_key(private_pem, None)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_certificate_carries_its_own_key_and_name() -> None:
    """A terminal would pin a certificate for which the relay has no key."""
    made = make_tls_identity("ALPHA-main", NOW)
    check_certificate(made.certificate_der)
    assert certificate_name(made.certificate_der) == "alpha-main.hotline.invalid"
    assert public_key(made.certificate_der) == public_key_of(made.private_pem)
    assert fingerprint(made.certificate_der) == fingerprint_of_pem(pem(made.certificate_der))
    assert public_key(make_tls_identity("ALPHA-main", NOW).certificate_der) != public_key(made.certificate_der)


def test_a_certificate_holds_for_ten_years_and_on_a_clock_that_lags() -> None:
    """The hotline would fall silent on a day that nobody remembers."""
    first, last = validity_ms(make_tls_identity("relay-1", NOW).certificate_der)
    assert NOW - 3 * DAY < first < NOW - DAY
    assert last > NOW + 3_650 * DAY


def test_an_altered_certificate_is_refused() -> None:
    """Both sides would sign a charter that pins what no handshake can show."""
    der = make_tls_identity("relay-1", NOW).certificate_der
    while der[-1] & 1:  # a signature that ends in a zero bit has a second spelling
        der = make_tls_identity("relay-1", NOW).certificate_der
    for place in range(len(der)):
        with pytest.raises(Untrusted):
            check_certificate(der[:place] + bytes([der[place] ^ 1]) + der[place + 1 :])
    for spoiled in (b"", der[:-1], der + b"\x00"):
        with pytest.raises(Untrusted):
            check_certificate(spoiled)


def certificate_on(curve: ec.EllipticCurve, names: list[str]) -> bytes:
    """A self-signed certificate of whatever kind."""
    key = ec.generate_private_key(curve)
    subject = x509.Name([])
    model = x509.load_der_x509_certificate(make_tls_identity("relay-1", NOW).certificate_der)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(model.not_valid_before_utc)
    builder = builder.not_valid_after(model.not_valid_after_utc)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_only_our_kind_of_certificate_is_taken() -> None:
    """A card could bring a certificate for many names, or with a key that gRPC cannot use (docs/protocol.md 5.16)."""
    check_certificate(certificate_on(ec.SECP256R1(), ["one.hotline.invalid"]))
    for der in (
        certificate_on(ec.SECP384R1(), ["one.hotline.invalid"]),
        certificate_on(ec.SECP256R1(), []),
        certificate_on(ec.SECP256R1(), ["one.hotline.invalid", "two.hotline.invalid"]),
    ):
        with pytest.raises(Untrusted):
            check_certificate(der)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03"),
        (b"\x55\x1d\x25", b"\x55\x1d\x11"),
        (b"\x82\x17relay", b"\xa3\x17relay"),
    ],
    ids=["version 4", "two extensions of names", "a name of X.400"],
)
def test_what_a_card_brings_ends_no_command(old: bytes, new: bytes) -> None:
    """A card with an odd certificate, rightly signed, would end the ceremony (docs/protocol.md 5.13 and 5.16)."""
    made = make_tls_identity("relay-1", NOW)
    key = load_pem_private_key(made.private_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    body = x509.load_der_x509_certificate(made.certificate_der).tbs_certificate_bytes
    assert body.count(old) == 1
    signature = b"\0" + key.sign(body.replace(old, new), ec.ECDSA(hashes.SHA256()))
    algorithm = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
    rest = body.replace(old, new) + algorithm + b"\x03" + bytes([len(signature)]) + signature
    with pytest.raises(Untrusted):
        check_certificate(b"\x30\x82" + len(rest).to_bytes(2, "big") + rest)


def test_a_certificate_is_no_authority_and_serves_both_ends() -> None:
    """A stolen key could certify others, or a terminal not dial with what it listens with (docs/protocol.md 5.16)."""
    certificate = x509.load_der_x509_certificate(make_tls_identity("relay-1", NOW).certificate_der)
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert [(one.critical, one.value) for one in certificate.extensions] == [
        (True, x509.BasicConstraints(ca=False, path_length=None)),
        (True, x509.KeyUsage(True, *[False] * 8)),
        (False, x509.SubjectAlternativeName([x509.DNSName("relay-1.hotline.invalid")])),
        (False, x509.ExtendedKeyUsage(usage)),
    ]
    assert validity_ms(make_tls_identity("relay-1", NOW).certificate_der) == (NOW - 2 * DAY, NOW + 3_651 * DAY)
