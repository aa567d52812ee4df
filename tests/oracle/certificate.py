"""A transport certificate as the charter pins it (docs/protocol.md 5.2): enough of X.509 for the one kind there is."""

from __future__ import annotations

from dataclasses import dataclass

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

from tests.oracle.primitives import Refused, need

_ECDSA_SHA256 = bytes.fromhex("06082a8648ce3d040302")
_EC_P256 = bytes.fromhex("06072a8648ce3d020106082a8648ce3d030107")
_ALTERNATIVE_NAME = bytes.fromhex("0603551d11")


@dataclass(frozen=True)
class Certificate:
    """Its one DNS name, its public key (DER), and the days between which it holds."""

    name: str
    key: bytes
    first: str
    last: str


def _items(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """(tag, content, whole) of each DER item in a row. Raises Refused."""
    made, at = [], 0
    while at < len(data):
        begin = at
        need(len(data) >= at + 2)
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            need(0 < count <= 3 and len(data) >= at + count and data[at])
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
            need(length >= 0x80 and (count == 1 or length >= 1 << 8 * (count - 1)))
        need(len(data) >= at + length)
        made.append((tag, data[at : at + length], data[begin : at + length]))
        at += length
    return made


def _one(data: bytes) -> bytes:
    """The content of the one SEQUENCE that `data` is."""
    found = _items(data)
    need(len(found) == 1 and found[0][0] == 0x30)
    return found[0][1]


def read_certificate(data: bytes) -> Certificate:
    """A self-signed certificate of a secp256r1 key with one DNS name. Raises Refused."""
    parts = _items(_one(data))
    need(len(parts) == 3 and parts[1][1] == _ECDSA_SHA256 and parts[2][1][:1] == b"\0")
    fields = [item for item in _items(parts[0][1]) if item[0] != 0xA0]
    need(len(fields) >= 6)
    _, algorithm, issuer, validity, subject, key = fields[:6]
    need(algorithm[1] == _ECDSA_SHA256 and issuer[2] == subject[2])
    need(_items(key[1])[0][1] == _EC_P256)
    try:
        DSS.new(ECC.import_key(key[2]), "fips-186-3", encoding="der").verify(SHA256.new(parts[0][2]), parts[2][1][1:])
    except ValueError as error:
        raise Refused from error
    names = []
    for tag, content, _ in _items(parts[0][1]):
        if tag == 0xA3:
            for _, extension, _ in _items(_one(content)):
                if extension.startswith(_ALTERNATIVE_NAME):
                    names = [name.decode() for kind, name, _ in _items(_one(_items(extension)[-1][1])) if kind == 0x82]
    need(len(names) == 1)
    first, last = (_day(tag, text.decode()) for tag, text, _ in _items(validity[1]))
    return Certificate(names[0], key[2], first, last)


def _day(tag: int, text: str) -> str:
    """YYYY-MM-DD of a UTCTime or a GeneralizedTime."""
    if tag == 0x17:
        text = ("19" if text >= "5" else "20") + text
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
