"""Keys and randomness of the cases: made from names, so that every file can be made again byte for byte."""

from __future__ import annotations

import hashlib
from unittest.mock import patch

from Crypto.Protocol import HPKE
from Crypto.PublicKey import MLDSA, Hybrid
from Crypto.Signature import mldsa

from hotline.crypto.epochs import Binding, epoch_info, epoch_roots
from hotline.crypto.identity import IdentityKey
from hotline.crypto.sealing import KemKey, derive_message_key, next_chain_key, seal
from hotline.crypto.signing import SigningKey
from hotline.machine import Plane
from hotline.protocol.prekeys import prekey_hash
from hotline.protocol.statements import Ends, sign_content
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_OPENER, FLAG_TRANSIENT, Header
from hotline.wire.inner import ContentType, Inner, encode_inner
from hotline.wire.v1 import content_pb2

NOW = 1_795_000_000_000
ALPHA, BRAVO = 1, 2


def seed(name: str, size: int = 32) -> bytes:
    """The fixed bytes of this name."""
    return hashlib.shake_256(b"hotline test key, for nothing else: " + name.encode()).digest(size)


CHARTER, PAIRWISE = seed("charter hash"), seed("pairwise secret")
SIGNING = {"ALPHA": SigningKey(seed("signing key of ALPHA")), "BRAVO": SigningKey(seed("signing key of BRAVO"))}
PREKEY = KemKey(seed("prekey of BRAVO"))
OLD_PREKEY = KemKey(seed("older prekey of BRAVO"))
OUT = Ends(CHARTER, ALPHA, BRAVO)
BINDING = Binding(CHARTER, ALPHA, BRAVO, PAIRWISE)


def signed_prekey(party: str, key: KemKey, terminal: int, **changes: int | bytes) -> content_pb2.SignedPrekey:
    """A prekey as heartbeats announce it."""
    fields = {"generation": NOW // 1_000, "created_ms": NOW, "not_after_ms": NOW + 1_200_000}
    body = content_pb2.PrekeyBody(**{"public_key": key.public, **fields, **changes})  # type: ignore[arg-type]
    return resigned_prekey(party, encode(body), terminal)


def resigned_prekey(party: str, body: bytes, terminal: int) -> content_pb2.SignedPrekey:
    """Any body under a signature that holds."""
    signature = SIGNING[party].sign("hotline/v1/prekey", CHARTER, terminal.to_bytes(2, "big"), body)
    return content_pb2.SignedPrekey(body=body, signature=signature)


BRAVO_PREKEY = signed_prekey("BRAVO", PREKEY, BRAVO)
BRAVO_OLD_PREKEY = signed_prekey("BRAVO", OLD_PREKEY, BRAVO, generation=NOW // 1_000 - 600)
NAME = prekey_hash(CHARTER, BRAVO, BRAVO_PREKEY.body)
OLD_NAME = prekey_hash(CHARTER, BRAVO, BRAVO_OLD_PREKEY.body)


def fixed_opener(secret: bytes, key: KemKey, info: bytes, name: str) -> bytes:
    """An opener like any other, whose encapsulation draws on `name` instead of randomness."""
    public = Hybrid.generate(param_set=Hybrid.MLKEM768_X25519, randfunc=lambda size: key.seed[:size]).public_key()
    fixed = staticmethod(lambda to, _=None: to._encaps(seed(name, 64)))
    with patch.object(HPKE.HPKE_Cipher, "_encap_pq", fixed):
        cipher = HPKE.new(receiver_key=public, aead_id=HPKE.AEAD.CHACHA20_POLY1305, info=info)
    return bytes(cipher.enc + cipher.seal(secret))


class FixedIdentity:
    """An identity key of the cases: ML-DSA signs without drawing randomness (FIPS 204, deterministic variant)."""

    def __init__(self, name: str) -> None:
        self.key = IdentityKey(seed(f"identity of {name}", 64))
        self.public = self.key.public

    def sign(self, message: bytes, context: bytes) -> bytes:
        """As `IdentityKey.sign`."""
        label = b"COMPSIG-MLDSA65-Ed25519-SHA512"
        digest = hashlib.sha512(message).digest()
        both = b"CompositeAlgorithmSignatures2025" + label + bytes((len(context),)) + context + digest
        private = MLDSA.construct(param_set=MLDSA.ML_DSA_65, seed=self.key.seed[:32])
        lattice = bytes(mldsa.new(private, context=label, deterministic=True).sign(both))
        return lattice + SigningKey(self.key.seed[32:]).sign_raw(both)


def fixed_mldsa44(name: str) -> tuple[bytes, mldsa.MLDSASigScheme]:
    """(public key, signer) of an ML-DSA-44 key that draws no randomness."""
    private = MLDSA.construct(param_set=MLDSA.ML_DSA_44, seed=seed(name))
    return bytes(private.pk), mldsa.new(private, deterministic=True)


class Epoch:
    """One epoch from ALPHA to BRAVO with every key in the open."""

    def __init__(self, name: str, plane: Plane, key: KemKey = PREKEY, prekey: bytes = NAME) -> None:
        self.plane, self.prekey = plane, prekey
        self.id, self.secret = seed(f"epoch id {name}", 12), seed(f"epoch secret {name}")
        self.info = epoch_info(BINDING, plane, self.id, prekey)
        self.opener = fixed_opener(self.secret, key, self.info, f"encapsulation {name}")
        self.roots = epoch_roots(BINDING, self.secret, self.info, self.opener)

    def seal(self, plain: bytes, flags: int, number: int, *, to: int = BRAVO, sender: int = ALPHA) -> bytes:
        """The envelope of `plain` as it is, padded or not."""
        header = Header(flags, to, sender, self.id, number).encode()
        prefix = self.prekey[:4] + self.opener if flags & FLAG_OPENER else b""
        chain = self.roots.transient if flags & FLAG_TRANSIENT else self.roots.durable
        for _ in range(number):
            chain = next_chain_key(chain)
        return header + prefix + seal(derive_message_key(chain), header, plain)

    def content(self, kind: ContentType, content: bytes) -> Inner:
        """`content` signed by ALPHA."""
        return sign_content(SIGNING["ALPHA"], kind, self.plane, OUT, content)

    def send(self, kind: ContentType, content: bytes, flags: int, number: int) -> bytes:
        """The envelope of `content`."""
        return self.seal(encode_inner(self.content(kind, content), padded=True), flags, number)


def flip(data: bytes, at: int, bit: int = 1) -> bytes:
    """`data` with one bit turned."""
    at %= len(data)
    return data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
