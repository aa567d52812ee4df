"""`hotline courier`: bundles for the time when no path lives (docs/protocol.md section 17)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from hotline.charter.model import load_charter
from hotline.civil import iso_utc
from hotline.cli.exits import Exit, need_accepted
from hotline.cli.groups import Commands
from hotline.cli.officer import json_option, socket_option
from hotline.cli.output import line, print_json
from hotline.crypto.fingerprint import digits
from hotline.errors import ConfigError, Malformed
from hotline.files import naming, read_public, write_new
from hotline.limits import BUNDLE_BYTES_MAX, BUNDLE_PIECE_BYTES
from hotline.protocol.bundle import Bundle, bundle_name, read_bundle, verify_bundle
from hotline.runtime.client import daemon
from hotline.wire.v1 import operator_pb2


@click.group(cls=Commands)
def courier() -> None:
    """Bundles: what no path carries, as a file that a courier takes to the peer.

    A bundle holds the same sealed and signed envelopes as a relay would get. Whoever opens the courier's bag learns
    what a relay learns: who writes to whom, how many, how long and when.

    \b
    Example:
      hotline courier export to-bravo.bundle
    """


@courier.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to", "terminal", default="", metavar="TERMINAL", help="Of the peer's terminals.  [default: who speaks]"
)
@socket_option
@json_option
def export_(file: Path, terminal: str, socket: str | None, as_json: bool) -> None:
    """Write FILE with every statement that the peer has not acknowledged, and receipts for what came from it.

    \b
    Examples:
      hotline courier export to-bravo.bundle
      hotline courier export /media/bag/to-bravo.bundle > manifest.txt
      hotline courier export to-bravo.bundle --to alt

    Prints the manifest that goes with the courier. What is in a bundle stays queued until the peer's receipt comes, by
    a path or in a bundle from there; exporting again takes it along again, and nothing is shown twice.
    A bundle is for one terminal: of a peer with several, the one that speaks unless --to names another.
    Exit 1 if FILE exists; 8 for a caller who is no officer.
    """
    if file.exists():
        raise ConfigError(f"{file}: exists already and is not overwritten; move it away or choose another name")
    with daemon(socket) as stub:
        answers = list(stub.ExportBundle(operator_pb2.ExportBundleRequest(terminal=terminal)))
        picture = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
    first = answers[0]
    need_accepted(first)
    data = b"".join(answer.piece for answer in answers)
    write_new(file, data, 0o600)
    peer = picture["peer"]
    ends = [f"{picture['party']}/{picture['terminal']}", f"{peer['party']}/{first.terminal or peer['terminal']}"]
    _print(read_bundle(data), data, as_json, ends, note=first.text)


@courier.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@socket_option
@json_option
def import_(file: Path, socket: str | None, as_json: bool) -> None:
    """Take what a courier has brought in FILE; importing it again changes nothing.

    \b
    Examples:
      hotline courier import from-alpha.bundle
      hotline courier import from-alpha.bundle --json | jq .statements

    Exit 4 if the bundle is not as the peer's terminal made it or is for somebody else: nothing was taken then.
    """
    data = _read(file)
    pieces = (data[start : start + BUNDLE_PIECE_BYTES] for start in range(0, len(data), BUNDLE_PIECE_BYTES))
    with daemon(socket) as stub:
        answer = stub.ImportBundle(_requests(pieces))
    need_accepted(answer, Exit.UNTRUSTED)
    if as_json:
        print_json(
            {
                "schema": "hotline.courier-import/1",
                "bundle": bundle_name(data).hex(),
                "envelopes": answer.envelopes,
                "statements": answer.statements,
                "delivered": answer.delivered,
                "refused": answer.refused,
            }
        )
        return
    line(answer.text)


@courier.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--charter", type=click.Path(path_type=Path), help="Also check by this charter who made it.")
@json_option
def show(file: Path, charter: Path | None, as_json: bool) -> None:
    """Print the manifest of FILE, to be compared with the one that the courier carries.

    \b
    Examples:
      hotline courier show from-alpha.bundle
      hotline courier show from-alpha.bundle --charter charter.note

    Exit 4 if it is no bundle, or not one of a terminal of the charter.
    """
    data = _read(file)
    try:
        bundle = naming(file, partial(read_bundle, data))
    except Malformed as error:
        if error.reason != "unreadable":
            raise
        raise Malformed(error.reason, f"{file}: no courier bundle, or a damaged one") from error
    note, ends = "", ["", ""]
    if charter is not None:
        loaded = load_charter(read_public(charter))
        terminals = {one.number: one for one in loaded.terminals}
        if loaded.founding != bundle.charter or not {bundle.sender, bundle.recipient} <= terminals.keys():
            raise Malformed("address", "the bundle is of another charter")
        verify_bundle(bundle, terminals[bundle.sender].signing)
        ends = [f"{one.party}/{one.name}" for one in (terminals[bundle.sender], terminals[bundle.recipient])]
        note = f"signed by {ends[0]}, as the charter pins it"
    _print(bundle, data, as_json, ends, note=note)


def _requests(pieces: Iterator[bytes]) -> Iterator[operator_pb2.ImportBundleRequest]:
    for piece in pieces:
        yield operator_pb2.ImportBundleRequest(piece=piece)


def _read(file: Path) -> bytes:
    data = read_public(file, BUNDLE_BYTES_MAX)
    if not data:
        raise Malformed("too-short", f"{file} is empty")
    return data


def _print(bundle: Bundle, data: bytes, as_json: bool, ends: Sequence[str], note: str) -> None:
    picture = _json(bundle, data)
    if as_json:
        print_json(picture)
        return
    line("HOTLINE COURIER BUNDLE")
    line(f"FROM        {_end(bundle.sender, ends[0])}")
    line(f"TO          {_end(bundle.recipient, ends[1])}")
    line(f"MADE        {picture['made']}")
    line(f"CHARTER     {bundle.charter.hex()}")
    line(f"ENVELOPES   {len(bundle.envelopes)}")
    line(f"SIZE        {len(data)} bytes")
    line(f"CHECK       {picture['check']}")
    if note:
        line(f"NOTE        {note}")


def _end(number: int, name: str) -> str:
    return f"{name}, terminal {number}" if name else f"terminal {number}"


def _json(bundle: Bundle, data: bytes) -> dict[str, Any]:
    """Schema hotline.courier/1."""
    return {
        "schema": "hotline.courier/1",
        "from": bundle.sender,
        "to": bundle.recipient,
        "made": iso_utc(bundle.made_ms),
        "charter": bundle.charter.hex(),
        "envelopes": len(bundle.envelopes),
        "bytes": len(data),
        "sha256": bundle_name(data).hex(),
        "check": digits(bundle_name(data)),
    }
