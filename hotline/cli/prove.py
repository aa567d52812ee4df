"""`hotline audit prove, verify-proof, disclose, export, destroy`: an entry or the whole record, for others to check."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path

import click

from hotline.cli.exits import Exit, agree, leave
from hotline.cli.output import line, print_json
from hotline.cli.quoted import print_quoted
from hotline.cli.record import (
    POLICY_HELP,
    announce,
    charter_option,
    cosigned_heads,
    database_option,
    json_option,
    party_option,
    policy_of,
    read_charter,
    store_option,
    terminal_option,
)
from hotline.cli.terminalkey import config_option, materials_of, terminal_passphrase_option
from hotline.config import load_endpoint_config
from hotline.errors import ConfigError, KeyFileError, Malformed, RemoteError, Untrusted
from hotline.files import new_folder, read_public, write_new
from hotline.ledger.policy import Policy, Vouched, open_cosigned, parse_policy
from hotline.ledger.proof import PROOF_BYTES_MAX, make_proof, verify_cosigned
from hotline.ledger.record import Leaf, Opening, check_opening, parse_leaf
from hotline.limits import LEAF_BYTES_MAX
from hotline.runtime.recordfiles import LogFiles, open_record, write_export
from hotline.safetext import safe_block

seq_argument = click.argument("seq", type=click.IntRange(0))
epoch_option = click.option("--log-epoch", type=click.IntRange(1), help="Another log epoch than the current one.")
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder for the files.  [default: .]",
)


def _log(logs: list[LogFiles], log_epoch: int | None) -> LogFiles:
    for log in logs:
        if log.epoch == (log_epoch or logs[-1].epoch):
            return log
    raise ConfigError(f"there is no log epoch {log_epoch}; there are {', '.join(str(log.epoch) for log in logs)}")


def _best_note(log: LogFiles, seq: int, policy: Policy) -> bytes:
    """The head to prove an entry under: the newest with a quorum, else with any cosignature, else the newest."""
    newest = log.newest(log.notes)
    heads = [*cosigned_heads(log, policy), *([(newest, open_cosigned(newest, policy))] if newest else [])]
    covering = [(note, vouched) for note, vouched in heads if vouched.checkpoint.size > seq]
    if not covering:
        raise ConfigError(f"no head that others may be shown covers entry {seq} yet; try again when one does")

    def rank(head: tuple[bytes, Vouched]) -> tuple[bool, int, int]:
        _, vouched = head
        return policy.satisfied(vouched.witnesses), len(vouched.witnesses), vouched.checkpoint.size

    return max(covering, key=rank)[0]


def _prove(
    store: Path, charter_path: Path, party: str, terminal: str, seq: int, log_epoch: int | None
) -> tuple[LogFiles, bytes, bytes]:
    """The log, the leaf and the proof of one entry."""
    charter = read_charter(charter_path)
    entry = charter.terminal(party, terminal)
    with open_record(store) as logs:
        log = _log(logs, log_epoch)
        if log.read is None:
            raise ConfigError(f"{store}: an export; proofs are made from a store or a copy of its ledger.db")
        leaf = next((data for index, data in enumerate(log.leaves()) if index == seq), None)
        if leaf is None:
            raise ConfigError(f"there is no entry {seq} in log epoch {log.epoch}")
        note = _best_note(log, seq, policy_of(charter, entry, log.epoch))
        return log, leaf, make_proof(seq, note, log.read).encode()


@click.command(short_help="Prove one entry to a third party.")
@seq_argument
@database_option
@charter_option
@party_option
@terminal_option
@epoch_option
@out_option
def prove(
    seq: int, store: Path, charter_path: Path, party: str, terminal: str, log_epoch: int | None, out: Path
) -> None:
    """Prove one entry to a third party without showing any other: a leaf and a C2SP proof with its cosignatures.

    \b
    Example:
      hotline audit prove 17 --store /var/lib/hotline/alpha --charter charter.note --party ALPHA --out case-17

    The third party needs the policy (hotline charter policy) and: hotline audit verify-proof. Nothing private is shown.
    """
    announce(store, "prove", f"entry {seq}")
    log, leaf, proof = _prove(store, charter_path, party, terminal, seq, log_epoch)
    stem = _write(out, log, seq, leaf, proof)
    line(f"{stem}.leaf, {stem}.tlog-proof: written")


def _write(out: Path, log: LogFiles, seq: int, leaf: bytes, proof: bytes) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be made ({error.strerror})") from error
    stem = out / f"{log.epoch}-{seq}"
    write_new(stem.with_suffix(".leaf"), leaf)
    write_new(stem.with_suffix(".tlog-proof"), proof)
    return stem


@click.command(short_help="Prove one entry and open fields of it.")
@seq_argument
@click.option("--fields", required=True, help="What to open, with commas between: body,precedence,drafter,officer.")
@config_option
@terminal_passphrase_option
@epoch_option
@out_option
def disclose(
    seq: int, fields: str, config_path: Path, passphrase_file: Path | None, log_epoch: int | None, out: Path
) -> None:
    """Prove one entry and open the named private fields of it, and nothing else. The disclosure is recorded first.

    \b
    Example:
      hotline audit disclose 17 --fields body --config /etc/hotline/alpha.toml --out case-17
    """
    from hotline.runtime.contentkeys import ContentKeys
    from hotline.runtime.openings import openings_of
    from hotline.runtime.store import KEY_FOLDER, connect

    config = load_endpoint_config(config_path)
    materials = materials_of(config, passphrase_file)
    wanted = [name.strip() for name in fields.split(",") if name.strip()]
    log, leaf, proof = _prove(config.store, config.charter, config.party, config.terminal, seq, log_epoch)
    parsed = parse_leaf(leaf)
    known = sorted(parsed.commit)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise ConfigError(
            f"entry {seq} has no private {', '.join(unknown) or 'field named'}; it has: {', '.join(known) or 'none'}"
        )
    announce(config.store, "disclose", f"entry {seq} of log {log.epoch}: {', '.join(wanted)}")
    keys = ContentKeys(config.store / KEY_FOLDER, materials.secret.storage)
    with closing(connect(config.store / "ledger.db", read_only=True)) as database:
        found = openings_of(database, keys, log.epoch, parsed)
    if found is None:
        leave(
            Exit.UNDECIDED, f"what entry {seq} commits to was destroyed when its time was over; it can only be proved"
        )
    openings = [opening for opening in found if opening.tag in wanted]
    _hold(parsed, openings)
    stem = _write(out, log, seq, leaf, proof)
    write_new(stem.with_suffix(".opening"), spell_disclosure(openings))
    line(f"{stem}.leaf, {stem}.tlog-proof, {stem}.opening: written; the opening shows {', '.join(wanted)}")


def _hold(leaf: Leaf, openings: list[Opening]) -> None:
    """Nothing leaves that `leaf` does not commit to, whatever rests in the store. Raises KeyFileError."""
    for one in openings:
        try:
            check_opening(leaf, one)
        except Untrusted as error:
            what = f"what rests in the store is not the {one.tag} that entry {leaf.seq} commits to"
            raise KeyFileError(f"{what}: it can only be proved, and nothing was written") from error


def spell_disclosure(openings: list[Opening]) -> bytes:
    """Openings as JSON that a person can read: tag to salt (hex) and value (text)."""
    values = {tag: {"salt": salt.hex(), "value": value.decode("utf-8", "replace")} for tag, salt, value in openings}
    return json.dumps(values, ensure_ascii=True, sort_keys=True, indent=1).encode("ascii") + b"\n"


def read_disclosure(data: bytes) -> list[Opening]:
    """Undo `spell_disclosure`. Raises Malformed."""
    try:
        values = json.loads(data)
        return [Opening(tag, bytes.fromhex(one["salt"]), one["value"].encode()) for tag, one in values.items()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Malformed("opening", "not a disclosure") from error


@click.command("verify-proof", short_help="Check a proof; needs no store.")
@click.argument("proof", type=click.Path(path_type=Path))
@click.option(
    "--policy", "policy_path", type=click.Path(path_type=Path), required=True, metavar="POLICY", help=POLICY_HELP
)
@click.option("--leaf", "leaf_path", type=click.Path(path_type=Path), required=True, metavar="LEAF", help="The entry.")
@click.option("--opening", type=click.Path(path_type=Path), metavar="FILE", help="Fields that were disclosed with it.")
@json_option
def verify_proof(proof: Path, policy_path: Path, leaf_path: Path, opening: Path | None, as_json: bool) -> None:
    """Check that an entry is in a ledger that its key signed and a quorum of witnesses cosigned. Needs no store.

    \b
    Example:
      hotline audit verify-proof --policy policy.txt --leaf 1-17.leaf --opening 1-17.opening 1-17.tlog-proof

    Exit 0 proved, 6 it does not hold, 10 cannot decide (unknown log, no quorum).
    """
    policy_data = read_public(policy_path)
    try:
        policy = parse_policy(policy_data)
    except RemoteError as error:
        raise ConfigError(f"{policy_path}: not a policy ({error})") from error
    data, leaf_data = read_public(proof, PROOF_BYTES_MAX), read_public(leaf_path, LEAF_BYTES_MAX)
    outcome, text, openings = _judge(data, leaf_data, opening, policy)
    if as_json:
        print_json(
            {
                "schema": "hotline.proof/1",
                "outcome": outcome.name.lower(),
                "text": text,
                "opened": {one.tag: one.value.decode("utf-8", "replace") for one in openings},
            }
        )
    else:
        line(text)
        for one in openings:
            line(f"{one.tag}:")
            print_quoted(safe_block(one.value.decode("utf-8", "replace")))
        line({Exit.DONE: "PROVED", Exit.TAMPERED: "DOES NOT HOLD"}.get(outcome, "CANNOT DECIDE"))
    sys.exit(int(outcome))


def _judge(data: bytes, leaf_data: bytes, opening: Path | None, policy: Policy) -> tuple[Exit, str, list[Opening]]:
    try:
        proven = verify_cosigned(data, leaf_data, policy)
        openings = [] if opening is None else read_disclosure(read_public(opening))
        for one in openings:
            check_opening(proven.leaf, one)
    except Untrusted as error:
        undecided = error.reason in ("no-quorum", "unknown-log", "unverified")
        return Exit.UNDECIDED if undecided else Exit.TAMPERED, str(error), []
    except Malformed as error:
        return Exit.TAMPERED, str(error), []
    names = ", ".join(sorted(proven.witnesses)) or "no witness"
    return Exit.DONE, f"{_about(proven.leaf)} of {proven.checkpoint.origin}; cosigned by {names}", openings


def _about(leaf: Leaf) -> str:
    return f"entry {leaf.seq}, {leaf.type}, {leaf.ts}"


@click.command(short_help="Write the ledger as C2SP tiles.")
@store_option
@click.option("--tiles", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A new folder.")
def export(store: Path, tiles: Path) -> None:
    """Write the whole ledger as C2SP tiles, one folder for each log epoch, for programs of others. Texts are not in it.

    \b
    Example:
      hotline audit export --store /var/lib/hotline/alpha --tiles export/

    What was entered since a start that nobody has vouched for is in it, behind the head that others know.
    """
    if tiles.exists():
        raise ConfigError(f"{tiles}: exists already; name a new folder")
    announce(store, "export", str(tiles))
    with open_record(store) as logs:
        if not any(log.notes for log in logs):
            leave(Exit.UNDECIDED, f"{store}: an empty ledger; there is nothing to export")
        with new_folder(tiles):
            sizes = {log.epoch: _export(log, tiles / str(log.epoch)) for log in logs if log.notes}
        for epoch, size in sizes.items():
            line(f"{tiles / str(epoch)}: {size} entries")


def _export(log: LogFiles, folder: Path) -> int:
    if not sys.stderr.isatty():
        return write_export(log, folder, lambda _: None)
    with click.progressbar(length=len(log.hashes), label=f"log {log.epoch}", file=sys.stderr) as bar:
        return write_export(log, folder, lambda done: bar.update(done - bar.pos))


@click.command(short_help="Destroy the texts of a month.")
@click.argument("month", metavar="YYYY-MM")
@config_option
@terminal_passphrase_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(month: str, config_path: Path, passphrase_file: Path | None, yes: bool) -> None:
    """Destroy the content key of a month: its texts are gone for good, its entries and proofs stay. It is recorded.

    \b
    Example:
      hotline audit destroy 2026-01 --config /etc/hotline/alpha.toml
    """
    from hotline.cli.artefacts import can_ask
    from hotline.runtime.contentkeys import ContentKeys, period_of
    from hotline.runtime.store import KEY_FOLDER

    config = load_endpoint_config(config_path)
    keys = ContentKeys(config.store / KEY_FOLDER, materials_of(config, passphrase_file).secret.storage)
    if month not in keys.periods():
        raise ConfigError(f"{month}: there is no such content key; there are: {', '.join(keys.periods()) or 'none'}")
    if month == period_of(time.time_ns() // 1_000_000):
        raise ConfigError(f"{month}: the key in use cannot be destroyed before its month is over")
    if not yes:
        if not can_ask():
            raise click.UsageError("no terminal to ask at: give --yes")
        agree(f"Destroy every text of {month} in every copy of this store?", "nothing was destroyed")
    announce(config.store, "destroy", month)
    keys.destroy(month)
    line(f"{month}: destroyed; a running daemon that has used the key forgets it at its next start")
