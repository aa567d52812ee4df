"""`hotline charter travel`: a terminal that is a part of the hotline only for a time that both parties sign."""

from __future__ import annotations

from pathlib import Path

import click

from hotline.charter.amendment import Changes
from hotline.cli.drawing import draw_up
from hotline.cli.output import unix_time
from hotline.errors import ConfigError
from hotline.files import read_public


@click.command("travel")
@click.argument("terminal", metavar="PARTY/NAME")
@click.option("--base", type=click.Path(path_type=Path), required=True, metavar="CHARTER", help="The one in force.")
@click.option("--from", "first", metavar="TIME", help="When it becomes a part of the hotline: 2026-12-01T08:00Z.")
@click.option("--until", metavar="TIME", help="When it is none any more; at most 90 days later.")
@click.option("--offer", type=click.Path(path_type=Path), metavar="OFFER", help="With its card, if it is new.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make.")
def travel_command(
    terminal: str, base: Path, first: str | None, until: str | None, offer: Path | None, out: Path
) -> None:
    """Draw up an amendment that activates a travelling terminal, unsigned. Without times: it is known, and not active.

    \b
    Examples:
      hotline charter travel ALPHA/plane --base charter.note --offer ALPHA.plane.offer -o amended.note
      hotline charter travel ALPHA/plane --base charter.note --from 2026-12-01T08:00Z \\
        --until 2026-12-03T20:00Z -o amended.note

    \b
    1  once, ahead of time   hotline key terminal --name plane, hotline charter offer --amendment; then travel --offer,
                             both sign, and the daemons start anew under it (a charter that adds a terminal)
    2  for each journey      hotline charter travel --from --until; each capital: hotline charter sign --base
    3  both capitals, and    hotline charter activate: in force in service, in minutes
       the travelling one    (the travelling terminal starts with the file)
    4  to let it speak       hotline terminal takeover, there

    Before and after that time, by the clock of each side, nothing is sent to it and nothing taken from it. At the end
    it stands down by itself, and a terminal at home takes over: hotline terminal takeover. To end it earlier: travel
    again, with another --until, or without times.
    """
    if (first is None) is not (until is None):
        raise ConfigError("give both --from and --until, or neither: then it is not active")
    span = (0, 0) if first is None or until is None else (unix_time(first), unix_time(until))
    offers = [] if offer is None else [read_public(offer)]
    draw_up(base, Changes(offers=offers, travelling={terminal: span}), out)
