"""`hotline doctor`: is this terminal fit for duty? Independent checks, each with what it means and what to do."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter
from hotline.charter.succession import standing
from hotline.cli.exits import Exit
from hotline.cli.expiries import expiries, told
from hotline.cli.output import line, print_json
from hotline.cli.terminalkey import config_option, materials_of, terminal_passphrase_option
from hotline.config import EndpointConfig, load_endpoint_config
from hotline.errors import HotlineError
from hotline.files import naming, read_public
from hotline.protocol.charters import kept_charter
from hotline.runtime.client import daemon
from hotline.runtime.lookups import stored_rows
from hotline.runtime.store import connect
from hotline.wire.v1 import operator_pb2

_REACH_SECONDS = 2.0
_FREE_BYTES_MIN = 256 * 1_048_576
_SLOW_FSYNC_MS = 100.0
_CLOCK_MS = 5_000
_EARLIEST_WALL = 1_767_225_600  # 2026-01-01: a clock before the program was written is wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    result: str
    text: str
    meaning: str = ""
    remedy: str = ""


def _ok(name: str, text: str) -> Finding:
    return Finding(name, "ok", text)


def _filed(config: EndpointConfig) -> Charter:
    return naming(config.charter, lambda: load_charter(read_public(config.charter)))


def _kept(config: EndpointConfig) -> Charter | None:
    """The charter that the store holds; None if there is no store, or one that cannot be read, which `store` tells."""
    path = config.store / "ledger.db"
    try:
        if not path.exists():
            return None
        with closing(connect(path, read_only=True)) as database:
            note = kept_charter(stored_rows(database, "fact"))
    except (HotlineError, OSError, sqlite3.Error):
        return None
    return None if note is None else naming(path, lambda: load_charter(note))


def _charter(config: EndpointConfig) -> Charter:
    """The one that the daemon stands under, or would: an amendment is in force before its file is in place."""
    filed, kept = _filed(config), _kept(config)
    return naming(config.charter, lambda: standing(filed, kept))


def _in_force(config: EndpointConfig) -> Finding:
    filed, charter = _filed(config), _charter(config)
    if filed.hash == charter.hash:
        return _ok("charter", f"{charter.hotline}, serial {charter.serial}")
    text = f"{config.charter} has serial {filed.serial}; in force here is serial {charter.serial}, of the store"
    meaning = "the daemon goes by the latter, and so do the checks below; with a new store it would not"
    return Finding("charter", "WARN", text, meaning, f"put the charter of serial {charter.serial} in its place")


def _keys(config: EndpointConfig, passphrase_file: Path | None) -> Finding:
    materials = materials_of(config, passphrase_file)
    return _ok("keys", f"charter, terminal key and pairwise secret belong together ({materials.charter.hotline})")


def _officers(config: EndpointConfig) -> Finding:
    charter = _charter(config)
    known = {officer.name for officer in charter.officers if officer.party == config.party}
    unknown = sorted({officer.name for officer in config.operator.officer} - known)
    if unknown:
        text = f"{', '.join(unknown)} stand in the configuration and not in the charter"
        return Finding("officers", "FAIL", text, "the peer cannot know who read", "name officers of the charter")
    if not config.operator.officer:
        return Finding("officers", "WARN", "none configured", "nobody can send or read", "add [[operator.officer]]")
    return _ok("officers", ", ".join(f"{officer.name} (uid {officer.uid})" for officer in config.operator.officer))


def _relays(config: EndpointConfig) -> Finding:
    charter = _charter(config)
    unreachable = []
    for relay in charter.relays:
        address = config.relays.get(relay.name, relay.address)
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS):
                pass
        except OSError as error:
            unreachable.append(f"{relay.name} {address} ({error.strerror or error})")
    left = len(charter.relays) - len(unreachable)
    if unreachable:
        result = "FAIL" if left == 0 else "WARN"
        meaning = f"{left} of {len(charter.relays)} relays left" + (
            "; one more loss and the line is down" if left == 1 else ""
        )
        return Finding(
            "relays",
            result,
            "unreachable: " + ", ".join(unreachable),
            meaning,
            "on that relay: hotline-relay check --health",
        )
    if strange := config.strangers(relay.name for relay in charter.relays):
        text = f"in the configuration and not in the charter: {', '.join(strange)}"
        return Finding("relays", "WARN", text, "nothing comes of it", "correct the names in [relays] and [profile]")
    return _ok("relays", f"{left} reachable")


def _probe(folder: Path) -> float:
    """Milliseconds until a few bytes are durable. Raises OSError."""
    begun = time.monotonic()
    # Under a name that nobody knows ahead, and never over a file or through a link that lies there.
    probe = folder / f".doctor-{secrets.token_hex(8)}"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, b"probe")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)
    return (time.monotonic() - begun) * 1_000


def _disk(config: EndpointConfig) -> Finding:
    folder = config.store if config.store.exists() else config.store.parent
    try:
        free, took = shutil.disk_usage(folder).free, _probe(folder)
    except OSError as error:
        text = f"{folder}: cannot be written ({error.strerror})"
        return Finding("disk", "FAIL", text, "the daemon could store nothing", "make it a folder of the daemon's user")
    text = f"{folder}: {free // 1_048_576} MiB free, fsync {took:.1f} ms"
    if free < _FREE_BYTES_MIN:
        return Finding("disk", "FAIL", text, "the daemon stops when the disk is full", "free space or move the store")
    if took > _SLOW_FSYNC_MS:
        return Finding(
            "disk",
            "WARN",
            text,
            "every statement waits for the disk",
            "use a disk with a write cache that keeps its word",
        )
    return _ok("disk", text)


def _store(config: EndpointConfig) -> Finding:
    path = config.store / "ledger.db"
    if not path.exists():
        return Finding("store", "WARN", f"{path} does not exist yet", "this terminal has never run", "")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding(
            "store", "FAIL", f"{path} has mode {mode:04o}", "others can read statements", f"chmod 600 {path}"
        )
    with closing(connect(path, read_only=True)) as database:
        entries = database.execute("SELECT COUNT(*) FROM entry").fetchone()[0]
        size = database.execute("SELECT COALESCE(MAX(seq) + 1, 0) FROM entry WHERE note IS NOT NULL").fetchone()[0]
    if entries != size:
        return Finding(
            "store", "FAIL", f"{entries} entries, signed {size}", "the ledger was altered", "hotline audit verify"
        )
    return _ok("store", f"{entries} entries, signed head agrees")


def _clock(config: EndpointConfig) -> Finding:
    del config
    if time.time() < _EARLIEST_WALL:
        return Finding("clock", "FAIL", "set before 2026", "written times will be wrong; nothing else", "set the clock")
    return _ok("clock", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _daemon(config: EndpointConfig) -> Finding:
    with daemon(str(config.operator.socket)) as stub:
        picture = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
    offset = picture["peer"]["clock_offset_ms"]
    if picture["link"] != "up":
        return Finding("daemon", "WARN", "running, peer not heard", "statements are queued", "hotline status")
    if offset is not None and abs(offset) > _CLOCK_MS:
        return Finding(
            "daemon",
            "WARN",
            f"clock differs from the peer's by {offset} ms",
            "written times will not agree",
            "set the clock",
        )
    up = sum(1 for path in picture["paths"] if path["state"] == "up")
    return _ok("daemon", f"running, peer heard on {up} of {len(picture['paths'])} paths")


def _validity(config: EndpointConfig) -> Finding:
    """Cards and certificates carry dates; a daemon goes on after them, people should not be surprised by it."""
    found = expiries(_charter(config), time.strftime("%Y-%m-%d", time.gmtime()))
    soon = [told(one) for one in found if one.within is not None]
    if soon:
        result = "FAIL" if found[0].within == 0 else "WARN"
        text = "; ".join(soon[:5])
        return Finding("validity", result, text, "", "renew them by an amendment: hotline charter reactivate")
    return _ok("validity", f"the first to end: {told(found[0])}")


def _counted(found: Sequence[Finding], word: str) -> str:
    return f"{len(found)} {word}{'' if len(found) == 1 else 's'}"


Check = Callable[[EndpointConfig], Finding]
_CHECKS: tuple[tuple[str, Check], ...] = (
    ("charter", _in_force),
    ("validity", _validity),
    ("officers", _officers),
    ("clock", _clock),
    ("disk", _disk),
    ("store", _store),
    ("relays", _relays),
    ("daemon", _daemon),
)


@click.command()
@config_option
@terminal_passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def doctor(config_path: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Check configuration, keys, charter, officers, clock, disk, store, relays and daemon, each by itself.

    \b
    Example:
      hotline doctor --config /etc/hotline/alpha.toml

    Exit 0 if nothing failed, 1 otherwise.
    """
    config = load_endpoint_config(config_path)
    found = [_ok("config", f"{config_path}: no unknown keys")]
    keys: Check = partial(_keys, passphrase_file=passphrase_file)
    for name, check in (("keys", keys), *_CHECKS):
        try:
            found.append(check(config))
        except (HotlineError, OSError, sqlite3.Error, click.UsageError) as error:
            found.append(Finding(name, "FAIL", str(error)))
    failures = [finding for finding in found if finding.result == "FAIL"]
    warnings = [finding for finding in found if finding.result == "WARN"]
    if as_json:
        findings = [
            {"name": f.name, "result": f.result.lower(), "text": f.text, "meaning": f.meaning, "do": f.remedy}
            for f in found
        ]
        print_json(
            {"schema": "hotline.doctor/1", "failures": len(failures), "warnings": len(warnings), "checks": findings}
        )
    else:
        for finding in found:
            line(f"{finding.result:5} {finding.name:10} {finding.text}")
            if finding.meaning:
                line(f"      {'meaning':10} {finding.meaning}")
            if finding.remedy:
                line(f"      {'do':10} {finding.remedy}")
        line(f"{_counted(failures, 'failure')}, {_counted(warnings, 'warning')}")
    sys.exit(int(Exit.FIXABLE if failures else Exit.DONE))
