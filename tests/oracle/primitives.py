"""The primitives of docs/protocol.md on PyCryptodome: PAE, HKDF, Ed25519, composite signatures, X-Wing with HPKE."""

from __future__ import annotations

import hashlib
import hmac

from Crypto.Protocol import HPKE
from Crypto.PublicKey import ECC, MLDSA, Hybrid
from Crypto.Signature import eddsa, mldsa

SUITE = b"HL1_XWING_CHACHA20POLY1305_SHA256_ED25519"
OPENER = 1168
_ENCAPSULATED = 1120
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_BASE = ECC.construct(curve="Ed25519", seed=bytes(32)).pointQ.point_at_infinity()
_GENERATOR = ECC.EccPoint(
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
    "Ed25519",
)
_COMPOSITE_KEY, _COMPOSITE_SIGNATURE = 1952, 3309
_COMPOSITE_LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"


class Refused(Exception):
    """What an implementation refuses, by the word of docs/protocol.md 15.1; empty where that section gives none."""

    def __init__(self, word: str = "") -> None:
        super().__init__(word)
        self.word = word


def need(holds: object, word: str = "") -> None:
    """Raises Refused(word) unless `holds`."""
    if not holds:
        raise Refused(word)


def pae(label: str, *parts: bytes) -> bytes:
    """Clause 2.2."""
    joined = b"HLv1"
    for part in (label.encode(), *parts):
        joined += b" " + str(len(part)).encode() + b" " + part
    return joined


def sha256(data: bytes) -> bytes:
    """H of clause 2.1."""
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(key, data, "sha256")


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 section 2.3."""
    output = block = b""
    counter = 1
    while len(output) < length:
        block = mac(key, block + info + bytes((counter,)))
        output += block
        counter += 1
    return output[:length]


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256; no salt is a salt of zeros."""
    return expand(mac(salt or bytes(32), ikm), info, length)


# --- Ed25519 by libsodium's rules (clause 5.2) -----------------------------------------------------------------------


def _point(encoded: bytes) -> ECC.EccPoint | None:
    """The point of a canonical encoding, or None."""
    number = int.from_bytes(encoded, "little")
    y, sign = number % 2**255, number >> 255
    if len(encoded) != 32 or y >= _P or (sign and y in (1, _P - 1)):
        return None
    try:
        return eddsa.import_public_key(encoded).pointQ
    except ValueError:
        return None


def _encoded(point: ECC.EccPoint) -> bytes:
    return (int(point.y) | (int(point.x) & 1) << 255).to_bytes(32, "little")


def _small(point: ECC.EccPoint) -> bool:
    return bool((point * 8).is_point_at_infinity())


def is_signing_key(public: bytes) -> bool:
    """Whether this is a canonical point of the prime-order subgroup."""
    point = _point(public)
    return point is not None and not _small(point) and bool((point * _ORDER).is_point_at_infinity())


def signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether libsodium would say that `public` signed: canonical S, no small order, R compared byte by byte."""
    key, scalar = _point(public), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or _small(key) or scalar >= _ORDER:
        return False
    commitment = _point(signature[:32])
    if commitment is None or _small(commitment):
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _ORDER
    return _encoded(_GENERATOR * scalar + (-key) * challenge) == signature[:32]


def sign(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    """(public key, signature) of an Ed25519 seed."""
    key = eddsa.import_private_key(seed)
    return key.public_key().export_key(format="raw"), bytes(eddsa.new(key, "rfc8032").sign(message))


def signed_composite(public: bytes, signature: bytes, message: bytes, context: bytes) -> bool:
    """Clause 5.1: whether both halves of an `id-MLDSA65-Ed25519-SHA512` signature hold."""
    if len(public) != _COMPOSITE_KEY + 32 or len(signature) != _COMPOSITE_SIGNATURE + 64:
        return False
    both = b"CompositeAlgorithmSignatures2025" + _COMPOSITE_LABEL + bytes((len(context),)) + context
    both += hashlib.sha512(message).digest()
    lattice = signature[:_COMPOSITE_SIGNATURE]
    if not signed_mldsa(MLDSA.ML_DSA_65, public[:_COMPOSITE_KEY], lattice, both, _COMPOSITE_LABEL):
        return False
    return signed(public[_COMPOSITE_KEY:], signature[_COMPOSITE_SIGNATURE:], both)


def signed_mldsa(kind: MLDSA.ParamSet, public: bytes, signature: bytes, message: bytes, context: bytes = b"") -> bool:
    """Whether an ML-DSA signature holds."""
    try:
        mldsa.new(MLDSA.construct(param_set=kind, pk=public), context=context).verify(message, signature)
    except ValueError:
        return False
    return True


# --- X-Wing and HPKE (clause 7.3) ------------------------------------------------------------------------------------


def unseal(seed: bytes, opener: bytes, info: bytes) -> bytes:
    """The secret in an opener. Raises Refused('not-opened')."""
    key = Hybrid.generate(param_set=Hybrid.MLKEM768_X25519, randfunc=lambda size: seed[:size])
    try:
        cipher = HPKE.new(receiver_key=key, aead_id=HPKE.AEAD.CHACHA20_POLY1305, enc=opener[:_ENCAPSULATED], info=info)
        return bytes(cipher.unseal(opener[_ENCAPSULATED:]))
    except ValueError as error:
        raise Refused("not-opened") from error


def sealable(public: bytes) -> bool:
    """Clause 7.10: whether a public key can be sealed to."""
    try:
        key = Hybrid.HybridKey(param_set=Hybrid.MLKEM768_X25519, pk=public)
        HPKE.new(receiver_key=key, aead_id=HPKE.AEAD.CHACHA20_POLY1305)
    except ValueError:
        return False
    return True
