"""What key files hold: typed secrets, and their bytes inside a key file of hotline.crypto.vault."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, fields
from typing import TypeVar

from hotline.crypto.vault import open_secret, plain_secret, seal_secret
from hotline.errors import KeyFileError
from hotline.machine import Entropy


@dataclass(frozen=True, slots=True, repr=False)
class TerminalSecret:
    """The keys of one terminal. `identity` is its party's public identity key: the anchor of the charter."""

    signing: bytes
    ledger: bytes
    storage: bytes
    tls_private_pem: bytes
    tls_certificate_der: bytes
    identity: bytes


@dataclass(frozen=True, slots=True, repr=False)
class RelaySecret:
    """The keys of one relay."""

    signing: bytes
    tls_private_pem: bytes
    tls_certificate_der: bytes


@dataclass(frozen=True, slots=True, repr=False)
class WitnessSecret:
    """The keys of one witness: seeds of an Ed25519 and of an ML-DSA-44 key."""

    signing: bytes
    post_quantum: bytes


AnySecret = TerminalSecret | RelaySecret | WitnessSecret
SecretT = TypeVar("SecretT", TerminalSecret, RelaySecret, WitnessSecret)
_KINDS: dict[type[AnySecret], str] = {TerminalSecret: "terminal", RelaySecret: "relay", WitnessSecret: "witness"}
_SEEDS = ("signing", "ledger", "storage", "post_quantum")
"""Fields that hold 32 bytes each, where a secret has them."""


def encode_secret(name: str, secret: AnySecret, passphrase: bytes | None, entropy: Entropy) -> bytes:
    """The key file, sealed if a passphrase is given."""
    parts = {field.name: base64.b64encode(getattr(secret, field.name)).decode() for field in fields(secret)}
    payload = json.dumps(parts, sort_keys=True).encode()
    kind = _KINDS[type(secret)]
    if passphrase is None:
        return plain_secret(kind, name, payload)
    return seal_secret(kind, name, payload, passphrase, entropy)


def decode_secret(kind: type[SecretT], data: bytes, passphrase: bytes | None) -> tuple[str, SecretT]:
    """(name, secret) of a key file. Raises KeyFileError."""
    name, payload = open_secret(data, _KINDS[kind], passphrase)
    try:
        parts = json.loads(payload)
        wanted = {field.name for field in fields(kind)}
        if set(parts) != wanted:
            raise KeyFileError("this key file holds other keys than expected: it is damaged or of another version")
        secret = kind(**{field: base64.b64decode(parts[field], validate=True) for field in wanted})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise KeyFileError("this key file is damaged") from error
    if any(len(getattr(secret, seed)) != 32 for seed in _SEEDS if seed in wanted):
        raise KeyFileError("this key file is damaged: a key has the wrong length")
    return name, secret
