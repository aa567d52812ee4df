"""`hotline audit compare, conviction, fsck`: two ledgers against each other, and one against its own tables."""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import click

from hotline.charter.parts import Charter
from hotline.cli.exits import Exit, leave
from hotline.cli.output import line, print_json
from hotline.cli.record import (
    POLICY_HELP,
    Checked,
    charter_option,
    check_record,
    database_option,
    json_option,
    read_charter,
)
from hotline.errors import ConfigError, Malformed, RemoteError, StorageError
from hotline.files import read_public
from hotline.ledger.comparison import Finding, Side, compare, roots_at
from hotline.ledger.conviction import Exhibit, convict
from hotline.ledger.policy import parse_policy
from hotline.ledger.proof import HEADER, PROOF_BYTES_MAX
from hotline.ledger.record import Leaf, parse_leaf
from hotline.ledger.verify import Outcome
from hotline.limits import LEAF_BYTES_MAX
from hotline.runtime.recordfiles import LogFiles, export_in, open_record

_PROVES = {
    "unsaid": "the receiver invents it, or the sender's record was shortened: the signed statement decides",
    "mismatch": "one of the two lies; the signed statement at the receiver decides: hotline audit conviction",
    "withdrawn": "one of the two lies about an expiry; the signed empty statement at the receiver decides",
    "unreceived": "the receiver's record was shortened; its signed receipt at the sender convicts it",
    "two-words": "the third party signed both, or one of the two lies: their signed statements decide",
    "head": "one log was shown in two forms; with the signed head this is FORK-SIZE: hotline audit conviction",
}


@click.command("compare", short_help="Hold two ledgers against each other.")
@click.argument("first", type=click.Path(path_type=Path), metavar="A")
@click.argument("second", type=click.Path(path_type=Path), metavar="B")
@charter_option
@click.option(
    "--of", "whose", multiple=True, metavar="PARTY", help="Whose A and B are, where there are several parties."
)
@json_option
def compare_records(first: Path, second: Path, charter_path: Path, whose: tuple[str, ...], as_json: bool) -> None:
    """Hold both parties' ledgers against each other: the first divergence, and what each one proves.

    \b
    Examples:
      hotline audit compare alpha-export/ bravo-export/ --charter charter.note
      hotline audit compare bravo-export/ charlie-export/ --charter charter.note --of BRAVO --of CHARLIE

    A and B are stores, copies or exports, of the parties in the order of the charter; of a party with several
    terminals, of its first one. Among several parties also what a third one said to both is compared. Exit 0 they
    agree, 6 they contradict each other or one was tampered with, 10 cannot decide.
    """
    charter = read_charter(charter_path)
    paths = _whose(charter, whose, first, second)
    sides, checked = {}, {}
    try:
        for party, path in paths.items():
            sides[party], checked[party] = _side(path, party, _counterpart(paths, party), charter)
    except StorageError as error:
        leave(Exit.UNDECIDED, str(error))
    for party, results in checked.items():
        if all(result.verdict.kind == "other-key" for result in results):
            names = " and ".join(paths)
            leave(
                Exit.UNDECIDED, f"{paths[party]} is not {party}'s record; A and B are those of {names}, in this order"
            )
    worst = Outcome.VERIFIED
    for result in (result for results in checked.values() for result in results):
        if result.verdict.outcome is not Outcome.VERIFIED:
            worst = Outcome.TAMPERED if Outcome.TAMPERED in (worst, result.verdict.outcome) else Outcome.UNDECIDED
            click.echo(f"{result.origin}: {result.verdict.text}", err=True)
    if not all(_readable(results) for results in checked.values()):
        leave(Exit.TAMPERED if worst is Outcome.TAMPERED else Exit.UNDECIDED, "nothing was compared")
    try:
        roots = {
            party: _roots(path, sides[_counterpart(paths, party)], checked[party]) for party, path in paths.items()
        }
    except StorageError as error:
        leave(Exit.UNDECIDED, str(error))
    one, other = sides.values()
    found = compare(one, other, roots)
    for finding in found:
        _print_finding(finding, as_json=as_json)
    if not as_json:
        counts = " and ".join(f"{side.entries} of {side.name}" for side in sides.values())
        line(f"{counts}: {'they agree' if not found else f'{len(found)} contradictions, the first one above'}")
    if found or worst is Outcome.TAMPERED:
        sys.exit(int(Exit.TAMPERED))
    sys.exit(int(Exit.DONE if worst is Outcome.VERIFIED and one.entries and other.entries else Exit.UNDECIDED))


