"""Files and passphrases of a ceremony: asked for once, written whole or not at all, never over another file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import click
import segno

from hotline.charter.cards import IdentityCard, decode, open_identity_card
from hotline.charter.ceremony import identity_fingerprint
from hotline.cli.output import line
from hotline.crypto.fingerprint import digits, qr_text, words
from hotline.crypto.identity import IdentityKey
from hotline.crypto.vault import is_sealed, name_in, open_secret
from hotline.errors import KeyFileError
from hotline.files import exists_already, make_folder, naming, read_public, read_secret, write_new

PASSPHRASE_MIN = 12
"""Characters of a new passphrase at least."""

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644

identity_option = click.option(
    "--identity", type=click.Path(path_type=Path), required=True, metavar="KEY", help="Identity key file of your party."
)
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Passphrase of the identity key, else it is asked for.",
)
new_passphrase_option = click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Passphrase of the new key file.",
)
out_folder_option = click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder for the new files."
)


class Artefact(NamedTuple):
    """A file to be."""

    path: Path
    data: bytes
    mode: int = PUBLIC_MODE
    note: str = ""
    """What people are told of it; that it is secret, if nothing else, where its mode says so."""


def write_all(artefacts: Sequence[Artefact]) -> None:
    """Create every file, or none. Raises ConfigError."""
    done: list[Path] = []
    try:
        for artefact in artefacts:
            make_folder(artefact.path.parent)
            write_new(artefact.path, artefact.data, artefact.mode)
            done.append(artefact.path)
    except BaseException:
        for path in done:
            path.unlink(missing_ok=True)
        raise
    for artefact in artefacts:
        note = artefact.note or ("secret" if artefact.mode == SECRET_MODE else "")
        line(f"wrote {artefact.path}{f'  ({note})' if note else ''}")


def need_free(*paths: Path) -> None:
    """Before a passphrase is typed or a question answered: what `write_all` would refuse. Raises ConfigError."""
    for path in paths:
        if os.path.lexists(path):
            raise exists_already(path)


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


ResultT = TypeVar("ResultT")


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty()


def _without_end(file: Path) -> bytes:
    """What stands in a passphrase file, without the ends of lines behind it, whatever program wrote them."""
    return read_secret(file).rstrip(b"\r\n")


def read_passphrase(
    file: Path | None, what: str, *, word: str = "passphrase", option: str = "--passphrase-file"
) -> bytes:
    """The passphrase (or PIN: `word`) that opens `what`: from a file of mode 0600, or asked for at a terminal."""
    if file is not None:
        return _without_end(file)
    if not can_ask():
        raise click.UsageError(f"no terminal to ask for the {word} of {what}: give {option}")
    return str(click.prompt(f"{word[0].upper()}{word[1:]} of {what}", hide_input=True, err=True)).encode()


def choose_passphrase(file: Path | None, what: str, option: str) -> bytes:
    """A new passphrase: from a file of mode 0600, or asked for twice. Raises KeyFileError if it is short."""
    if file is not None:
        chosen = _without_end(file)
    elif can_ask():
        asked = click.prompt(f"New passphrase of {what}", hide_input=True, confirmation_prompt=True, err=True)
        chosen = str(asked).encode()
    else:
        raise click.UsageError(f"no terminal to ask for the new passphrase of {what}: give {option}")
    if len(chosen.decode(errors="replace")) < PASSPHRASE_MIN:
        raise KeyFileError(f"the new passphrase of {what} is shorter than {PASSPHRASE_MIN} characters: choose a longer")
    return chosen


def unsealed(path: Path, data: bytes, passphrase_file: Path | None, load: Callable[[bytes | None], ResultT]) -> ResultT:
    """What `load` makes of the key file `data` with its passphrase, or with None where it needs none.

    Raises KeyFileError, and what `load` raises.
    """
    if not naming(path, lambda: is_sealed(data)):
        return load(None)
    passphrase = read_passphrase(passphrase_file, str(path))
    try:
        return load(passphrase)
    except KeyFileError:
        # Drafts before the first release took off one line feed alone, also when they sealed a key.
        former = passphrase if passphrase_file is None else read_secret(passphrase_file).removesuffix(b"\n")
        if former == passphrase:
            raise
        with suppress(KeyFileError):
            return load(former)
        raise


def party_of(identity: Path) -> str:
    """Whose an identity key file says that it is; no passphrase is asked for. Raises KeyFileError."""
    return naming(identity, lambda: name_in(read_secret(identity), "identity"))


def open_identity(path: Path, passphrase_file: Path | None) -> tuple[str, IdentityKey]:
    """(party, key) of an identity key file. Raises KeyFileError."""
    data = read_secret(path)
    naming(path, lambda: name_in(data, "identity"))

    def load(passphrase: bytes | None) -> tuple[str, bytes]:
        return naming(path, lambda: open_secret(data, "identity", passphrase))

    party, seed = unsealed(path, data, passphrase_file, load)
    try:
        return party, IdentityKey.from_seed(seed)
    except ValueError as error:
        raise KeyFileError(f"{path}: damaged: it does not hold an identity key") from error


def read_identity_card(path: Path) -> IdentityCard:
    """A verified identity card. Raises ConfigError, Malformed or Untrusted, naming the file."""
    data = read_public(path)
    return naming(path, lambda: open_identity_card(data))


def print_identity(party: str, identity: bytes, *, qr: bool) -> None:
    """The fingerprint as people compare it."""
    value = identity_fingerprint(identity)
    line(f"identity of {party}")
    groups = digits(value).split(" ")
    line(f"  fingerprint  {' '.join(groups[:6])}")
    line(f"               {' '.join(groups[6:])}")
    spoken = words(value)
    line(f"  in words     {' '.join(spoken[:8])}")
    line(f"               {' '.join(spoken[8:])}")
    line(f"  code         {qr_text('identity', party, value)}")
    if qr:
        segno.make(qr_text("identity", party, value), error="q", micro=False).terminal(out=sys.stdout, compact=True)


def identity_of(card: IdentityCard) -> bytes:
    """The public key in a card."""
    return decode(card.identity)


entropy = os.urandom
