"""C2SP signed notes: text, a blank line, one signature per line. One spelling only (c2sp.org/signed-note)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hotline.crypto.signing import SigningKey, check_public_key, verify_raw
from hotline.errors import Malformed, Untrusted

ED25519: Final = b"\x01"
SIGNATURES_MAX: Final = 64
NOTE_BYTES_MAX: Final = 1_048_576
_DASH: Final = "\u2014 "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NO_NAME: Final = re.compile(r"[+\s\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who, which of their keys, and the signature bytes."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """The line without its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; nothing in it is verified. `text` ends in a newline."""

    text: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The note's one spelling."""
        return self.text + b"\n" + "".join(f"{signature.line()}\n" for signature in self.signatures).encode()


class Signer(Protocol):
    """Signs the text of a note."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...

    def sign(self, text: bytes) -> bytes:
        """The signature bytes that follow the key id."""
        ...


class Verifier(Protocol):
    """Knows one key, given from outside."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raises Untrusted unless `signature` holds over `text`."""
        ...


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note of which at least one signature was verified."""

    text: bytes
    verified: tuple[Signature, ...]
    unknown: tuple[Signature, ...]


def key_id(name: str, algorithm: bytes, public: bytes) -> bytes:
    """The first four bytes of SHA-256(name, newline, algorithm, key)."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public).digest()[:4]


def check_name(name: str) -> None:
    """Raises Malformed unless `name` can name a key: not empty, no plus sign, no space of any kind, writable."""
    if not name or _NO_NAME.search(name):
        raise Malformed("key-name", name[:64])
    if any("\ud800" <= character <= "\udfff" for character in name):  # as a command line gives bytes that are no UTF-8
        raise Malformed("key-name", "not UTF-8")


def decode_base64(text: str) -> bytes:
    """Standard base64 with padding in its one spelling. Raises Malformed."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("base64") from error
    if base64.b64encode(data).decode() != text:
        raise Malformed("base64", "not the canonical spelling")
    return data


class Ed25519Signer:
    """Signs notes with an Ed25519 key (type 01)."""

    def __init__(self, name: str, key: SigningKey) -> None:
        check_name(name)
        self.name = name
        self.key_id = key_id(name, ED25519, key.public)
        self._key = key

    def sign(self, text: bytes) -> bytes:
        """64 bytes over `text` as it is."""
        return self._key.sign_raw(text)


class Ed25519Verifier:
    """Verifies notes with an Ed25519 key (type 01)."""

    def __init__(self, name: str, public: bytes) -> None:
        check_name(name)
        check_public_key(public)
        self.name = name
        self.public = public
        self.key_id = key_id(name, ED25519, public)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Raises Untrusted."""
        verify_raw(self.public, signature, text)

    def vkey(self) -> str:
        """The C2SP verifier key."""
        return spell_vkey(self, ED25519 + self.public)


def spell_vkey(verifier: Verifier, key: bytes) -> str:
    """The C2SP verifier key of `verifier`; `key` is its type and its public key."""
    return f"{verifier.name}+{verifier.key_id.hex()}+{base64.b64encode(key).decode()}"


def split_vkey(text: str) -> tuple[str, bytes, str]:
    """(name, type and key, key id in hex) of a C2SP verifier key. Raises Malformed; the key id is not compared."""
    name, plus, rest = text.partition("+")
    identifier, second_plus, encoded = rest.partition("+")
    if not plus or not second_plus:
        raise Malformed("vkey", "not a verifier key")
    return name, decode_base64(encoded), identifier


def check_vkey(verifier: Verifier, identifier: str) -> None:
    """Raises Malformed unless the key id of a verifier key belongs to its key."""
    if identifier != verifier.key_id.hex():
        raise Malformed("vkey", "the key id does not belong to the key")


def parse_vkey(text: str) -> Ed25519Verifier:
    """The key of a log from its C2SP encoding. Raises Malformed or Untrusted."""
    name, key, identifier = split_vkey(text)
    if key[:1] != ED25519 or len(key) != 33:
        raise Malformed("vkey", "not an Ed25519 verifier key")
    verifier = Ed25519Verifier(name, key[1:])
    check_vkey(verifier, identifier)
    return verifier


def parse_note(data: bytes) -> Note:
    """Split a note into text and signatures. Raises Malformed."""
    if len(data) > NOTE_BYTES_MAX:
        raise Malformed("too-long", f"note of {len(data)} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("note", "not UTF-8") from error
    if _CONTROL.search(text):
        raise Malformed("note", "a control character")
    cut = text.rfind("\n\n")
    if cut < 0 or not text.endswith("\n") or cut + 2 == len(text):
        raise Malformed("note", "no signatures: cut off, or a file of another kind; name the right one")
    lines = text[cut + 2 : -1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise Malformed("note", f"{len(lines)} signatures")
    return Note(text[: cut + 1].encode(), tuple(_parse_line(line) for line in lines))


def _parse_line(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise Malformed("note", "a line that is not a signature")
    name, space, encoded = line[len(_DASH) :].partition(" ")
    check_name(name)
    value = decode_base64(encoded)
    if not space or len(value) < 5:
        raise Malformed("note", "a signature that is too short")
    return Signature(name, value[:4], value[4:])


def sign_note(text: bytes, signers: Sequence[Signer]) -> bytes:
    """`text` (ending in a newline) with one signature per signer."""
    if not text.endswith(b"\n"):
        raise ValueError("the text of a note ends in a newline")
    return Note(text, tuple(Signature(s.name, s.key_id, s.sign(text)) for s in signers)).encode()


def open_note(data: bytes, verifiers: Sequence[Verifier]) -> OpenedNote:
    """Verify a note with the given keys. Raises Malformed or Untrusted.

    Signatures by other keys are passed over; one by a given key that fails refuses the whole note; a note that no
    given key signed is Untrusted('unverified').
    """
    note = parse_note(data)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    verified: dict[tuple[str, bytes], Signature] = {}
    unknown = []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            unknown.append(signature)
            continue
        if (signature.name, signature.key_id) in verified:
            raise Malformed("note", "two signatures by one key")
        verifier.verify(note.text, signature.value)
        verified[signature.name, signature.key_id] = signature
    if not verified:
        raise Untrusted("unverified", "no signature by a key that was given")
    return OpenedNote(note.text, tuple(verified.values()), tuple(unknown))
