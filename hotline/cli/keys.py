"""`hotline key`: identity, terminal and officer keys. Secrets are in files or asked for, never on a command line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final, get_args

import click

from hotline.charter.cards import (
    IdentityCard,
    OfficerCard,
    PartyOffer,
    RelayCard,
    Role,
    TerminalCard,
    decode,
    open_identity_card,
    open_offer,
    open_officer_card,
    open_relay_card,
    open_terminal_card,
)
from hotline.charter.ceremony import (
    Claim,
    identity_fingerprint,
    make_identity_card,
    make_officer,
    make_terminal,
    read_claim,
)
from hotline.charter.documents import check_name
from hotline.charter.mandates import Mandate, make_mandate, open_mandate
from hotline.charter.model import load_charter
from hotline.charter.secrets import encode_secret
from hotline.cli.artefacts import (
    SECRET_MODE,
    Artefact,
    choose_passphrase,
    entropy,
    identity_of,
    identity_option,
    need_free,
    new_passphrase_option,
    now_ms,
    open_identity,
    out_folder_option,
    party_of,
    passphrase_option,
    print_identity,
    read_identity_card,
    write_all,
)
from hotline.cli.exits import Exit, leave
from hotline.cli.groups import Commands
from hotline.cli.officerkeys import certify_in_token, place_of, place_options
from hotline.cli.output import line, print_json
from hotline.cli.renewal import renew_command
from hotline.cli.trykey import try_
from hotline.crypto.fingerprint import digits, fingerprint, qr_text, words
from hotline.crypto.identity import IdentityKey
from hotline.crypto.tls import fingerprint as certificate_fingerprint
from hotline.crypto.vault import is_sealed, seal_secret
from hotline.errors import ConfigError, KeyFileError, Untrusted
from hotline.files import naming, read_public
from hotline.safetext import safe_line
from hotline.token import TokenKey, names_token

ROLES: Final[tuple[Role, ...]] = tuple(sorted(get_args(Role)))

file_argument = click.argument("file", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")


def _lawful_name(_: click.Context, parameter: click.Parameter, name: str) -> str:
    """A name that can stand in a charter, before a passphrase is asked for or a key is made."""
    check_name(f"--{parameter.name}", name)
    return name


@click.group(cls=Commands)
def key() -> None:
    """Identity, terminal and officer keys.

    \b
    1  hotline key init       once for a party; this key stays offline and certifies the others
    2  hotline key terminal   for each machine, on which the .key file lies then
    3  hotline key officer    for each officer, who keeps the .key file, or has the key in a token
       hotline charter offer  gathers the .card files for the other party

    \b
    What ends in .key (mode 0600) is for its owner alone; what ends in .pub or .card may be shown to anyone.
    """


key.add_command(renew_command)
key.add_command(try_)


@key.command()
@click.option("--party", required=True, callback=_lawful_name, help="Name of your party: ALPHA.")
@out_folder_option
@passphrase_option
@click.option("--qr", is_flag=True, help="Also draw the fingerprint as a QR code.")
def init(party: str, out: Path, passphrase_file: Path | None, qr: bool) -> None:
    """Make your party's identity key, sealed by a passphrase.

    \b
    Example:
      hotline key init --party ALPHA --out ceremony
    """
    files = [out / f"{party}.identity.{what}" for what in ("key", "pub")]
    need_free(*files)
    identity = IdentityKey.generate(entropy)
    card = make_identity_card(identity, party)
    passphrase = choose_passphrase(passphrase_file, f"the identity key of {party}", "--passphrase-file")
    sealed = seal_secret("identity", party, identity.seed, passphrase, entropy)
    write_all([Artefact(files[0], sealed, SECRET_MODE), Artefact(files[1], card)])
    print_identity(party, identity.public, qr=qr)


@key.command()
@identity_option
@click.option("--name", required=True, callback=_lawful_name, help="Name of the terminal: main.")
@out_folder_option
@passphrase_option
@click.option("--seal", is_flag=True, help="Seal the key file: a person must then start the daemon.")
@new_passphrase_option
def terminal(
    identity: Path, name: str, out: Path, passphrase_file: Path | None, seal: bool, new_passphrase_file: Path | None
) -> None:
    """Make the keys of a terminal and certify them.

    \b
    Example:
      hotline key terminal --identity ceremony/ALPHA.identity.key --name main --out ceremony
    """
    files = _new_files(out, identity, name, "terminal")
    party, identity_key = open_identity(identity, passphrase_file)
    secret, card = make_terminal(identity_key, party, name, entropy, now_ms())
    seal = seal or new_passphrase_file is not None
    what = f"the terminal key {party}/{name}"
    passphrase = choose_passphrase(new_passphrase_file, what, "--new-passphrase-file") if seal else None
    sealed = encode_secret(name, secret, passphrase, entropy)
    write_all([Artefact(files[0], sealed, SECRET_MODE), Artefact(files[1], card)])


def _new_files(out: Path, identity: Path, name: str, kind: str) -> list[Path]:
    """Key file and card that are to be made, before a passphrase is asked for. Raises ConfigError or KeyFileError."""
    party = party_of(identity)
    files = [out / f"{party}.{name}.{kind}.{what}" for what in ("key", "card")]
    need_free(*files)
    return files


def _roles(text: str) -> list[Role]:
    named = [part.strip() for part in text.split(",")]
    unknown = sorted(set(named) - set(ROLES))
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}: no such role; there are {', '.join(ROLES)}")
    return [role for role in ROLES if role in named]


@key.command()
@identity_option
@click.option("--name", required=True, callback=_lawful_name, help="Name of the officer or post: duty-1.")
@click.option("--roles", required=True, help=f"Separated by commas: {', '.join(ROLES)}.")
@out_folder_option
@passphrase_option
@new_passphrase_option
@place_options
def officer(
    identity: Path,
    name: str,
    roles: str,
    out: Path,
    passphrase_file: Path | None,
    new_passphrase_file: Path | None,
    pin_file: Path | None,
    **token: Any,
) -> None:
    """Make and certify an officer's key, in a file or a token.

    A file is sealed by a passphrase of the officer's own; out of a token the key never comes.

    \b
    Examples:
      hotline key officer --identity ceremony/ALPHA.identity.key --name duty-1 --roles duty,drafter --out ceremony
      hotline key officer --identity ceremony/ALPHA.identity.key --name release-1 --roles releaser --out ceremony \\
        --token ALPHA-release-1 --module /usr/lib/softhsm/libsofthsm2.so

    With --token (PKCS#11, extra `hsm`) the .key file holds no secret but says where the key is: give it wherever a
    command wants the officer's key, and have the token in. The PIN is asked for, or read from --pin-file, and tried
    once. On a machine whose library lies elsewhere, correct `module` in the file.
    """
    chosen, place = _roles(roles), place_of(**token, pin_file=pin_file)
    if place is not None and new_passphrase_file is not None:
        raise click.UsageError("a key in a token has a PIN and no passphrase: leave out --new-passphrase-file")
    if place is not None:
        party, identity_key = open_identity(identity, passphrase_file)
        certify_in_token(identity_key, (party, name), chosen, place, pin_file, out)
        return
    files = _new_files(out, identity, name, "officer")
    party, identity_key = open_identity(identity, passphrase_file)
    seed, card = make_officer(identity_key, party, name, chosen, entropy, now_ms())
    passphrase = choose_passphrase(new_passphrase_file, f"the officer key {party}/{name}", "--new-passphrase-file")
    sealed = seal_secret("officer", f"{party}/{name}", seed, passphrase, entropy)
    write_all([Artefact(files[0], sealed, SECRET_MODE), Artefact(files[1], card)])


@key.command()
@identity_option
@click.option("--officer", "card", type=click.Path(path_type=Path), required=True, metavar="CARD", help="Who may act.")
@click.option("--role", type=click.Choice(ROLES), required=True, help="As what.")
@click.option(
    "--charter", "charter_file", type=click.Path(path_type=Path), required=True, metavar="CHARTER", help="In force."
)
@click.option("--from", "first", required=True, metavar="DAY", help="The first day (UTC): 2026-11-18.")
@click.option("--until", required=True, metavar="DAY", help="The day on which it does not hold any more.")
@click.option("--grounds", required=True, help="Why; the other side reads it with every statement signed by it.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make.")
@passphrase_option
def mandate(
    identity: Path,
    card: Path,
    role: Role,
    charter_file: Path,
    first: str,
    until: str,
    grounds: str,
    out: Path,
    passphrase_file: Path | None,
) -> None:
    """Let an officer act in one more role for some days.

    The charter names the officer already, but the card does not have the role.

    \b
    Example:
      hotline key mandate --identity ceremony/ALPHA.identity.key --officer ceremony/ALPHA.duty-3.officer.card \\
        --role releaser --charter charter.note --from 2026-11-18 --until 2026-12-01 \\
        --grounds "Order 12: the releaser is abroad." --out ALPHA.duty-3.releaser.mandate

    The officer gives it with each signature: hotline draft sign --mandate. It cannot be called back before its last
    day, except by an amendment that retires the officer: make it short. It holds under this charter and its amendments.
    """
    charter = naming(charter_file, lambda: load_charter(read_public(charter_file)))
    party, identity_key = open_identity(identity, passphrase_file)
    if charter.party(party).identity != identity_key.public:
        raise Untrusted("identity", f"{identity}: not the identity key of {party} in {charter_file}")
    data = read_public(card)
    holder = naming(card, lambda: open_officer_card(data, identity_key.public))
    if charter.officer(party, holder.name).signing != decode(holder.signing):
        raise Untrusted("officer", f"{card}: the charter has another key of {party}/{holder.name}: use the newer card")
    write_all([Artefact(out, make_mandate(identity_key, holder, role, charter.founding, (first, until), grounds))])


@key.command()
@file_argument
@click.option("--qr", is_flag=True, help="Draw the fingerprint as a QR code.")
@json_option
def show(file: Path, qr: bool, as_json: bool) -> None:
    """Show what a public file claims.

    A .pub, a .card, an offer or a mandate; `hotline key verify` says whether it holds. Of an officer's .key file
    whose key is in a token: which token.

    \b
    Examples:
      hotline key show ALPHA.identity.pub --qr
      hotline key show ALPHA.main.terminal.card --json
    """
    data = read_public(file)
    claim = naming(file, lambda: TokenKey.read(data)) if names_token(data) else _claim(file, data)
    picture = _place(claim) if isinstance(claim, TokenKey) else _picture(claim)
    if as_json:
        print_json(picture)
        return
    if isinstance(claim, IdentityCard | PartyOffer):
        print_identity(claim.party, decode(claim.identity), qr=qr)
    for name, value in picture.items():
        if name not in ("schema", "fingerprint", "words", "code"):
            line(f"  {name:12} {safe_line(', '.join(value) if isinstance(value, list) else str(value), 256)}")
    after = "try" if isinstance(claim, TokenKey) else "verify"
    line(f"Not verified: this is what the file says of itself. Next: hotline key {after}")


def _claim(file: Path, data: bytes) -> Claim:
    """What a public file claims. Raises ConfigError for one that is not public, Malformed for anything else."""
    with suppress(KeyFileError):
        is_sealed(data)
        raise ConfigError(f"{file}: a key file, not a public one; name the .pub or .card that was made with it")
    return naming(file, lambda: read_claim(data))


def _place(where: TokenKey) -> dict[str, Any]:
    """Schema hotline.key-show/1."""
    party, _, name = where.name.partition("/")
    picture = {"schema": "hotline.key-show/1", "kind": "token-key", "party": party, "name": name}
    picture |= {"token": where.token, "serial": where.serial, "key": where.key, "module": where.module}
    return picture | {"signing": digits(fingerprint("signing", where.public))}


def _picture(claim: Claim) -> dict[str, Any]:
    """Schema hotline.key-show/1."""
    picture: dict[str, Any] = {"schema": "hotline.key-show/1", "kind": claim.schema_.split(".")[1].split("/")[0]}
    match claim:
        case IdentityCard() | PartyOffer():
            value = identity_fingerprint(decode(claim.identity))
            picture |= {"party": claim.party, "fingerprint": digits(value), "words": words(value)}
            picture["code"] = qr_text("identity", claim.party, value)
            if isinstance(claim, PartyOffer):
                picture |= {"terminals": len(claim.terminals), "officers": len(claim.officers)}
                picture["relays"] = len(claim.relays)
        case RelayCard():
            picture |= {"name": claim.name, "operator": claim.operator, "address": claim.address}
            picture["profile"] = claim.profile
        case Mandate():
            picture |= {"party": claim.party, "name": claim.officer, "role": claim.role, "grounds": claim.grounds}
            picture |= {"not_before": claim.not_before, "not_after": claim.not_after, "charter": claim.founding}
        case TerminalCard() | OfficerCard():
            picture |= {"party": claim.party, "name": claim.name}
            picture |= {"not_before": claim.not_before, "not_after": claim.not_after}
            if isinstance(claim, OfficerCard):
                picture["roles"] = list(claim.roles)
    if not isinstance(claim, IdentityCard | PartyOffer):
        picture["signing"] = digits(fingerprint("signing", decode(claim.signing)))
    if isinstance(claim, TerminalCard | RelayCard):
        picture["tls"] = certificate_fingerprint(decode(claim.tls))
    return picture


@key.command()
@file_argument
@click.option("--identity", type=click.Path(path_type=Path), metavar="PUB", help="Identity file of the party.")
@click.option("--scan", metavar="CODE", help="For an identity: what the QR code on paper says.")
def verify(file: Path, identity: Path | None, scan: str | None) -> None:
    """Check whether a public file holds.

    A card or mandate against its party's identity, an identity against a scanned code or a file that came another way.

    \b
    Examples:
      hotline key verify BRAVO.identity.pub --scan HOTLINE-FP:1:identity:BRAVO:5c1e...
      hotline key verify ALPHA.main.terminal.card --identity ALPHA.identity.pub

    Exit 0 if it holds, 4 if it does not, 10 for an identity that was compared with nothing.
    """
    data = read_public(file)
    if names_token(data):
        raise ConfigError(f"{file}: says where a key is, and claims nothing: hotline key try tries the key itself")
    claim = _claim(file, data)
    if isinstance(claim, IdentityCard | PartyOffer):
        naming(file, lambda: open_identity_card(data) if isinstance(claim, IdentityCard) else open_offer(data))
        _compare(file, claim, identity, scan)
    elif isinstance(claim, RelayCard):
        naming(file, lambda: open_relay_card(data))
        line(f"ok    {claim.name}: signed by its own key. A relay is not trusted with words.")
    else:
        if identity is None:
            raise click.UsageError("a card or mandate is verified against its party's identity: give --identity PUB")
        card = read_identity_card(identity)
        if card.party != claim.party:
            raise Untrusted("identity", f"{file} is one of {claim.party}, {identity} the identity of {card.party}")
        if isinstance(claim, Mandate):
            naming(file, lambda: open_mandate(data, identity_of(card)))
            holds = f"from {claim.not_before} until {claim.not_after}"
            line(f"ok    {claim.party}/{claim.officer} as {claim.role} {holds}: signed by the identity in {identity}")
            return
        opened = open_terminal_card if isinstance(claim, TerminalCard) else open_officer_card
        naming(file, lambda: opened(data, identity_of(card)))
        line(f"ok    {claim.party}/{claim.name}: certified by the identity in {identity}")


def _compare(file: Path, claim: IdentityCard | PartyOffer, identity: Path | None, scan: str | None) -> None:
    """Compare the identity in `claim` with what came by another way."""
    public = decode(claim.identity)
    if identity is not None and identity_of(read_identity_card(identity)) != public:
        raise Untrusted("identity", f"{file} and {identity} hold different identity keys: someone is in between")
    if scan is not None and scan.strip() != qr_text("identity", claim.party, identity_fingerprint(public)):
        raise Untrusted("identity", f"{file} is not the identity of the scanned code: someone is in between")
    print_identity(claim.party, public, qr=False)
    if identity is None and scan is None:
        leave(Exit.UNDECIDED, "The file is whole. Whose key it is, only a comparison says: --scan, or by voice.")
    line("ok    the same identity by both ways")
