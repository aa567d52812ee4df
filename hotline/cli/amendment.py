"""`hotline charter`, the part for amendments: draw one up, see what it changes."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from hotline.charter.amendment import Changes
from hotline.charter.delta import from_text, to_text
from hotline.charter.differences import differences
from hotline.charter.model import load_charter, load_draft
from hotline.charter.parts import Charter
from hotline.charter.succession import check_follows
from hotline.cli import releasepolicy
from hotline.cli.artefacts import Artefact, write_all
from hotline.cli.charterview import print_differences, print_signatures
from hotline.cli.drawing import draw_up
from hotline.cli.exits import Exit, leave, need_accepted
from hotline.cli.expiries import expiries_command
from hotline.cli.output import line, print_json
from hotline.cli.reactivation import reactivate_command
from hotline.cli.travel import travel_command
from hotline.errors import ConfigError, RemoteError
from hotline.files import naming, read_public
from hotline.ledger.policy import parse_policy
from hotline.limits import CHARTER_BYTES_MAX
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2

socket_option = click.option("--socket", "socket", metavar="PATH", help="Operator socket of the endpoint daemon.")


def _values(words: tuple[str, ...]) -> dict[str, Any]:
    """`policy.channel_test_ms=0` as place and value."""
    found = {}
    for word in words:
        place, equals, value = word.partition("=")
        try:
            found[place] = json.loads(value)
        except (ValueError, RecursionError):
            equals = ""
        if not equals:
            raise click.BadParameter(f"{word!r}: write PLACE=NUMBER, as fibre.heartbeat_ms=1000", param_hint="--set")
    return found


def _text_of(path: Path | None) -> str | None:
    if path is None:
        return None
    data = read_public(path)
    naming(path, partial(parse_policy, data))
    return data.decode("utf-8", "replace")


@click.command("amend")
@click.option("--base", type=click.Path(path_type=Path), required=True, metavar="CHARTER", help="The one in force.")
@click.option(
    "--offer",
    "offers",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="OFFER",
    help="Cards that a party adds, or renews under the same name: `hotline charter offer --amendment`.",
)
@click.option(
    "--relay", "relays", type=click.Path(path_type=Path), multiple=True, metavar="CARD", help="A relay to add or renew."
)
@click.option(
    "--retire", multiple=True, metavar="WHO", help="officer:PARTY/NAME, terminal:PARTY/NAME or relay:NAME goes."
)
@click.option("--release-policy", metavar="POLICY", help=releasepolicy.HELP)
@click.option("--policy", type=click.Path(path_type=Path), metavar="POLICY", help="Another policy of witnesses.")
@click.option(
    "--set", "values", multiple=True, metavar="PLACE=NUMBER", help="policy.takeover_after_ms=0, fibre.heartbeat_ms=1000"
)
@click.option("--notice-days", type=click.IntRange(0, 3_650), help="Days of notice before a party leaves.")
@click.option("--depositary", metavar="WORDS", help="Who keeps the charter, and where notice is given.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make.")
def amend_command(
    base: Path,
    offers: tuple[Path, ...],
    relays: tuple[Path, ...],
    retire: tuple[str, ...],
    release_policy: str | None,
    policy: Path | None,
    values: tuple[str, ...],
    notice_days: int | None,
    depositary: str | None,
    out: Path,
) -> None:
    """Draw up the next charter, unsigned, and show what it changes.

    \b
    Examples:
      hotline charter amend --base charter.note --relay relay-4.card --retire relay:relay-1 -o amended.note
      hotline charter amend --base charter.note --offer BRAVO.second.offer --retire officer:BRAVO/duty-1 \\
        --set policy.channel_test_ms=1800000 -o amended.note
      hotline charter amend --base charter.note --set policy.objective_ms=[7200000,3600000,900000,300000] -o next.note

    A card of a name that the charter has renews it: other dates, certificate or address, the same keys; an officer may
    get another key. A terminal or relay with other keys gets another name. Identity keys and the pairwise secret
    stay: whoever must replace them holds a new ceremony. Next, in each capital: hotline charter sign --base
    """
    changes = Changes(
        offers=[read_public(path) for path in offers],
        relays=[read_public(path) for path in relays],
        retire=retire,
        witnesses=_text_of(policy),
        release=None if release_policy is None else releasepolicy.read_release_policy(release_policy),
        values=_values(values),
        notice_days=notice_days,
        depositary=depositary,
    )
    draw_up(base, changes, out)


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def diff_command(old: Path, new: Path, as_json: bool) -> None:
    """Show what NEW changes against OLD, signed or not, and whether it is the next charter after it.

    \b
    Example:
      hotline charter diff charter.note amended.note

    Exit 0 if NEW follows OLD, 4 if it does not.
    """
    before, after = (naming(path, partial(load_draft, read_public(path))) for path in (old, new))
    reason = _reason(after, before)
    found = differences(after, before)
    if as_json:
        print_json(
            {
                "schema": "hotline.charter-diff/1",
                "old": {"serial": before.serial, "hash": before.hash.hex()},
                "new": {"serial": after.serial, "hash": after.hash.hex()},
                "follows": reason is None,
                "reason": reason,
                "differences": [asdict(one) for one in found],
            }
        )
    else:
        line(f"CHARTER  {after.hotline}, serial {after.serial} of {after.created}, against serial {before.serial}")
        print_differences(found)
        print_signatures(after)
    naming(new, partial(check_follows, after, before))


@click.command("activate")
@click.argument("file", type=click.Path(path_type=Path))
@socket_option
def activate_command(file: Path, socket: str | None) -> None:
    """Hand the next charter, signed by both, to the daemon: in force as soon as the peer is ready too.

    \b
    Example:
      hotline charter activate amended.note

    Nothing under way is lost, and nothing changes until both terminals have it. Relays take part first: their operators
    add the file to `charters` and start them anew. A charter that changes terminals needs a restart with the new file.
    The store keeps the charter in force; put FILE in the place of the one that the configuration names as well.
    Exit 4 for a charter that does not hold, or does not follow the one in force; 8 for a caller who is no officer.
    """
    data = read_public(file)
    if len(data) > CHARTER_BYTES_MAX:
        raise ConfigError(f"{file}: more than {CHARTER_BYTES_MAX} bytes: put it in place and start the daemon anew")
    with daemon(socket) as stub:
        answer = stub.ActivateCharter(operator_pb2.ActivateCharterRequest(note=data))
    if not answer.accepted:
        exits = {"policy": Exit.REFUSED, "untrusted": Exit.UNTRUSTED}
        leave(exits.get(answer.code, Exit.FIXABLE), f"{file}: {answer.text}")
    line(answer.text)


@click.command("propose")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--base", type=click.Path(path_type=Path), required=True, metavar="CHARTER", help="The one in force.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="TEXT", help="The file to make.")
def propose_command(file: Path, base: Path, out: Path) -> None:
    """Write an amendment, signed by whoever has signed it, as a text that fits a statement: the lines that change.

    \b
    Examples:
      hotline charter propose amended.note --base charter.note -o proposal.txt
      hotline send --file proposal.txt

    The other side turns it into a file again: hotline charter fetch. It is a statement like any other, with its
    release, receipts and record.
    """
    naming(file, partial(check_follows, _draft(file), naming(base, partial(load_charter, read_public(base)))))
    text = naming(file, lambda: to_text(read_public(file), read_public(base)))
    write_all([Artefact(out, text.encode())])


@click.command("fetch")
@click.argument("serial", type=click.IntRange(1))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make.")
@socket_option
def fetch_command(serial: int, out: Path, socket: str | None) -> None:
    """Open the peer's statement SERIAL and make the charter of it that it proposes. The peer is told that you read it.

    \b
    Example:
      hotline charter fetch 7 -o amended.note

    Then: hotline charter sign amended.note --base, and propose it back or activate it. Exit 4 if a signature on it, or
    the charter itself, does not hold or does not follow the one in force.
    """
    with daemon(socket) as stub:
        answer = stub.Read(operator_pb2.ReadRequest(serial=serial))
        need_accepted(answer)
        base = stub.GetCharter(operator_pb2.GetCharterRequest()).in_force
    note = from_text(answer.statement.text, base)
    new, old = load_draft(note), load_charter(base)
    check_follows(new, old)
    write_all([Artefact(out, note)])
    print_differences(differences(new, old))
    print_signatures(new)


def _draft(path: Path) -> Charter:
    return naming(path, partial(load_draft, read_public(path)))


def _reason(new: Charter, old: Charter) -> str | None:
    try:
        check_follows(new, old)
    except RemoteError as error:
        return str(error)
    return None


COMMANDS: Final = (
    amend_command,
    diff_command,
    activate_command,
    propose_command,
    fetch_command,
    expiries_command,
    reactivate_command,
    travel_command,
)
