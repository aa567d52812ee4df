"""What the commands of `hotline audit` share: whose record it is, who may vouch for it, and the trace of reading it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter, Terminal
from hotline.errors import ConfigError, Malformed, RemoteError, Untrusted
from hotline.files import naming, read_public
from hotline.ledger.cosignature import Ed25519CosignatureVerifier
from hotline.ledger.log import OPEN, split_origin
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.policy import Policy, PolicyWitness, Vouched, open_cosigned
from hotline.ledger.record import Leaf, parse_leaf
from hotline.ledger.verify import Outcome, Verdict, verify_log
from hotline.runtime.recordfiles import LogFiles
from hotline.runtime.store import connect, request_audit
from hotline.safetext import safe_line

store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Store folder of the terminal, a copy of its ledger.db, or an export.",
)
database_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Store folder of the terminal, or a copy of its ledger.db.",
)
charter_option = click.option(
    "--charter", "charter_path", type=click.Path(path_type=Path), required=True, metavar="FILE", help="In force."
)
party_option = click.option("--party", required=True, help="Whose ledger it is.")
terminal_option = click.option("--terminal", default="main", show_default=True, help="Of its terminals.")
POLICY_HELP: Final = "Logs, witnesses and quorum: hotline charter policy."
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


def check_record(
    path: Path,
    logs: list[LogFiles],
    charter: Charter,
    terminal: Terminal,
    *,
    ratchet: Path | None = None,
    progress: bool = False,
) -> list[Checked]:
    """Verify a whole record: every log epoch, the last signed head beside the store or in the file `ratchet`, and that
    each log goes on from the one before it. What is wrong with the whole is told of its last log.
    """
    last = logs[-1].epoch
    missing = _add_ratchet(path, ratchet, logs, charter, terminal)
    checked = [_check_log(log, charter, terminal, closed=log.epoch != last, progress=progress) for log in logs]
    broken = _chained(checked) or missing
    if broken is not None and all(one.verdict.outcome is not Outcome.TAMPERED for one in checked):
        checked[-1] = replace(checked[-1], verdict=broken)
    return checked


def _add_ratchet(
    store: Path, ratchet: Path | None, logs: list[LogFiles], charter: Charter, terminal: Terminal
) -> Verdict | None:
    """Outside its database a terminal keeps the last signed head: one more that the log must bear out.

    The verdict where that log is not there at all. Raises ConfigError: the file cannot be read, or holds no head of a
    log.
    """
    path = ratchet or store.with_name(f"{store.name}.ratchet")
    if ratchet is None and not (store.is_dir() and path.is_file()):
        return None
    note = read_public(path)
    place = split_origin(note.partition(b"\n")[0].decode("utf-8", "replace"))
    if place is None:
        raise ConfigError(f"{path}: not the head of a log; put the right file back, or move it away")
    for log in logs:
        if log.epoch == place[1]:
            log.notes = [note, *log.notes]
            return None
    verdict = verify_log((), note, Ed25519Verifier(charter.log_origin(terminal, place[1]), terminal.ledger))
    text = f"{path.name} holds the last head that was signed; it is of log epoch {place[1]}, which is not here"
    return replace(verdict, text=text)


def cosigned_heads(log: LogFiles, policy: Policy) -> Iterator[tuple[bytes, Vouched]]:
    """The heads of this log that others signed too, and who did.

    Passed over is what stands among them and is no such head: of another log, signed for the terminal alone (13.5), or
    by another key. It vouches for nothing, and hides nothing. Raises RemoteError: a signature of a key of the policy
    does not hold.
    """
    for note in log.cosigned:
        try:
            yield note, open_cosigned(note, policy)
        except Untrusted as error:
            if error.reason not in ("unknown-log", "unverified"):
                raise


def _check_log(log: LogFiles, charter: Charter, terminal: Terminal, *, closed: bool, progress: bool) -> Checked:
    """Verify one log epoch. `closed`: another one followed it, so that an unvouched end was left behind."""
    policy = policy_of(charter, terminal, log.epoch)
    verifier = policy.logs[0]
    vouchers: dict[str, tuple[int, int]] = {}
    brackets = []
    false = ""
    try:
        for _, vouched in cosigned_heads(log, policy):
            for name, unix in vouched.witnesses.items():
                brackets.append((vouched.checkpoint.size, unix))
                vouchers[name] = max(vouchers.get(name, (0, 0)), (vouched.checkpoint.size, unix))
    except RemoteError as error:
        vouchers, brackets = {}, []
        false = f"a cosignature of this log does not hold ({error})"
    with _progress(log, show=progress) as leaves:
        last = log.notes[-1] if log.notes else None
        verdict = verify_log(leaves, last, verifier, log.hashes.get, log.notes, brackets)
    if false and verdict.outcome is not Outcome.TAMPERED:
        verdict = Verdict(Outcome.TAMPERED, "cosignature", false, verdict.size, b"", verdict.good_through)
    if closed and verdict.kind == "unvouched":
        behind = verdict.size - verdict.good_through
        text = f"{verdict.good_through} entries give the signed root; {behind} behind them were left when the log ended"
        verdict = replace(verdict, outcome=Outcome.VERIFIED, kind="ok", text=text)
    if closed and verdict.kind == "empty":  # whether that is true the log that followed says
        verdict = replace(verdict, outcome=Outcome.VERIFIED, kind="ok", text="a log without entries, left for another")
    return Checked(log, verifier.name, verdict, vouchers)


@contextmanager
def _progress(log: LogFiles, *, show: bool) -> Iterator[Iterator[bytes]]:
    if not show or not sys.stderr.isatty() or len(log.hashes) < 20_000:
        yield log.leaves()
        return
    with click.progressbar(log.leaves(), length=len(log.hashes), label="checking", file=sys.stderr) as leaves:
        yield iter(leaves)


def _chained(checked: list[Checked]) -> Verdict | None:
    """Whether each log begins where the one before it ended, and the first one with nothing before it; None if so."""
    before: Checked | None = None
    for after in checked:
        first = next(after.log.leaves(), None)
        try:
            opening = parse_leaf(first) if first is not None else None
        except Malformed:
            return None  # told already
        text = _first(after, opening) if before is None else _breach(before, after, opening)
        if text:
            return Verdict(Outcome.TAMPERED, "chain", text, 0, b"", 0, 0)
        before = after
    return None


def _first(log: Checked, opening: Leaf | None) -> str:
    """What is wrong with the first log of a record: it may follow one that had no entries, and no other."""
    if opening is None or opening.type != OPEN or opening.fields.get("size") == 0:
        return ""
    return f"{log.origin} follows {safe_line(str(opening.fields.get('previous')), 200)}, which is not here"


def _breach(before: Checked, after: Checked, opening: Leaf | None) -> str:
    """How a log contradicts the one before it; empty where it does not, or where that one was not read to its end."""
    if opening is None or opening.type != OPEN or opening.fields.get("previous") != before.origin:
        return f"{after.origin} does not begin where {before.origin} ended"
    try:
        size, root = opening.number("size"), opening.text("root")
    except Malformed as error:
        return f"{after.origin} does not say where {before.origin} ended ({error})"
    ended = before.verdict
    if not ended.root:
        return ""
    if size != ended.size:
        return f"{after.origin} says that {before.origin} had {size} entries, not {ended.size}"
    return "" if root == ended.root.hex() else f"{after.origin} says that {before.origin} held other entries"
