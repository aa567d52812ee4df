"""Officers' keys in a PKCS#11 token: made there, used there, never outside it (docs/protocol.md 5.20 to 5.23).

The binding and the vendor's library are loaded when a token is used and not before. The library runs in this process
with the rights of the officer, which is why only an officer's own commands come here, and no daemon.
"""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hotline.crypto.signing import check_public_key, pae, verify_raw
from hotline.errors import ConfigError, KeyFileError, Untrusted
from hotline.files import ours_alone

if TYPE_CHECKING:
    import pkcs11

SCHEMA: Final = "hotline.token-key/1"
POSSESSION: Final = "hotline/v1/token-key"
"""Label of what a key signs before it is certified."""

_ED25519: Final = bytes.fromhex("06032b6570")
"""CKA_EC_PARAMS: the object identifier id-Ed25519 of RFC 8410, in DER."""
_POINT_PREFIX: Final = b"\x04\x20"
_TEXT_MAX: Final = 4_096

Ask = Callable[[str], bytes]
"""Gives the PIN of what it is told, from a person or a file."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What a token key file says: whose key it is, where it is, and which. It holds no secret."""

    name: str
    module: str
    token: str
    serial: str
    key: str
    public: bytes

    def file(self) -> bytes:
        """The file, in its only spelling."""
        parts = {**asdict(self), "schema": SCHEMA, "public": base64.b64encode(self.public).decode()}
        return (json.dumps(parts, sort_keys=True, indent=1) + "\n").encode("ascii")

    @classmethod
    def read(cls, data: bytes) -> TokenKey:
        """The content of a file. Raises KeyFileError."""
        parts = _json(data)
        if not isinstance(parts, dict) or set(parts) != {"schema", *(field.name for field in fields(cls))}:
            raise KeyFileError("not a token key file: damaged")
        if parts.pop("schema") != SCHEMA:
            raise KeyFileError("this token key file is of another version of the program: make it anew with that one")
        if not all(isinstance(text, str) and text.isprintable() and len(text) <= _TEXT_MAX for text in parts.values()):
            raise KeyFileError("not a token key file: damaged")
        try:
            found = cls(**{**parts, "public": base64.b64decode(parts["public"], validate=True)})
            check_public_key(found.public)
        except (ValueError, Untrusted) as error:
            raise KeyFileError("not a token key file: damaged") from error
        if found.file() != data:
            raise KeyFileError("not a token key file: damaged")
        return found


def names_token(data: bytes) -> bool:
    """Whether a key file says where a key is, and does not hold it."""
    parts = _json(data)
    return isinstance(parts, dict) and str(parts.get("schema")).startswith("hotline.token-key/")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        return None


class TokenSigner:
    """A key in a token. Every signature is verified, by libsodium, before it is given out."""

    __slots__ = ("_private", "_token", "public")

    def __init__(self, token: str, private: Any, public: bytes) -> None:
        self._token, self._private, self.public = token, private, public

    def sign(self, label: str, *parts: bytes) -> bytes:
        """64 bytes over `pae(label, *parts)`. Raises KeyFileError."""
        from pkcs11 import Mechanism

        message = pae(label, *parts)
        with _told(self._token):
            signature = bytes(self._private.sign(message, mechanism=Mechanism.EDDSA))
        try:
            verify_raw(self.public, signature, message)
        except Untrusted as error:
            raise KeyFileError(
                f"token {self._token}: what it signed does not hold under the key that was certified: do not use it"
            ) from error
        return signature


