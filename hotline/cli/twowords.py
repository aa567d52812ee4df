"""`hotline audit two-words, judge`: what one of several parties said to us and to another, under one serial."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from hotline.cli.exits import Exit, leave
from hotline.cli.output import line, print_json
from hotline.cli.record import announce, charter_option, json_option, read_charter
from hotline.cli.terminalkey import config_option, materials_of, terminal_passphrase_option
from hotline.config import load_endpoint_config
from hotline.errors import ConfigError, RemoteError
from hotline.files import read_public, write_new
from hotline.machine import Plane
from hotline.protocol.twowords import TwoWords, judge, parse, spell
from hotline.safetext import safe_line
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2


@click.command("two-words", short_help="Both statements that a party signed under one serial.")
@click.argument("party")
@click.argument("serial", type=click.IntRange(1))
@click.option("--exercise", is_flag=True, help="On the exercise plane.")
@config_option
@terminal_passphrase_option
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make.")
def two_words(
    party: str, serial: int, exercise: bool, config_path: Path, passphrase_file: Path | None, out: Path
) -> None:
    """Write what PARTY signed as SERIAL for us, and what it signed for another, after the alarm said-otherwise.

    \b
    Example:
      hotline audit two-words ALPHA 7 --config /etc/hotline/bravo.toml --out alpha-7.evidence

    Whoever has the charter can judge the file: hotline audit judge. It holds both texts; that it was made is recorded.
    """
    from hotline.runtime.contentkeys import ContentKeys
    from hotline.runtime.lookups import Lookups, scopes, show_party
    from hotline.runtime.store import KEY_FOLDER, connect

    config = load_endpoint_config(config_path)
    materials = materials_of(config, passphrase_file)
    materials.charter.party(party)
    plane, path = Plane.EXERCISE if exercise else Plane.REAL, config.store / "ledger.db"
    announce(config.store, "disclose", f"what {party} said as #{serial} ({plane}), to us and to another")
    with closing(connect(path, read_only=True)) as database:
        whose = party if party in scopes(database) else ""
        if whose:
            show_party(database, whose)
        rows = Lookups(path, database, ContentKeys(config.store / KEY_FOLDER, materials.secret.storage), whose)
        kept = [row["content"] for row in rows.rows("told") if (row["plane"], row["serial"]) == (plane.value, serial)]
        own = rows.received_signed(plane, serial)
    if not kept or own is None:
        raise ConfigError(f"nothing is kept of #{serial} of {party} ({plane}) that contradicts it: nothing was written")
    assert isinstance(kept[0], bytes)
    told = decode(content_pb2.Told, kept[0], 65_536)
    words = TwoWords(told.terminal, plane, ((own.content, own.signature), (told.content, told.signature)))
    write_new(out, spell(words), 0o600)
    line(f"{out}: both statements as {party} signed them; hotline audit judge {out} --charter {config.charter}")


@click.command("judge", short_help="Did one party sign two statements under one serial?")
@click.argument("evidence", type=click.Path(path_type=Path))
@charter_option
@json_option
def judge_evidence(evidence: Path, charter_path: Path, as_json: bool) -> None:
    """Check both signatures in EVIDENCE by the charter's key, and whether the two statements contradict each other.

    \b
    Example:
      hotline audit judge alpha-7.evidence --charter charter.note

    Exit 6 they do: their signer is convicted; 0 both can be true; 10 one of them does not hold: nobody is convicted.
    """
    charter = read_charter(charter_path)
    try:
        words = parse(read_public(evidence))
        found = judge(words, charter)
    except RemoteError as error:
        leave(Exit.UNDECIDED, f"{evidence}: does not hold ({error}): it convicts nobody")
    signer = charter.terminal_number(words.terminal)
    text = "both can be true: nobody is convicted"
    if found is not None:
        text = f"{signer.party}/{signer.name} signed two statements as #{found[0].serial} ({words.plane})"
    if as_json:
        print_json({"schema": "hotline.conviction/1", "kind": None if found is None else "TWO-WORDS", "text": text})
    else:
        line(text if found is None else f"TWO-WORDS: {text}")
        for statement in found or ():
            line(f"  {statement.date_time_group}  {safe_line(statement.text, 200)}")
    sys.exit(int(Exit.DONE if found is None else Exit.TAMPERED))
