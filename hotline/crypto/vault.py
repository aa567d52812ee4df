"""Key files as values: a secret sealed by a passphrase (Argon2id), or plain for terminals that start unattended.

One JSON object in one spelling: `schema kind name kdf box`. Kind, name and KDF parameters are bound into the seal.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hotline.crypto.signing import pae
from hotline.crypto.storage import storage_open, storage_seal
from hotline.errors import KeyFileError
from hotline.machine import Entropy

SCHEMA: Final = "hotline.key/1"
FILE_BYTES_MAX: Final = 65_536
_PASSPHRASE_MAX: Final = 1_024
_MEMORY_KIB: Final = 65_536
_ITERATIONS: Final = 3
_LANES: Final = 4


def _spell(parts: dict[str, Any]) -> bytes:
    return (json.dumps(parts, sort_keys=True, indent=1) + "\n").encode("ascii")


def _label(kind: str, name: str, kdf: dict[str, Any]) -> str:
    bound = pae("hotline/v1/key-file", kind.encode(), name.encode(), json.dumps(kdf, sort_keys=True).encode())
    return bound.hex()


def _derive(passphrase: bytes, kdf: dict[str, Any]) -> bytes:
    if not passphrase:
        raise KeyFileError("an empty passphrase protects nothing; give one")
    if len(passphrase) > _PASSPHRASE_MAX:
        raise KeyFileError(f"a passphrase has at most {_PASSPHRASE_MAX} bytes")
    salt = bytes.fromhex(kdf["salt"])
    derivation = Argon2id(
        salt=salt, length=32, iterations=kdf["iterations"], lanes=kdf["lanes"], memory_cost=kdf["memory_kib"]
    )
    try:
        return derivation.derive(passphrase)
    except MemoryError as error:
        raise KeyFileError(f"opening this key file takes {kdf['memory_kib']} KiB of memory: free some") from error


def _check_names(kind: str, name: str) -> None:
    # Both are shown to people and bound as UTF-8: no control characters, nothing that has no encoding.
    if not (kind.isprintable() and name.isprintable()):
        raise KeyFileError("a key file has a kind and a name of printable characters")


def seal_secret(kind: str, name: str, secret: bytes, passphrase: bytes, entropy: Entropy) -> bytes:
    """The key file of `secret` under `passphrase`. Takes about 0.2 s and 64 MiB. Raises KeyFileError."""
    _check_names(kind, name)
    kdf: dict[str, Any] = {
        "iterations": _ITERATIONS,
        "lanes": _LANES,
        "memory_kib": _MEMORY_KIB,
        "name": "argon2id",
        "salt": entropy(16).hex(),
    }
    box = storage_seal(_derive(passphrase, kdf), _label(kind, name, kdf), secret, entropy)
    return _spell({"schema": SCHEMA, "kind": kind, "name": name, "kdf": kdf, "box": base64.b64encode(box).decode()})


def plain_secret(kind: str, name: str, secret: bytes) -> bytes:
    """The key file of `secret` without a passphrase; its protection is the file's mode. Raises KeyFileError."""
    _check_names(kind, name)
    box = base64.b64encode(secret).decode()
    return _spell({"schema": SCHEMA, "kind": kind, "name": name, "kdf": {"name": "none"}, "box": box})


def is_sealed(data: bytes) -> bool:
    """Whether a passphrase is needed. Raises KeyFileError."""
    return bool(_parse(data)["kdf"]["name"] == "argon2id")


def name_in(data: bytes, kind: str) -> str:
    """Whose a key file of this kind says that it is, before a passphrase is asked for. Raises KeyFileError."""
    return str(_of_kind(data, kind)["name"])


def open_secret(data: bytes, kind: str, passphrase: bytes | None = None) -> tuple[str, bytes]:
    """(name, secret) of a key file of this kind. Raises KeyFileError with what to do."""
    parts = _of_kind(data, kind)
    box = _decode(parts["box"])
    if parts["kdf"]["name"] == "none":
        return parts["name"], box
    if passphrase is None:
        raise KeyFileError("this key file is sealed: give its passphrase with --passphrase-file or at the prompt")
    key = _derive(passphrase, parts["kdf"])
    try:
        secret = storage_open(key, _label(kind, parts["name"], parts["kdf"]), box)
    except KeyFileError as error:
        raise KeyFileError("the passphrase does not open this key file, or the file is damaged") from error
    return parts["name"], secret


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise KeyFileError("not a key file: damaged") from error
    if base64.b64encode(data).decode() != text:
        raise KeyFileError("not a key file: damaged")
    return data


def _of_kind(data: bytes, kind: str) -> dict[str, Any]:
    parts = _parse(data)
    if parts["kind"] != kind:
        raise KeyFileError(f"this is a key file of kind {parts['kind']}, not {kind}: name the right file")
    return parts


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > FILE_BYTES_MAX:
        raise KeyFileError("not a key file: too long")
    try:
        parts = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise KeyFileError("not a key file: damaged or something else") from error
    if not isinstance(parts, dict) or set(parts) != {"schema", "kind", "name", "kdf", "box"}:
        raise KeyFileError("not a key file: damaged or something else")
    if parts["schema"] != SCHEMA:
        raise KeyFileError(
            "this key file was written by another version of the program: use that one or make a new key"
        )
    texts = all(isinstance(parts[field], str) for field in ("kind", "name", "box"))
    if not texts or not _lawful_kdf(parts["kdf"]) or _spell(parts) != data:
        raise KeyFileError("not a key file: damaged")
    _check_names(parts["kind"], parts["name"])
    return parts


def _lawful_kdf(kdf: object) -> bool:
    """A hostile file must not make us fill the memory: parameters are bounded."""
    if kdf == {"name": "none"}:
        return True
    if not isinstance(kdf, dict) or set(kdf) != {"name", "iterations", "lanes", "memory_kib", "salt"}:
        return False
    numbers = (kdf["iterations"], kdf["lanes"], kdf["memory_kib"])
    if kdf["name"] != "argon2id" or not all(type(number) is int for number in numbers):
        return False
    salt = kdf["salt"]
    lawful_salt = isinstance(salt, str) and len(salt) == 32 and all(digit in "0123456789abcdef" for digit in salt)
    iterations, lanes, memory = numbers
    return lawful_salt and 1 <= iterations <= 16 and 1 <= lanes <= 16 and 8 * lanes <= memory <= 1_048_576