def _whose(charter: Charter, whose: tuple[str, ...], first: Path, second: Path) -> dict[str, Path]:
    """The two files by the parties whose they are. Raises ConfigError."""
    if not whose:
        one = charter.parties[0].name
        whose = (one, charter.peer_of(one).name)
    if len(set(whose)) != 2 or len(whose) != 2:
        raise ConfigError("--of names the party of A and that of B: give two different ones")
    return {charter.party(party).name: path for party, path in zip(whose, (first, second), strict=True)}


def _counterpart(paths: Mapping[str, Path], party: str) -> str:
    return next(other for other in paths if other != party)


def _side(path: Path, party: str, peer: str, charter: Charter) -> tuple[Side, list[Checked]]:
    terminal = charter.terminals_of(party)[0]
    side = Side(party, f"{peer}/{charter.terminals_of(peer)[0].name}")
    with open_record(path) as logs:
        checked = check_record(path, logs, charter, terminal)
        for log in logs if _readable(checked) else ():
            for leaf in _each(log):
                try:
                    side.read(log.epoch, leaf)
                except Malformed as error:
                    leave(Exit.TAMPERED, f"entry {log.epoch}/{leaf.seq} of {party} is not a lawful one ({error})")
    return side, checked


def _readable(checked: list[Checked]) -> bool:
    """Whether every log was read to its end and holds: what follows a bad entry would be held against the other side,
    and what is another's would be judged as this one's.
    """
    return all(one.verdict.root for one in checked)


def _roots(path: Path, peer: Side, checked: list[Checked]) -> dict[tuple[int, int], str]:
    """Roots of the logs in `path` wherever the peer has written one down; an end that nobody vouched for has none."""
    found = {}
    good = {one.log.epoch: one.verdict.good_through for one in checked}
    with open_record(path) as logs:
        for log in logs:
            sizes = {size for epoch, size in peer.heads if epoch == log.epoch}
            leaves = itertools.islice(log.leaves(), good[log.epoch])
            found.update({(log.epoch, size): root for size, root in roots_at(leaves, sizes).items()})
    return found


def _print_finding(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema": "hotline.finding/1",
                "kind": finding.kind,
                "ledger": finding.side,
                "log_epoch": finding.log_epoch,
                "seq": finding.seq,
                "text": finding.text,
                "proves": _PROVES[finding.kind],
            }
        )
        return
    line(f"entry {finding.log_epoch}/{finding.seq} of {finding.side}: {finding.text}")
    line(f"   {_PROVES[finding.kind]}")