class TokenSession:
    """A token that has taken the PIN. Every method raises KeyFileError in one sentence with what to do."""

    def __init__(self, token: pkcs11.Token, session: pkcs11.Session) -> None:
        self._session, self._slot = session, token.slot
        self.label, self.serial = token.label, _serial(token)

    def make_key(self, key: str, identifier: bytes) -> None:
        """A new Ed25519 key pair called `key` that cannot be extracted. Raises ConfigError if the name is taken."""
        from pkcs11 import Attribute, KeyType, Mechanism

        with _told(self.label):
            if not {Mechanism.EC_EDWARDS_KEY_PAIR_GEN, Mechanism.EDDSA} <= self._slot.get_mechanisms():
                raise KeyFileError(f"token {self.label}: makes no Ed25519 keys: use another, or update its firmware")
            if [*self._objects("PRIVATE_KEY", key), *self._objects("PUBLIC_KEY", key)]:
                raise ConfigError(
                    f"token {self.label}: has a key {key} already: certify it with --existing, or give --key-label"
                )
            parameters = self._session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True
            )
            parameters.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                id=identifier,
                label=key,
                store=True,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )

    def signer(self, key: str, certified: bytes | None = None) -> TokenSigner:
        """The key called `key`; with `certified`, only if its public key is that one."""
        with _told(self.label):
            private = self._one("PRIVATE_KEY", key)
            public = self._public(key)
        if certified is not None and public != certified:
            raise KeyFileError(f"token {self.label}: its key {key} is another than the one that was certified")
        return TokenSigner(self.label, private, public)

    def check_kept(self, key: str) -> None:
        """Raises KeyFileError unless the token says that the key was never outside it and cannot be taken out."""
        from pkcs11 import Attribute, PKCS11Error

        wanted = {"SENSITIVE": True, "ALWAYS_SENSITIVE": True, "EXTRACTABLE": False, "NEVER_EXTRACTABLE": True}
        with _told(self.label):
            private = self._one("PRIVATE_KEY", key)
        for name, value in wanted.items():
            try:
                kept = private[Attribute[name]] is value
            except PKCS11Error:
                kept = False
            if not kept:
                raise KeyFileError(
                    f"token {self.label}: does not say {name} is {value} of its key {key}, so that a copy may be"
                    " elsewhere: let the token make a new one"
                )

    def destroy(self, key: str) -> None:
        """Take back a key that was made a moment ago and that nobody has certified."""
        with _told(self.label):
            for one in [*self._objects("PRIVATE_KEY", key), *self._objects("PUBLIC_KEY", key)]:
                one.destroy()

    def _objects(self, kind: str, key: str) -> list[Any]:
        from pkcs11 import Attribute, ObjectClass

        return list(self._session.get_objects({Attribute.CLASS: ObjectClass[kind], Attribute.LABEL: key}))

    def _one(self, kind: str, key: str) -> Any:
        found = self._objects(kind, key)
        what = kind.lower().replace("_", " ")
        if len(found) != 1:
            number = "no" if not found else str(len(found))
            raise KeyFileError(f"token {self.label}: has {number} {what} called {key}: one is needed; is it the right?")
        return found[0]

    def _public(self, key: str) -> bytes:
        from pkcs11 import Attribute

        point = bytes(self._one("PUBLIC_KEY", key)[Attribute.EC_POINT])
        public = point.removeprefix(_POINT_PREFIX) if len(point) == 34 else point
        try:
            check_public_key(public)
        except Untrusted as error:
            raise KeyFileError(f"token {self.label}: its key {key} is no Ed25519 key: make one") from error
        return public


@contextmanager
def logged_in(module: str, label: str, serial: str, ask: Ask, *, write: bool = False) -> Iterator[TokenSession]:
    """The token of this label and, if one is given, serial, for as long as the block lasts. The PIN is tried once."""
    library = _load(module)
    try:
        with _told(label):
            token = _find(library, label, serial)
            session = _login(token, ask, write=write)
        yield TokenSession(token, session)
    finally:
        # Ends the session and forgets the PIN; a token that is gone has nothing to forget.
        with suppress(Exception):
            library.finalize()


