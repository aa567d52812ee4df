"""An independent opener of sealed envelopes, written from docs/protocol.md on PyCryptodome. Imports nothing of ours."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from Crypto.Cipher import ChaCha20_Poly1305
from Crypto.Protocol import HPKE
from Crypto.PublicKey import Hybrid

SUITE = b"HL1_XWING_CHACHA20POLY1305_SHA256_ED25519"
HEADER, OPENER, TAG, COMMITMENT = 22, 1168, 4, 32


def pae(label: str, *parts: bytes) -> bytes:
    """Clause 2.2."""
    joined = b"HLv1"
    for part in (label.encode(), *parts):
        joined += b" " + str(len(part)).encode() + b" " + part
    return joined


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256."""
    return expand(hmac.digest(salt, ikm, "sha256"), info, length)


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 section 2.3."""
    output = block = b""
    counter = 1
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes((counter,)), "sha256")
        output += block
        counter += 1
    return output[:length]


@dataclass
class Chains:
    """Clause 7.5: both chain keys of an epoch, each at its next number."""

    durable: bytes
    transient: bytes


def open_epoch(
    seed: bytes, pairwise: bytes, charter: bytes, ends: tuple[int, int], plane: str, prekey: bytes, envelope: bytes
) -> tuple[bytes, Chains]:
    """Clause 7.3: the secret and the chains that the opener in `envelope` gives to the holder of `seed`."""
    epoch_id = envelope[6:18]
    assert envelope[HEADER : HEADER + TAG] == prekey[:TAG]
    opener = envelope[HEADER + TAG : HEADER + TAG + OPENER]
    both = ends[0].to_bytes(2, "big") + ends[1].to_bytes(2, "big")
    info = pae("hotline/v1/epoch", SUITE, plane.encode(), charter, both, epoch_id, prekey)
    key = Hybrid.generate(param_set=Hybrid.MLKEM768_X25519, randfunc=lambda size: seed[:size])
    cipher = HPKE.new(receiver_key=key, aead_id=HPKE.AEAD.CHACHA20_POLY1305, enc=opener[:1120], info=info)
    secret = cipher.unseal(opener[1120:])
    roots = hkdf(pairwise, secret, info + hashlib.sha256(opener).digest(), 64)
    return secret, Chains(roots[:32], roots[32:])


def open_next(chains: Chains, envelope: bytes) -> tuple[int, bytes, bytes]:
    """Clauses 6.2, 7.4, 7.5: (type, content, signature) of the next envelope of its chain."""
    header, rest = envelope[:HEADER], envelope[HEADER:]
    if header[1] & 0x01:
        rest = rest[TAG + OPENER :]
    name = "transient" if header[1] & 0x02 else "durable"
    chain = getattr(chains, name)
    material = expand(chain, b"hotline/v1/msg", 76)
    setattr(chains, name, hmac.digest(chain, b"hotline/v1/chain", "sha256"))
    assert rest[:COMMITMENT] == material[44:]
    cipher = ChaCha20_Poly1305.new(key=material[:32], nonce=material[32:44])
    cipher.update(header + rest[:COMMITMENT])
    inner = cipher.decrypt_and_verify(rest[COMMITMENT:-16], rest[-16:])
    length = int.from_bytes(inner[1:4], "big")
    assert not any(inner[4 + length + 64 :])
    return inner[0], inner[4 : 4 + length], inner[4 + length : 4 + length + 64]
