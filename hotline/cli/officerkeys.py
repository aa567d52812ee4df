"""The key with which an officer signs: in a file sealed by a passphrase, or in a token behind a PIN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from hotline.charter.cards import Role
from hotline.charter.ceremony import certify_officer
from hotline.cli.artefacts import SECRET_MODE, Artefact, entropy, now_ms, read_passphrase, unsealed, write_all
from hotline.crypto.identity import IdentityKey
from hotline.crypto.signing import SigningKey
from hotline.crypto.vault import name_in, open_secret
from hotline.errors import KeyFileError
from hotline.files import naming, read_secret
from hotline.protocol.release import Signer
from hotline.token import POSSESSION, TokenKey, TokenSession, logged_in, names_token

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_IDENTIFIER_SIZE = 16
_PUBLIC = (".card", ".pub")

secret_option = click.option(
    "--passphrase-file",
    "--pin-file",
    "passphrase_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Passphrase of the key file, or PIN of the token that it names, else it is asked for.",
)


class OfficerKey(NamedTuple):
    """Whose key it is, and what signs with it."""

    party: str
    name: str
    signer: Signer


def officer_file(path: Path) -> bytes:
    """The key file of an officer, not yet opened: no question and no passphrase goes ahead. Raises KeyFileError."""
    if path.suffix in _PUBLIC:
        raise KeyFileError(f"{path}: public, and no key; name the .key file that was made with it")
    data = read_secret(path)
    if not names_token(data):
        naming(path, lambda: name_in(data, "officer"))
    return data


@contextmanager
def officer_key(path: Path, secret_file: Path | None) -> Iterator[OfficerKey]:
    """The key of an officer's key file, wherever it lies; of use within the block. Raises KeyFileError."""
    data = officer_file(path)
    with ExitStack() as stack:
        if names_token(data):
            holder, signer = naming(path, lambda: _in_token(stack, TokenKey.read(data), secret_file))
        else:
            holder, signer = _in_file(path, data, secret_file)
        party, _, name = holder.partition("/")
        if not name:
            raise KeyFileError(f"{path}: damaged: it does not say whose key it is")
        yield OfficerKey(party, name, signer)


def _in_token(stack: ExitStack, where: TokenKey, pin_file: Path | None) -> tuple[str, Signer]:
    session = stack.enter_context(logged_in(where.module, where.token, where.serial, _ask(pin_file)))
    return where.name, session.signer(where.key, where.public)


def _in_file(path: Path, data: bytes, passphrase_file: Path | None) -> tuple[str, Signer]:
    def load(passphrase: bytes | None) -> tuple[str, bytes]:
        return naming(path, lambda: open_secret(data, "officer", passphrase))

    holder, seed = unsealed(path, data, passphrase_file, load)
    if len(seed) != 32:
        raise KeyFileError(f"{path}: damaged: it does not hold an officer's key")
    return holder, SigningKey(seed)


def _ask(pin_file: Path | None) -> Callable[[str], bytes]:
    return partial(read_passphrase, pin_file, word="PIN", option="--pin-file")


class Place(NamedTuple):
    """Where in a token a new officer's key is to be, or is."""

    module: Path
    token: str
    serial: str = ""
    key: str = ""
    existing: bool = False


def place_options(command: CommandT) -> CommandT:
    """The options of a command that makes or finds a key in a token; they come as one argument, `place`."""
    options = (
        click.option(
            "--token", metavar="LABEL", help="Make the key in this PKCS#11 token, from which it never comes out."
        ),
        click.option("--module", metavar="FILE", help="With --token: the PKCS#11 library of the token's maker."),
        click.option("--serial", default="", help="With --token: the one of this serial, where two have one label."),
        click.option("--key-label", metavar="LABEL", default="", help="With --token: its name there."),
        click.option("--existing", is_flag=True, help="With --token: certify the key of that name, make none."),
        click.option("--pin-file", type=click.Path(path_type=Path), metavar="FILE", help="PIN of the token."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def place_of(
    token: str | None, module: str | None, serial: str, key_label: str, *, existing: bool, pin_file: Path | None
) -> Place | None:
    """Where the options say that the key shall be; None for a file. Raises UsageError if they do not fit together."""
    if token is None:
        if module or serial or key_label or existing or pin_file:
            raise click.UsageError("--module, --serial, --key-label, --existing and --pin-file go with --token LABEL")
        return None
    if module is None:
        raise click.UsageError("--token needs --module FILE, the PKCS#11 library of the token's maker")
    return Place(Path(module), token, serial, key_label, existing)


def certify_in_token(
    identity: IdentityKey,
    holder: tuple[str, str],
    roles: Sequence[Role],
    place: Place,
    pin_file: Path | None,
    out: Path,
) -> None:
    """Make or find the key of an officer in a token, and write its card and the file that says where it is.

    If anything fails, no file is left, and no key that was made here. Raises KeyFileError or ConfigError.
    """
    party, name = holder
    key = place.key or f"hotline {party}/{name}"
    with logged_in(str(place.module), place.token, place.serial, _ask(pin_file), write=not place.existing) as session:
        if not place.existing:
            session.make_key(key, entropy(_IDENTIFIER_SIZE))
        try:
            write_all(_certified(session, identity, holder, roles, place, key, out))
        except BaseException:
            if not place.existing:
                session.destroy(key)
            raise


def _certified(
    session: TokenSession,
    identity: IdentityKey,
    holder: tuple[str, str],
    roles: Sequence[Role],
    place: Place,
    key: str,
    out: Path,
) -> list[Artefact]:
    party, name = holder
    session.check_kept(key)
    signer = session.signer(key)
    # Whoever certifies a public key that its token does not sign for has an officer who is mute when it matters.
    signer.sign(POSSESSION, f"{party}/{name}".encode(), signer.public)
    card = certify_officer(identity, party, name, roles, signer.public, now_ms())
    where = TokenKey(f"{party}/{name}", str(place.module), session.label, session.serial, key, signer.public)
    stem = f"{party}.{name}.officer"
    note = f"no secret: it says that the key is in token {session.label}"
    return [Artefact(out / f"{stem}.key", where.file(), SECRET_MODE, note), Artefact(out / f"{stem}.card", card)]
