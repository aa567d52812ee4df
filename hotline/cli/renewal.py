"""`hotline key renew`: new dates for the cards of a party, under the same keys."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from hotline.charter.ceremony import day, renewed
from hotline.charter.model import load_charter
from hotline.charter.parts import Officer, Terminal
from hotline.cli.artefacts import (
    Artefact,
    identity_option,
    now_ms,
    open_identity,
    out_folder_option,
    passphrase_option,
    write_all,
)
from hotline.cli.expiries import STEPS, expiries
from hotline.cli.output import line
from hotline.errors import ConfigError, Untrusted
from hotline.files import naming, read_public

_KINDS: Final = {"terminal card": "terminal", "officer card": "officer"}


@click.command("renew")
@identity_option
@click.option(
    "--charter", "charter_file", type=click.Path(path_type=Path), required=True, metavar="CHARTER", help="In force."
)
@click.option("--leave-out", multiple=True, metavar="NAME", help="An officer or terminal that is not renewed.")
@click.option(
    "--within", type=click.IntRange(0), default=STEPS[-1], show_default=True, help="Days: what ends later stays."
)
@out_folder_option
@passphrase_option
def renew_command(
    identity: Path,
    charter_file: Path,
    leave_out: tuple[str, ...],
    within: int,
    out: Path,
    passphrase_file: Path | None,
) -> None:
    """Give cards of your party new dates, under the same keys.

    Those of the charter that have ended, or soon do.

    \b
    Examples:
      hotline key renew --identity ALPHA.identity.key --charter charter.note --out renewed
      hotline key renew --identity ALPHA.identity.key --charter charter.note --leave-out duty-3 --out renewed

    First ask of each officer whether the key is still in the right hands: who has lost it gets a new one, by hotline
    key officer. They hold once both parties have signed an amendment with them: hotline charter offer --amendment.
    Certificates last ten years and are not renewed. Exit 1 if nothing ends.
    """
    charter = naming(charter_file, lambda: load_charter(read_public(charter_file)))
    party, key = open_identity(identity, passphrase_file)
    if charter.party(party).identity != key.public:
        raise Untrusted("identity", f"{identity}: not the identity key of {party} in {charter_file}")
    holders: list[Terminal | Officer] = [*charter.terminals_of(party)]
    holders += [officer for officer in charter.officers if officer.party == party]
    unknown = sorted(set(leave_out) - {holder.name for holder in holders})
    if unknown:
        raise ConfigError(f"{party} has no terminal and no officer named {', '.join(unknown)}")
    now = now_ms()
    due = [one for one in expiries(charter, day(now)) if one.what in _KINDS and one.days <= within]
    ends = {(_KINDS[one.what], one.name.partition("/")[2]) for one in due if one.name.startswith(f"{party}/")}
    made = []
    for holder in holders:
        kind = "terminal" if isinstance(holder, Terminal) else "officer"
        if (kind, holder.name) in ends and holder.name not in leave_out:
            made.append(Artefact(out / f"{party}.{holder.name}.{kind}.card", renewed(key, holder, now)))
    if not made:
        raise ConfigError(f"no card of {party} ends within {within} days: nothing to renew")
    write_all(made)
    line(f"Next: hotline charter offer --amendment --identity {identity}")