def _load(module: str) -> Any:
    try:
        import pkcs11
    except ImportError as error:
        raise KeyFileError(
            "a key in a token needs the package python-pkcs11: install hotline with its extra `hsm`"
        ) from error
    path = Path(module)
    if not path.is_absolute():
        raise KeyFileError(f"{module}: not an absolute path; name the PKCS#11 library of the token's maker in full")
    try:
        state = path.stat()
    except OSError as error:
        raise KeyFileError(
            f"{module}: no PKCS#11 library there ({error.strerror}); install it or correct it"
        ) from error
    if not stat.S_ISREG(state.st_mode) or not ours_alone(state, stat.S_IWGRP | stat.S_IWOTH):
        raise KeyFileError(
            f"{module}: others could exchange this library, which gets your PIN; chown and chmod go-w it"
        )
    try:
        return pkcs11.lib(module)
    except pkcs11.PKCS11Error as error:
        raise KeyFileError(
            f"{module}: no PKCS#11 library, or not set up for this user ({str(error) or type(error).__name__})"
        ) from error


def _serial(token: pkcs11.Token) -> str:
    return str(token.serial, "utf-8", "replace")


def _find(library: Any, label: str, serial: str) -> pkcs11.Token:
    from pkcs11 import TokenFlag

    present = [slot.get_token() for slot in library.get_slots(token_present=True)]
    tokens = [one for one in present if one.flags & TokenFlag.TOKEN_INITIALIZED]
    found = [one for one in tokens if one.label == label and serial in ("", _serial(one))]
    if not found:
        there = ", ".join(f"{one.label} (serial {_serial(one)})" for one in tokens) or "none"
        which = f" of serial {serial}" if serial else ""
        raise KeyFileError(f"no token {label}{which}: put it in and repeat; there is {there}")
    if len(found) > 1:
        serials = ", ".join(_serial(one) for one in found)
        raise KeyFileError(f"{len(found)} tokens are called {label}: name one with --serial ({serials})")
    token: pkcs11.Token = found[0]
    return token


def _login(token: pkcs11.Token, ask: Ask, *, write: bool) -> pkcs11.Session:
    from pkcs11 import PinIncorrect, PinInvalid, PinLenRange, PinLocked, TokenFlag

    locked = f"token {token.label}: its PIN is locked: unlock it with the PIN of the token's security officer"
    if token.flags & TokenFlag.USER_PIN_LOCKED:
        raise KeyFileError(f"{locked}; none was tried")
    pin = ask(f"token {token.label}{_warning(token.flags)}")
    try:
        text = pin.decode()
    except UnicodeDecodeError as error:
        raise KeyFileError(f"token {token.label}: a PIN is UTF-8 text; none was tried") from error
    if not text:
        raise KeyFileError(f"token {token.label}: an empty PIN; none was tried")
    try:
        return token.open(rw=write, user_pin=text)
    except PinLocked as error:
        raise KeyFileError(locked) from error
    except (PinIncorrect, PinInvalid, PinLenRange) as error:
        # As many tries as the token has, it has for the person: none is made here on its own.
        flags = token.slot.get_token().flags
        if flags & TokenFlag.USER_PIN_LOCKED:
            raise KeyFileError(locked) from error
        raise KeyFileError(f"token {token.label}: not its PIN; it was tried once{_warning(flags)}") from error


def _warning(flags: int) -> str:
    """What the token itself says of the tries that are left."""
    from pkcs11 import TokenFlag

    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return " (the token says: another wrong PIN locks it)"
    return ""


@contextmanager
def _told(token: str) -> Iterator[None]:
    """What the library says, as one sentence for a person. Raises KeyFileError."""
    import pkcs11

    gone = (
        pkcs11.DeviceRemoved,
        pkcs11.TokenNotPresent,
        pkcs11.SessionClosed,
        pkcs11.SessionHandleInvalid,
        pkcs11.ObjectHandleInvalid,
        pkcs11.KeyHandleInvalid,
        pkcs11.DeviceError,
        pkcs11.GeneralError,
    )
    try:
        yield
    except gone as error:
        word = type(error).__name__
        raise KeyFileError(f"token {token}: gone, or failing ({word}): put it in again and repeat") from error
    except (pkcs11.PKCS11Error, UnicodeDecodeError) as error:
        raise KeyFileError(
            f"token {token}: refuses ({type(error).__name__}{f': {error}' if str(error) else ''})"
        ) from error
