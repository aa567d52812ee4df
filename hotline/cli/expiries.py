"""When the cards and certificates of a charter end: `hotline charter expiries`, and what doctor says of it."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import click

from hotline.charter.ceremony import Check, day
from hotline.charter.model import load_draft
from hotline.charter.parts import Charter
from hotline.cli.artefacts import now_ms
from hotline.cli.exits import Exit
from hotline.cli.output import line, print_json
from hotline.crypto.tls import validity_ms
from hotline.files import naming, read_public

STEPS: Final = (7, 30, 90)
"""Days before an end at which it is told more and more loudly."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """What ends when. `within` is the smallest of STEPS that is not longer than what is left; 0: it has ended."""

    what: str
    name: str
    ends: str
    days: int
    within: int | None


def expiries(charter: Charter, today: str) -> list[Expiry]:
    """Every card and certificate, the next to end first. `today` is YYYY-MM-DD (UTC)."""
    found = [("terminal card", f"{one.party}/{one.name}", one.not_after) for one in charter.terminals]
    found += [("officer card", f"{one.party}/{one.name}", one.not_after) for one in charter.officers]
    for holder in charter.terminals:
        found.append(("certificate", f"{holder.party}/{holder.name}", _last_day(holder.tls_certificate_der)))
    found += [("certificate", relay.name, _last_day(relay.tls_certificate_der)) for relay in charter.relays]
    for one in charter.terminals:
        # Only one that is to come: what is over has ended as it was meant to.
        until = day(one.travels[1]) if one.travels is not None else today
        found += [("activation", f"{one.party}/{one.name}", until)] if until > today else []
    return sorted((_expiry(*one, today) for one in found), key=lambda one: (one.days, one.what, one.name))


def _last_day(certificate: bytes) -> str:
    return day(validity_ms(certificate)[1])


def _expiry(what: str, name: str, ends: str, today: str) -> Expiry:
    left = (date.fromisoformat(ends) - date.fromisoformat(today)).days
    within = 0 if left <= 0 else next((step for step in STEPS if left <= step), None)
    return Expiry(what, name, ends, left, within)


def told(one: Expiry) -> str:
    """One end in words."""
    left = f"ends in {one.days} days" if one.days > 0 else "HAS ENDED"
    return f"{one.what} of {one.name} {left}, on {one.ends}"


def dates(charter: Charter) -> Check:
    """What a person should know of the dates; a charter stays in force beyond them, and officers sign no more."""
    found = expiries(charter, day(now_ms()))
    ended = [told(one) for one in found if one.within == 0]
    text = "; ".join(ended[:5]) + ("; ..." if ended[5:] else "")
    return Check(
        "dates", not ended, f"{text}: see hotline charter expiries" if ended else f"the first: {told(found[0])}"
    )


@click.command("expiries")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def expiries_command(file: Path, as_json: bool) -> None:
    """When the cards and certificates in a charter end, the next one first.

    \b
    Example:
      hotline charter expiries charter.note

    \b
    What has ended, or will, is renewed by an amendment, also after years:
      1  in each capital: hotline key renew, then hotline charter offer --amendment
      2  for a relay, a new card under another name: hotline-relay key init
      3  in one capital: hotline charter amend --base, and then in both: hotline charter sign --base
      4  put it in place of the old one everywhere, and start the daemons anew
    Or let hotline charter reactivate say what is done and what is next. Daemons go on beyond the dates of terminals and
    certificates; what an officer signs counts only while the officer's card holds. Exit 1 if something has ended or
    does within 7 days.
    """
    charter = naming(file, partial(load_draft, read_public(file)))
    today = day(now_ms())
    found = expiries(charter, today)
    if as_json:
        print_json(
            {
                "schema": "hotline.charter-expiries/1",
                "charter": charter.hash.hex(),
                "today": today,
                "expiries": [asdict(one) for one in found],
            }
        )
    else:
        for one in found:
            mark = "ok   " if one.within is None else ("FAIL " if one.within == 0 else f"WARN{one.within:<2}")
            line(f"{mark:6} {told(one)}")
    urgent = any(one.within is not None and one.within <= STEPS[0] for one in found)
    sys.exit(int(Exit.FIXABLE if urgent else Exit.DONE))
