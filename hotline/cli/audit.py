"""`hotline audit`: the ledger of a terminal, offline. Keys come from the charter or a policy, never from the ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hotline.civil import iso_utc
from hotline.cli.contradict import compare_records, conviction, fsck
from hotline.cli.exits import Exit, leave
from hotline.cli.groups import Commands
from hotline.cli.output import line, print_json
from hotline.cli.prove import destroy, disclose, export, prove, verify_proof
from hotline.cli.record import (
    Checked,
    announce,
    charter_option,
    check_record,
    cosigned_heads,
    json_option,
    party_option,
    policy_of,
    read_charter,
    store_option,
    terminal_option,
)
from hotline.cli.twowords import judge_evidence, two_words
from hotline.errors import Malformed, RemoteError, StorageError
from hotline.ledger.record import parse_leaf
from hotline.ledger.verify import Outcome
from hotline.runtime.recordfiles import open_record
from hotline.safetext import safe_line

_EXITS = {Outcome.VERIFIED: Exit.DONE, Outcome.UNDECIDED: Exit.UNDECIDED, Outcome.TAMPERED: Exit.TAMPERED}


@click.group(cls=Commands)
def audit() -> None:
    """The ledger: what this terminal said, received and decided, and who vouches for it.

    \b
    Example:
      hotline audit verify --store /var/lib/hotline/alpha --charter charter.note --party ALPHA

    Every command works offline, on a live store or on a copy of its ledger.db, and those that need no text and no table
    on an export as well. Exit 0 verified, 6 tampered or contradictory, 10 cannot decide. Nothing to check is never
    good.
    """


@audit.command("list")
@store_option
@click.option("--type", "kind", help="Only entries of this type, for example msg.recv.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The newest entries.")
@json_option
def list_entries(store: Path, kind: str | None, limit: int, as_json: bool) -> None:
    """List entries, newest last. Shows no message text: the ledger holds none. Reading a live store is recorded.

    \b
    Examples:
      hotline audit list --store /var/lib/hotline/alpha
      hotline audit list --store copy.db --type alarm --json
    """
    announce(store, "read", f"list {kind or 'all'}")
    shown, types = [], set()
    with open_record(store) as logs:
        for log in reversed(logs):
            for data in reversed(list(log.leaves())):
                try:
                    leaf = parse_leaf(data)
                except Malformed:
                    leave(Exit.TAMPERED, "there is an entry that is no lawful one; run: hotline audit verify")
                types.add(leaf.type)
                if kind is None or leaf.type == kind:
                    shown.append(leaf)
                if len(shown) >= limit:
                    break
    if kind is not None and not shown and not as_json:
        line(f"no entry is of the type {safe_line(kind)}; there are {', '.join(sorted(types))}")
    for leaf in reversed(shown[:limit]):
        if as_json:
            print_json(
                {
                    "schema": "hotline.entry/1",
                    "log_epoch": leaf.epoch,
                    "seq": leaf.seq,
                    "ts": leaf.ts,
                    "type": leaf.type,
                    "fields": dict(leaf.fields),
                    "private": sorted(leaf.commit),
                }
            )
        else:
            words = " ".join(f"{name}={safe_line(str(value), 80)}" for name, value in leaf.fields.items())
            line(f"{leaf.epoch}/{leaf.seq:<6d}  {leaf.ts}  {leaf.type:18} {words}")


@audit.command(short_help="Recompute a ledger; say who vouches for it.")
@store_option
@charter_option
@party_option
@terminal_option
@click.option(
    "--ratchet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The terminal's ratchet file, where its configuration puts it elsewhere.  [default: STORE.ratchet, if there]",
)
@json_option
def verify(store: Path, charter_path: Path, party: str, terminal: str, ratchet: Path | None, as_json: bool) -> None:
    """Recompute a whole ledger, compare it with its signed heads, and say who vouches up to which entry.

    \b
    Examples:
      hotline audit verify --store /var/lib/hotline/alpha --charter charter.note --party ALPHA
      hotline audit verify --store ledger.db --charter charter.note --party ALPHA --ratchet /mnt/alpha/head

    Exit 0 verified, 6 evidence of tampering (the first bad entry is named), 10 cannot decide.
    """
    charter = read_charter(charter_path)
    entry = charter.terminal(party, terminal)
    try:
        with open_record(store) as logs:
            checked = check_record(store, logs, charter, entry, ratchet=ratchet, progress=True)
    except StorageError as error:
        leave(Exit.UNDECIDED, str(error))
    for one in checked:
        _print_checked(one, store, as_json=as_json)
    worst = max((one.verdict.outcome for one in checked), key=list(_EXITS).index)
    sys.exit(int(_EXITS[worst]))


def _print_checked(one: Checked, path: Path, *, as_json: bool) -> None:
    verdict = one.verdict
    vouched = [
        {"by": name, "through": size, "at": iso_utc(unix * 1_000)}
        for name, (size, unix) in sorted(one.vouchers.items())
    ]
    if as_json:
        picture: dict[str, Any] = {
            "schema": "hotline.audit-verify/1",
            "origin": one.origin,
            "log_epoch": one.log.epoch,
            "outcome": verdict.outcome.value,
            "kind": verdict.kind,
            "text": verdict.text,
            "size": verdict.size,
            "root": verdict.root.hex() if verdict.outcome is Outcome.VERIFIED else "",
            "checkpoints": len(one.log.notes),
            "first_bad": verdict.first_bad,
            "good_through": verdict.good_through,
            "vouched": vouched,
        }
        print_json(picture)
        return
    line(f"{one.origin}   {path}")
    line(f"   {verdict.text}")
    if verdict.good_through and verdict.outcome is not Outcome.VERIFIED:
        line(f"   entries 0 to {verdict.good_through - 1} are as they were signed")
    if verdict.outcome is Outcome.VERIFIED:
        line(f"   {len(one.log.notes)} signed heads hold, root {verdict.root.hex()[:16]}")
    for text in _vouched_lines(one):
        line(f"   {text}")
    line(verdict.outcome.name)


def _vouched_lines(one: Checked) -> Iterator[str]:
    """Ranges of entries with everyone who vouches for them, the best vouched first."""
    begin, size = 0, one.verdict.good_through
    for through in sorted({min(size, held) for held, _ in one.vouchers.values()}):
        names = ", ".join(sorted(name for name, (held, _) in one.vouchers.items() if held >= through))
        if through > begin:
            yield f"entries {begin} to {through - 1} are vouched for by {names}"
        begin = max(begin, through)
    if size > begin:
        yield f"entries {begin} to {size - 1} only by this terminal"


@audit.command("witness-status", short_help="Who cosigned, up to where, and when.")
@store_option
@charter_option
@party_option
@terminal_option
@click.option("--entry", type=click.IntRange(0), metavar="SEQ", help="Does the quorum hold for this entry?")
@json_option
def witness_status(
    store: Path, charter_path: Path, party: str, terminal: str, entry: int | None, as_json: bool
) -> None:
    """Who cosigned the current ledger up to which entry, when, and whether that is a quorum.

    \b
    Examples:
      hotline audit witness-status --store /var/lib/hotline/alpha --charter charter.note --party ALPHA
      hotline audit witness-status --store copy.db --charter charter.note --party ALPHA --entry 17

    Exit 0 if the quorum of the charter is reached for some head (for one that holds SEQ), 10 if not, 6 if a
    cosignature does not hold.
    """
    charter = read_charter(charter_path)
    holder = charter.terminal(party, terminal)
    with open_record(store) as logs:
        log = logs[-1]
        policy = policy_of(charter, holder, log.epoch)
        known: dict[str, tuple[int, int]] = {}
        quorum = 0
        try:
            for _, vouched in cosigned_heads(log, policy):
                size = vouched.checkpoint.size
                for name, unix in vouched.witnesses.items():
                    known[name] = max(known.get(name, (0, 0)), (size, unix))
                quorum = max(quorum, size) if policy.satisfied(vouched.witnesses) else quorum
        except RemoteError as error:
            leave(Exit.TAMPERED, f"a cosignature of this log does not hold ({error})")
        entries = len(log.hashes)
    for witness in policy.witnesses:
        size, unix = known.get(witness.name, (0, 0))
        at = iso_utc(unix * 1_000) if unix else None
        if as_json:
            print_json({"schema": "hotline.witness/1", "name": witness.name, "through": size, "at": at})
        else:
            line(
                f"{witness.name:24} {f'through entry {size - 1}, {at}' if size else 'has cosigned nothing of this log'}"
            )
    asked = bool(policy.quorum)
    if not as_json:
        said = (
            f"quorum {policy.quorum} holds for {quorum} of {entries} entries"
            if asked
            else "the charter asks for no quorum"
        )
        line(said)
    reached = quorum > (entry or 0) if asked else bool(known) and entry is None
    sys.exit(int(Exit.DONE if reached else Exit.UNDECIDED))


for _command in (
    prove,
    disclose,
    verify_proof,
    export,
    destroy,
    compare_records,
    conviction,
    fsck,
    two_words,
    judge_evidence,
):
    audit.add_command(_command)
