"""A bundle: what a courier carries from one terminal to another (docs/protocol.md section 17).

What is in it is sealed and signed by itself, as on any path. The signature around it says that nothing was left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hotline.crypto.signing import SIGNATURE_SIZE, SigningKey, verify
from hotline.errors import Malformed, Untrusted
from hotline.limits import BUNDLE_BYTES_MAX, BUNDLE_ENVELOPES_MAX, ENVELOPE_BYTES_MAX, TIME_MAX
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import bundle_pb2, content_pb2

MAGIC: Final = b"hotline-courier/1\n"
_LABEL: Final = "hotline/v1/courier"
_CHARTER_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is whole. Whether its sender made it is for `verify_bundle` to say."""

    charter: bytes
    sender: int
    recipient: int
    made_ms: int
    prekey: content_pb2.SignedPrekey
    envelopes: tuple[bytes, ...]
    body: bytes
    signature: bytes


def bundle_name(data: bytes) -> bytes:
    """What a bundle file is called in ledgers and on manifests: its SHA-256."""
    return hashlib.sha256(data).digest()


def encode_bundle(key: SigningKey, body: bundle_pb2.BundleBody) -> bytes:
    """The file."""
    content = encode(body)
    signature = key.sign(_LABEL, *_ends(body.charter, body.from_terminal, body.to_terminal), content)
    return MAGIC + encode(bundle_pb2.Bundle(body=content, signature=signature))


def read_bundle(data: bytes) -> Bundle:
    """Parse a bundle file. Raises Malformed."""
    if not data.startswith(MAGIC):
        raise Malformed("version", "not a courier bundle of this version")
    outer = decode(bundle_pb2.Bundle, data[len(MAGIC) :], BUNDLE_BYTES_MAX)
    body = decode(bundle_pb2.BundleBody, outer.body, BUNDLE_BYTES_MAX)
    if len(body.charter) != _CHARTER_SIZE or body.from_terminal == body.to_terminal:
        raise Malformed("address", "a bundle that names no charter or no two terminals")
    if max(body.from_terminal, body.to_terminal) > 0xFFFF or body.made_ms > TIME_MAX:
        raise Malformed("field-length", "a terminal or a time that is none")
    if len(body.envelope) > BUNDLE_ENVELOPES_MAX or any(len(one) > ENVELOPE_BYTES_MAX for one in body.envelope):
        raise Malformed("too-long", f"{len(body.envelope)} envelopes")
    if len(outer.signature) != SIGNATURE_SIZE:
        raise Malformed("signature", "wrong length")
    return Bundle(
        body.charter,
        body.from_terminal,
        body.to_terminal,
        body.made_ms,
        body.prekey,
        tuple(body.envelope),
        outer.body,
        outer.signature,
    )


def verify_bundle(bundle: Bundle, public: bytes) -> None:
    """Raises Untrusted unless the terminal with this key made exactly this bundle."""
    try:
        verify(public, bundle.signature, _LABEL, *_ends(bundle.charter, bundle.sender, bundle.recipient), bundle.body)
    except Untrusted as error:
        raise Untrusted("signature", "the bundle is not as its sender made it") from error


def open_bundle(data: bytes, charter: bytes, senders: Mapping[int, bytes], recipient: int) -> Bundle:
    """A bundle that one of `senders`, whose keys these are, made for `recipient`. Raises Malformed or Untrusted."""
    bundle = read_bundle(data)
    public = senders.get(bundle.sender)
    if public is None or (bundle.charter, bundle.recipient) != (charter, recipient):
        raise Malformed("address", "the bundle is for another terminal, another peer or another charter")
    verify_bundle(bundle, public)
    return bundle


def _ends(charter: bytes, sender: int, recipient: int) -> tuple[bytes, bytes]:
    return charter, sender.to_bytes(2, "big") + recipient.to_bytes(2, "big")
