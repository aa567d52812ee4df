"""What the commands of `hotline audit` share: whose record it is, who may vouch for it, and the trace of reading it."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter, Terminal
from hotline.cli.artefacts import naming
from hotline.errors import Malformed, RemoteError
from hotline.files import read_public
from hotline.ledger.cosignature import Ed25519CosignatureVerifier
from hotline.ledger.log import OPEN
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.policy import Policy, PolicyWitness, open_cosigned
from hotline.ledger.record import parse_leaf
from hotline.ledger.verify import Outcome, Verdict, verify_log
from hotline.runtime.recordfiles import LogFiles
from hotline.runtime.store import connect, request_audit

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Store folder of the terminal, a copy of its ledger.db, or an export.",
)
charter_option = click.option(
    "--charter", "charter_path", type=click.Path(path_type=Path), required=True, metavar="FILE"
)
party_option = click.option("--party", required=True, help="Whose ledger it is.")
terminal_option = click.option("--terminal", default="main", show_default=True)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")


def read_charter(path: Path) -> Charter:
    """The charter in force. Raises HotlineError naming the file."""
    data = read_public(path)
    return naming(path, lambda: load_charter(data))


def announce(store: Path, kind: str, what: str) -> None:
    """Enter this reading into the record of a live store, before anything is shown; a copy has nobody to tell."""
    database = store / "ledger.db"
    if not store.is_dir() or not database.exists() or not (store / "lock").exists():
        return
    with closing(connect(database)) as connection:
        request_audit(connection, time.time_ns() // 1_000_000, kind, f"uid {os.getuid()}", what)


def add_ratchet(store: Path, logs: list[LogFiles]) -> None:
    """Beside a store lies the last signed head, outside its database: one more that the log must bear out."""
    path = store.with_name(f"{store.name}.ratchet")
    if not store.is_dir() or not path.is_file():
        return
    note = read_public(path)
    epoch = note.partition(b"\n")[0].rpartition(b"/")[2]
    for log in logs:
        if epoch == b"%d" % log.epoch:
            log.notes = [note, *log.notes]


def policy_of(charter: Charter, terminal: Terminal, log_epoch: int) -> Policy:
    """Who may speak for one log: the witnesses of the charter, and the terminals of the other party."""
    log = Ed25519Verifier(charter.log_origin(terminal, log_epoch), terminal.ledger)
    peers = [
        PolicyWitness(f"{one.party}/{one.name}", Ed25519CosignatureVerifier(charter.log_base(one), one.ledger))
        for one in charter.terminals
        if one.party != terminal.party
    ]
    named = {witness.verifier.public for witness in charter.witnesses.witnesses}
    others = tuple(peer for peer in peers if peer.verifier.public not in named)
    return replace(charter.witnesses, logs=(log,), witnesses=(*charter.witnesses.witnesses, *others))


@dataclass(frozen=True, slots=True)
class Checked:
    """One log epoch: the verdict, and up to which entry who vouches for it, since when (Unix seconds)."""

    log: LogFiles
    origin: str
    verdict: Verdict
    vouchers: dict[str, tuple[int, int]]


def check_log(log: LogFiles, charter: Charter, terminal: Terminal, *, closed: bool, progress: bool = False) -> Checked:
    """Verify one log epoch. `closed`: another one followed it, so that an unvouched end was left behind."""
    policy = policy_of(charter, terminal, log.epoch)
    verifier = policy.logs[0]
    vouchers: dict[str, tuple[int, int]] = {}
    brackets = []
    try:
        for note in log.cosigned:
            vouched = open_cosigned(note, policy)
            for name, unix in vouched.witnesses.items():
                brackets.append((vouched.checkpoint.size, unix))
                vouchers[name] = max(vouchers.get(name, (0, 0)), (vouched.checkpoint.size, unix))
    except RemoteError as error:
        if error.reason in ("unknown-log", "unverified"):  # another log, or another key of it: the check says which
            return Checked(log, verifier.name, verify_log(log.leaves(), log.notes[-1], verifier), {})
        text = f"a cosignature of this log does not hold ({error})"
        return Checked(log, verifier.name, Verdict(Outcome.TAMPERED, "cosignature", text, 0, b"", 0), {})
    with _progress(log, show=progress) as leaves:
        last = log.notes[-1] if log.notes else None
        verdict = verify_log(leaves, last, verifier, log.hashes.get, log.notes, brackets)
    if closed and verdict.kind == "unvouched":
        behind = verdict.size - verdict.good_through
        text = f"{verdict.good_through} entries give the signed root; {behind} behind them were left when the log ended"
        verdict = replace(verdict, outcome=Outcome.VERIFIED, kind="ok", text=text)
    return Checked(log, verifier.name, verdict, vouchers)


@contextmanager
def _progress(log: LogFiles, *, show: bool) -> Iterator[Iterator[bytes]]:
    if not show or not sys.stderr.isatty() or len(log.hashes) < 20_000:
        yield log.leaves()
        return
    with click.progressbar(log.leaves(), length=len(log.hashes), label="checking", file=sys.stderr) as leaves:
        yield iter(leaves)


def chained(checked: list[Checked]) -> Verdict | None:
    """Whether each log names the end of the one before it; None if it does."""
    for before, after in itertools.pairwise(checked):
        first = next(after.log.leaves(), None)
        try:
            opening = parse_leaf(first) if first is not None else None
        except Malformed:
            return None  # told already
        if opening is None or opening.type != OPEN or opening.fields.get("previous") != before.origin:
            text = f"{after.origin} does not begin where {before.origin} ended"
            return Verdict(Outcome.TAMPERED, "chain", text, 0, b"", 0, 0)
        if int(opening.fields["size"]) != before.verdict.size:
            said = opening.fields["size"]
            text = f"{after.origin} says that {before.origin} had {said} entries, not {before.verdict.size}"
            return Verdict(Outcome.TAMPERED, "chain", text, 0, b"", 0, 0)
    return None
