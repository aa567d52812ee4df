"""Tokens of SoftHSM2 in a folder of the test, each with a PIN."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from hotline.token import TokenSession, logged_in

PIN: Final = "31415926"
FINAL_TRY: Final = 0x20000
LOCKED: Final = 0x40000
"""CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED of PKCS#11."""

_PLACES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib")
_FLAGS: Final = bytes.fromhex("000000008000534b 0000000000000002")
"""CKA_OS_TOKENFLAGS and the type of its value, as SoftHSM2 writes them into its files."""


class SoftHsm:
    """SoftHSM2 with its tokens under one folder. Tools and library find it by SOFTHSM2_CONF."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.library = library
        self.tokens = folder / "tokens"
        self.config = folder / "softhsm2.conf"
        self.pin = folder / "pin"
        self.tokens.mkdir(parents=True, exist_ok=True)
        self.configure()
        self.pin.write_text(f"{PIN}\n")
        self.pin.chmod(0o600)

    def configure(self, *lines: str) -> None:
        """Write the configuration, with further lines."""
        fixed = (f"directories.tokendir = {self.tokens}", "objectstore.backend = file", "log.level = ERROR")
        self.config.write_text("\n".join((*fixed, *lines, "")))

    def new_token(self, label: str) -> Path:
        """One more token; the folder in which it is."""
        before = set(self.tokens.iterdir())
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "27182818"],
            env={**os.environ, "SOFTHSM2_CONF": str(self.config)}, check=True, capture_output=True,
        )  # fmt: skip
        (made,) = set(self.tokens.iterdir()) - before
        return made

    def flag(self, token: Path, bits: int) -> None:
        """Let a token say what SoftHSM2, which never locks a PIN, would never say by itself."""
        file = token / "token.object"
        data = file.read_bytes()
        at = data.index(_FLAGS) + len(_FLAGS)
        value = int.from_bytes(data[at : at + 8], "big") | bits
        # The first number counts changes: a library that has read the file before reads it again.
        count = int.from_bytes(data[:8], "big") + 1
        file.write_bytes(count.to_bytes(8, "big") + data[8:at] + value.to_bytes(8, "big") + data[at + 8 :])

    @contextmanager
    def open(self, label: str) -> Iterator[TokenSession]:
        """A token, to be written to."""
        with logged_in(str(self.library), label, "", lambda _: PIN.encode(), write=True) as session:
            yield session


def import_key(session: TokenSession, key: str, seed: bytes, public: bytes | None, **kept: bool) -> None:
    """Put a private key into a token from outside, and a public key of the same label."""
    from pkcs11 import Attribute, KeyType, ObjectClass

    inner: Any = session._session
    curve = {Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.EC_PARAMS: bytes.fromhex("06032b6570")}
    common = {**curve, Attribute.LABEL: key, Attribute.TOKEN: True}
    if seed:
        private = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.SIGN: True, Attribute.VALUE: seed}
        inner.create_object(common | private | {Attribute[name]: value for name, value in kept.items()})
    if public is not None:
        point = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: b"\x04\x20" + public}
        inner.create_object(common | point)


def soft_hsm(folder: Path) -> SoftHsm:
    """SoftHSM2 for one test, or a reported skip where it is not installed."""
    found = [path for place in _PLACES for path in sorted(Path(place).glob("**/libsofthsm2.so"))[:1]]
    if not found or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed: nothing was signed in a token (apt install softhsm2)")
    return SoftHsm(folder, found[0])
