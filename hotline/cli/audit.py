"""`hotline audit`: the ledger of a terminal, offline. Keys come from the charter, never from the ledger."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import click

from hotline.cli.exits import Exit, leave
from hotline.cli.output import line, print_json
from hotline.errors import Malformed
from hotline.ledger.record import parse_leaf
from hotline.ledger.verify import Verdict
from hotline.safetext import safe_line

_EXITS = {"verified": Exit.DONE, "tampered": Exit.TAMPERED, "undecided": Exit.UNDECIDED}


@click.group()
def audit() -> None:
    """The ledger: what this terminal said, received and decided."""


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Store folder of the terminal, or a copy of its ledger.db.",
)


def _database(store: Path) -> Path:
    return store / "ledger.db" if store.is_dir() else store


@audit.command("list")
@store_option
@click.option("--type", "kind", help="Only entries of this type, for example msg.recv.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest entries.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines with a versioned schema.")
def list_entries(store: Path, kind: str | None, limit: int, as_json: bool) -> None:
    """List entries, newest last. Shows no message text: the ledger holds none.

    \b
    Examples:
      hotline audit list --store /var/lib/hotline/alpha
      hotline audit list --store copy.db --type alarm --json
    """
    from hotline.runtime.store import connect

    path = _existing(store)
    with closing(connect(path, read_only=True)) as database:
        newest = (
            database.execute("SELECT seq, leaf FROM entry ORDER BY seq DESC").fetchall()
            if kind
            else (database.execute("SELECT seq, leaf FROM entry ORDER BY seq DESC LIMIT ?", (limit,)).fetchall())
        )
    shown = []
    for seq, data in newest:
        try:
            leaf = parse_leaf(bytes(data))
        except Malformed:
            leave(Exit.TAMPERED, f"entry {seq} is not a lawful entry; run: hotline audit verify")
        if kind is None or leaf.type == kind:
            shown.append(leaf)
        if len(shown) >= limit:
            break
    for leaf in reversed(shown):
        if as_json:
            fields = dict(leaf.fields)
            print_json(
                {"schema": "hotline.entry/1", "seq": leaf.seq, "ts": leaf.ts, "type": leaf.type, "fields": fields}
            )
        else:
            words = " ".join(f"{name}={safe_line(str(value), 80)}" for name, value in leaf.fields.items())
            line(f"{leaf.seq:6d}  {leaf.ts}  {leaf.type:18} {words}")


@audit.command()
@store_option
@click.option("--charter", "charter_path", type=click.Path(path_type=Path), required=True, metavar="FILE")
@click.option("--party", required=True, help="Whose ledger it is.")
@click.option("--terminal", default="main", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def verify(store: Path, charter_path: Path, party: str, terminal: str, as_json: bool) -> None:
    """Recompute a whole ledger and compare it with its signed head. Works offline, on a copy, without a daemon.

    \b
    Example:
      hotline audit verify --store /var/lib/hotline/alpha --charter charter.note --party ALPHA

    Exit 0 verified, 6 evidence of tampering (the first bad entry is named), 10 cannot decide.
    """
    from hotline.charter.model import load_charter
    from hotline.files import read_public
    from hotline.ledger.note import Ed25519Verifier
    from hotline.ledger.verify import verify_log
    from hotline.runtime.ledgerstore import read_log
    from hotline.runtime.store import connect

    charter = load_charter(read_public(charter_path))
    entry = charter.terminal(party, terminal)
    origin = charter.log_origin(entry)
    path = _existing(store)
    with closing(connect(path, read_only=True)) as database:
        try:
            database.execute("BEGIN")  # one picture, though a daemon may be writing at this moment
            log = read_log(database)
            notes, verifier = log.notes, Ed25519Verifier(origin, entry.ledger)
            verdict = verify_log(log.leaves, notes[-1] if notes else None, verifier, log.hashes.get, notes)
        except sqlite3.Error as error:
            leave(Exit.UNDECIDED, f"{path}: cannot be read to the end ({error}); verify another copy")
    _print_verdict(verdict, origin, path, len(notes), as_json=as_json)
    sys.exit(int(_EXITS[verdict.outcome.value]))


def _print_verdict(verdict: Verdict, origin: str, path: Path, checkpoints: int, *, as_json: bool) -> None:
    outcome = verdict.outcome.value
    if as_json:
        print_json(
            {
                "schema": "hotline.audit-verify/1",
                "origin": origin,
                "outcome": outcome,
                "kind": verdict.kind,
                "text": verdict.text,
                "size": verdict.size,
                "root": verdict.root.hex(),
                "checkpoints": checkpoints,
                "first_bad": verdict.first_bad,
                "good_through": verdict.good_through,
            }
        )
        return
    line(f"{origin}   {path}")
    line(f"   {verdict.text}")
    if verdict.good_through and outcome == "tampered":
        line(f"   entries 0 to {verdict.good_through - 1} are as they were signed")
    if outcome == "verified":
        line(f"   {checkpoints} signed checkpoints hold, root {verdict.root.hex()[:16]}")
    line(outcome.upper())


def _existing(store: Path) -> Path:
    path = _database(store)
    if not path.is_file():
        leave(Exit.STORE, f"{path}: no ledger there; name the store folder of a terminal or a copy of its ledger.db")
    return path
