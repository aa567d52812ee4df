"""`hotline key try`: whether an officer's key works, before it is needed."""

from __future__ import annotations

from pathlib import Path

import click

from hotline.charter.model import load_charter
from hotline.civil import iso_utc
from hotline.cli.artefacts import entropy, now_ms
from hotline.cli.officerkeys import officer_key, secret_option
from hotline.cli.output import line
from hotline.crypto.signing import verify
from hotline.errors import Untrusted
from hotline.files import naming, read_public
from hotline.safetext import safe_line

_LABEL = "hotline/v1/key-try"
_CHALLENGE_SIZE = 32


@click.command(name="try")
@click.argument("file", type=click.Path(path_type=Path), metavar="KEY")
@click.option(
    "--charter", "charter_file", type=click.Path(path_type=Path), required=True, metavar="CHARTER", help="In force."
)
@secret_option
def try_(file: Path, charter_file: Path, passphrase_file: Path | None) -> None:
    """Try an officer's key, in a file or a token.

    It signs a number that nobody needs, and that is verified with the key that the charter has for this officer.

    \b
    Examples:
      hotline key try ALPHA.duty-1.officer.key --charter charter.note
      hotline key try ALPHA.release-1.officer.key --charter charter.note --pin-file pin

    Exit 0 if what it signs today counts, 4 if the charter has another key or the card does not hold, 9 if the key
    cannot be used.
    """
    charter = naming(charter_file, lambda: load_charter(read_public(charter_file)))
    with officer_key(file, passphrase_file) as (party, name, signer):
        officer = charter.officer(party, name)
        challenge = entropy(_CHALLENGE_SIZE)
        signature = signer.sign(_LABEL, challenge)
    try:
        verify(officer.signing, signature, _LABEL, challenge)
    except Untrusted as error:
        raise Untrusted(
            "officer", f"{file}: the charter has another key of {party}/{name}: use the newer one"
        ) from error
    if not officer.not_before <= iso_utc(now_ms())[:10] < officer.not_after:
        raise Untrusted(
            "expired", f"the card of {party}/{name} holds from {officer.not_before} until {officer.not_after}"
        )
    roles = ", ".join(officer.roles) or "nothing but by a mandate"
    line(f"ok    {safe_line(party)}/{safe_line(name)}: signs as {roles}, until {officer.not_after}")