@click.command(short_help="Do two signed files contradict each other?")
@click.argument("first", type=click.Path(path_type=Path), metavar="A")
@click.argument("second", type=click.Path(path_type=Path), metavar="B")
@click.option(
    "--policy", "policy_path", type=click.Path(path_type=Path), required=True, metavar="POLICY", help=POLICY_HELP
)
@json_option
def conviction(first: Path, second: Path, policy_path: Path, as_json: bool) -> None:
    """Check whether two signed files contradict each other: checkpoints, or proofs with their leaves beside them.

    \b
    Example:
      hotline audit conviction seen-by-us.checkpoint seen-by-them.checkpoint --policy policy.txt
      hotline audit conviction alpha/1-17.tlog-proof bravo/1-21.tlog-proof --policy policy.txt

    FORK-SIZE, FORK-LEAF, ROLLBACK, MISMATCH (docs/protocol.md 13.8). Exit 6 they contradict each other, 0 both can be
    true, 10 one of them does not hold by itself: it convicts nobody.
    """
    data = read_public(policy_path)
    try:
        policy = parse_policy(data)
    except RemoteError as error:
        raise ConfigError(f"{policy_path}: not a policy ({error})") from error
    try:
        found = convict(_exhibit(first), _exhibit(second), policy)
    except RemoteError as error:
        leave(Exit.UNDECIDED, f"one of the two does not hold by itself ({error}): it convicts nobody")
    if as_json:
        kind, text = (found.kind.value, found.text) if found is not None else (None, "both can be true")
        print_json({"schema": "hotline.conviction/1", "kind": kind, "text": text})
    elif found is None:
        line("both can be true: nobody is convicted")
    else:
        line(f"{found.kind.value}: {found.text}")
    sys.exit(int(Exit.DONE if found is None else Exit.TAMPERED))


def _exhibit(path: Path) -> Exhibit:
    data = read_public(path, PROOF_BYTES_MAX)
    if not data.startswith(HEADER.encode()):
        return Exhibit(data)
    return Exhibit(data, read_public(path.with_suffix(".leaf"), LEAF_BYTES_MAX))


@click.command(short_help="Hold the tables against the ledger.")
@database_option
@json_option
def fsck(store: Path, as_json: bool) -> None:
    """Rebuild the operational tables from the ledger and compare them with what is stored.

    \b
    Example:
      hotline audit fsck --store /var/lib/hotline/alpha

    Exit 0 they are the same, 6 they differ. Whether the ledger itself holds is said by: hotline audit verify.
    """
    from hotline.protocol.rebuild import REBUILT, about, differences, rebuild
    from hotline.protocol.tables import scoped
    from hotline.runtime.lookups import scopes, stored_rows
    from hotline.runtime.store import connect

    path = store / "ledger.db" if store.is_dir() else store
    if store.is_dir() and not path.exists() and export_in(store):
        raise ConfigError(f"{store}: an export, which has no tables; name a store folder, or a copy of its ledger.db")
    with open_record(path) as logs:
        if not any(len(log.hashes) for log in logs):
            leave(Exit.UNDECIDED, f"{path}: an empty ledger; there is nothing to compare")
        try:
            leaves = [leaf for log in logs for leaf in _each(log)]
        except Malformed as error:
            leave(Exit.TAMPERED, f"an entry cannot be read ({error}); run: hotline audit verify")
    found, rows = [], 0
    with closing(connect(path, read_only=True)) as database:
        parties = scopes(database)
        for party in ("", *parties):
            try:
                tables = {table: stored_rows(database, scoped(table, party)) for table in REBUILT}
                made = rebuild(about(leaves, party, parties))
            except sqlite3.Error as error:
                leave(Exit.UNDECIDED, f"{path}: cannot be read to the end ({error})")
            except (KeyError, ValueError, Malformed) as error:
                leave(Exit.TAMPERED, f"an entry cannot be read ({error}); run: hotline audit verify")
            rows += sum(len(table) for table in tables.values())
            found += [f"{party}: {one}" if party else one for one in differences(made, tables)]
    if as_json:
        print_json({"schema": "hotline.fsck/1", "differences": found})
    else:
        for text in found:
            line(text)
        count = len(REBUILT) * (1 + len(parties))
        line(f"{rows} rows in {count} tables: " + (f"{len(found)} differences" if found else "as the ledger says"))
    sys.exit(int(Exit.TAMPERED if found else Exit.DONE))


def _each(log: LogFiles) -> Iterable[Leaf]:
    return (parse_leaf(data) for data in log.leaves())
