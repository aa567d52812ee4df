"""`hotline demo`: a complete hotline on this machine, every line a real check on real processes."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from hotline.charter.body import CHANNEL_TEST_DEFAULT
from hotline.charter.model import load_charter
from hotline.cli.exits import Exit
from hotline.cli.output import line, precedence_word, print_json, to_type
from hotline.crypto.fingerprint import fingerprint, joint_safety_number
from hotline.drill.rehearsal import RehearsedTerminal
from hotline.drill.stage import Stage, operator, paths_up, short_folder, status_of, wait_until
from hotline.drill.tap import Tap
from hotline.errors import HotlineError, LocalError
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.verify import Outcome, Verdict, verify_log
from hotline.runtime import interrupts
from hotline.runtime.ledgerstore import read_log
from hotline.runtime.store import connect
from hotline.wire.v1 import content_pb2, operator_pb2
from relay.store import row_checksum

ENGLISH = "Our air exercise begins 14:30 PKT today and ends at 18:00."
URDU = "ہم نے آپ کا پیغام پڑھ لیا ہے۔ مشق 14:30 PKT پر شروع ہوگی۔"
SURVIVORS = 20
WAITING = "This statement waits at the relays while the other capital is away."


class Demo:
    """The ten steps. Each returns what it found, or raises HotlineError naming what did not hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stage = Stage(folder, witnesses=1, channel_test_ms=CHANNEL_TEST_DEFAULT)
        self.capture = folder / "wire.capture"
        self.times: list[tuple[str, str, float, float, float]] = []

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Names and checks, in order."""
        return [
            ("keys", self.keys),
            ("relays", self.relays),
            ("endpoints", self.endpoints),
            ("A to B", self.alpha_speaks),
            ("B to A", self.bravo_speaks),
            ("witness", self.witness),
            ("failover", self.failover),
            ("snoop", self.snoop),
            ("tamper", self.tamper),
            ("audit", self.audit),
        ]

    def keys(self) -> str:
        """Both sides compute the joint number from the charter that both signed."""
        charter = load_charter(self.stage.rehearsal.charter.read_bytes())
        prints = [fingerprint("identity", party.identity) for party in charter.parties]
        here, there = joint_safety_number(prints[0], prints[1]), joint_safety_number(prints[1], prints[0])
        _hold(here == there, "both sides read out the same joint number")
        _hold(charter.signed_by == ("ALPHA", "BRAVO"), "both parties signed the charter")
        return f"charter signed by ALPHA and BRAVO; joint number {' '.join(here.split()[:3])} ... on both sides"

    def relays(self) -> str:
        """Three processes listen."""
        for relay in self.stage.relays:
            self.stage.start_relay(relay)
        for witness in self.stage.witnesses:
            self.stage.start_witness(witness)
        return "  ".join(f"{one.name} {one.address}" for one in (*self.stage.relays, *self.stage.witnesses)) + " up"

    def endpoints(self) -> str:
        """Both capitals hear each other on every path."""
        count = len(self.stage.relays)
        for terminal in self.stage.rehearsal.terminals:
            self.stage.start_endpoint(terminal)
        for terminal in self.stage.rehearsal.terminals:
            wait_until(lambda one=terminal: paths_up(one) == count, f"{terminal.party} to hear its peer on every path")  # type: ignore[misc]
        return f"ALPHA and BRAVO up; signed heartbeats both ways over {count} relays"

    def alpha_speaks(self) -> str:
        """A FLASH, delivered and read."""
        return self._say(self.stage.alpha, self.stage.bravo, ENGLISH, "en", content_pb2.PRECEDENCE_FLASH)

    def bravo_speaks(self) -> str:
        """The answer, in Urdu."""
        return self._say(self.stage.bravo, self.stage.alpha, URDU, "ur", content_pb2.PRECEDENCE_FLASH)

    def _say(
        self,
        sender: RehearsedTerminal,
        reader: RehearsedTerminal,
        text: str,
        lang: str,
        precedence: content_pb2.Precedence.ValueType,
    ) -> str:
        serial = _submit(sender, text, lang, precedence)
        wait_until(lambda: _sent(sender, serial).delivered_ms > 0, f"#{serial} to be delivered")
        with operator(reader) as stub:
            answer = stub.Read(operator_pb2.ReadRequest(serial=serial))
        _hold(answer.accepted and answer.statement.text == text, "the text arrived unaltered")
        wait_until(lambda: _sent(sender, serial).read_ms > 0, f"#{serial} to be read")
        view = _sent(sender, serial)
        relayed, delivered, read = (
            at - view.composed_ms for at in (view.relayed_ms or view.delivered_ms, view.delivered_ms, view.read_ms)
        )
        word = precedence_word(precedence)
        self.times.append((f"{sender.party} #{serial}", word, relayed, delivered, read))
        kind = f'"{text[:23]}..."' if lang == "en" else f"(Urdu, {len(text)} characters)"
        return (
            f"{word} #{serial} {kind} relayed {relayed} ms, delivered {delivered} ms, read {read} ms by {view.read_by}"
        )

    def failover(self) -> str:
        """A relay dies by kill -9 while statements flow; each arrives once."""
        alpha, bravo = self.stage.alpha, self.stage.bravo
        dead = self.stage.relays[0].name
        serials = []
        for number in range(SURVIVORS):
            if number == SURVIVORS // 3:
                self.stage.kill(dead)
            serials.append(
                _submit(alpha, f"Statement {number + 1} of {SURVIVORS}.", "en", content_pb2.PRECEDENCE_PRIORITY)
            )
        wait_until(
            lambda: all(_sent(alpha, serial).delivered_ms for serial in serials), "every statement to be delivered"
        )
        slowest = max(view.delivered_ms - view.composed_ms for view in (_sent(alpha, serial) for serial in serials))
        arrived = _received(bravo)
        _hold([serial for serial in arrived if serial in serials] == serials, "each statement arrived once, in order")
        wait_until(lambda: _state_of(alpha, dead) == "down", f"ALPHA to see that {dead} is down")
        return f"{dead} killed (kill -9) among {SURVIVORS} statements: 0 lost, 0 twice, slowest {slowest} ms"

    def snoop(self) -> str:
        """No text in relay stores, on the wire, or in any log."""
        places = [path for relay in self.stage.relays for path in (relay.folder / "store").iterdir() if path.is_file()]
        places += [self.capture, *self.folder.glob("*.log")]
        needles = [ENGLISH.encode(), URDU.encode(), b"Statement 1 of"]
        searched = 0
        for place in places:
            data = place.read_bytes()
            searched += len(data)
            found = [needle for needle in needles if needle in data or needle[:16] in data]
            _hold(not found, f"no text in {place.name}")
        _hold(self.capture.stat().st_size > 10_000, "the wire capture holds the traffic")
        return f"{searched // 1024} KiB of relay stores, wire capture and logs searched for the texts: not found"

    def tamper(self) -> str:
        """A hostile relay alters one byte of what it holds; the other capital refuses it and gets the honest copy."""
        stage, alpha, bravo = self.stage, self.stage.alpha, self.stage.bravo
        liar, honest = stage.relays[1], stage.relays[2]
        stage.stop(bravo.party)
        serial = _submit(alpha, WAITING, "en", content_pb2.PRECEDENCE_IMMEDIATE)
        wait_until(lambda: all(_holds(relay.folder) for relay in (liar, honest)), "both relays to hold it")
        for relay in (liar, honest):
            stage.stop(relay.name)
        altered = _alter_one_byte(liar.folder / "store" / "mailbox.db")
        stage.start_relay(liar)
        before = _refusals(bravo)
        stage.start_endpoint(bravo)
        wait_until(lambda: _refusals(bravo) > before, "BRAVO to refuse the altered envelope")
        stage.start_relay(honest)
        wait_until(lambda: _sent(alpha, serial).delivered_ms > 0, "the honest copy to arrive")
        return (
            f"byte {altered} of a stored envelope altered at {liar.name}: refused and recorded; honest copy delivered"
        )

    def witness(self) -> str:
        """The peer and a witness that sees no content cosign the ledgers."""
        through = []
        for terminal in self.stage.rehearsal.terminals:
            for name, who in (("witnessed", "a witness"), ("peer_cosigned", "the peer")):
                wait_until(partial(_cosigned, terminal, name), f"{who} to cosign {terminal.party}'s ledger")
            through.append(f"{terminal.party} witnessed through entry {_ledger(terminal, 'witnessed') - 1}")
        return f"{', '.join(through)}; each cosigned by the other capital"

    def audit(self) -> str:
        """Both ledgers verify with keys from the charter; a removed entry is found."""
        sizes = []
        for terminal in self.stage.rehearsal.terminals:
            self.stage.stop(terminal.party)
            verdict = _verify(self.stage, terminal, terminal.folder / "store" / "ledger.db")
            _hold(verdict.outcome is Outcome.VERIFIED, f"{terminal.party}'s ledger verifies: {verdict.text}")
            sizes.append(f"{terminal.party} {verdict.size} entries")
        copy = self.folder / "tampered.db"
        _copy_database(self.stage.alpha.folder / "store" / "ledger.db", copy)
        with contextlib.closing(sqlite3.connect(copy)) as database, database:
            database.executescript("DROP TRIGGER entry_hold_1; DELETE FROM entry WHERE seq = 7;")
        verdict = _verify(self.stage, self.stage.alpha, copy)
        _hold(verdict.outcome is Outcome.TAMPERED and verdict.first_bad == 7, "the removed entry is found")
        return f"{', '.join(sizes)}: verified; entry 7 removed from a copy: TAMPERED, first bad entry 7"


def _hold(holds: bool, what: str) -> None:
    if not holds:
        raise LocalError(f"does not hold: {what}")


def _submit(terminal: RehearsedTerminal, text: str, lang: str, precedence: content_pb2.Precedence.ValueType) -> int:
    direction = content_pb2.DIRECTION_RTL if lang == "ur" else content_pb2.DIRECTION_LTR
    request = operator_pb2.SubmitRequest(precedence=precedence, language=lang, direction=direction, text=text)
    with operator(terminal) as stub:
        answer = stub.Submit(request)
    _hold(answer.accepted, f"{terminal.party} accepts a statement ({answer.text})")
    return int(answer.serial)


def _sent(terminal: RehearsedTerminal, serial: int) -> operator_pb2.StatementView:
    with operator(terminal) as stub:
        found = stub.ListStatements(operator_pb2.ListStatementsRequest(sent=True, serial=serial)).statement
    view: operator_pb2.StatementView = found[0]
    return view


def _received(terminal: RehearsedTerminal) -> list[int]:
    with operator(terminal) as stub:
        found = stub.ListStatements(operator_pb2.ListStatementsRequest(limit=500)).statement
    return [view.serial for view in found]


def _state_of(terminal: RehearsedTerminal, path: str) -> str:
    return next((str(found["state"]) for found in status_of(terminal)["paths"] if found["name"] == path), "")


def _holds(relay: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{relay / 'store' / 'mailbox.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT COUNT(*) FROM mailbox").fetchone()[0])


def _alter_one_byte(path: Path) -> int:
    """What a hostile relay would do: change sealed bytes and mend its own checksum."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        sql = "SELECT arrival, charter, terminal, envelope_id, name, frame FROM mailbox"
        for arrival, charter, terminal, identifier, name, frame in database.execute(sql).fetchall():
            position = len(frame) - 40
            altered = bytearray(frame)
            altered[position] ^= 0x01
            row = (bytes(altered), row_checksum(charter, terminal, identifier, name, bytes(altered)), arrival)
            database.execute("UPDATE mailbox SET frame=?, checksum=? WHERE arrival=?", row)
    return position


def _ledger(terminal: RehearsedTerminal, name: str) -> int:
    return int(status_of(terminal).get("ledger", {}).get(name, 0))


def _cosigned(terminal: RehearsedTerminal, name: str) -> bool:
    return _ledger(terminal, name) > 0


def _refusals(terminal: RehearsedTerminal) -> int:
    with contextlib.closing(connect(terminal.folder / "store" / "ledger.db", read_only=True)) as database:
        sql = 'SELECT COUNT(*) FROM entry WHERE instr(CAST(leaf AS TEXT), \'"type":"refused"\') > 0'
        return int(database.execute(sql).fetchone()[0])


def _verify(stage: Stage, terminal: RehearsedTerminal, path: Path) -> Verdict:
    charter = load_charter(stage.rehearsal.charter.read_bytes())
    entry = charter.terminal(terminal.party, "main")
    with contextlib.closing(connect(path, read_only=True)) as database:
        log = read_log(database)
        verifier = Ed25519Verifier(charter.log_origin(entry), entry.ledger)
        return verify_log(log.leaves, log.notes[-1] if log.notes else None, verifier, log.hashes.get, log.notes)


def _copy_database(source: Path, target: Path) -> None:
    with (
        contextlib.closing(connect(source, read_only=True)) as original,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)


@contextlib.contextmanager
def _tapped(demo: Demo) -> Iterator[None]:
    """ALPHA reaches relay-2 through the tap."""
    relay = demo.stage.relays[1]
    with Tap(relay.address, demo.capture) as tap:
        config = demo.stage.alpha.config
        config.write_text(config.read_text() + f'\n[relays]\n"{relay.name}" = "{tap.address}"\n')
        yield


@click.command()
@click.option("--stay", is_flag=True, help="Leave both capitals and the relays running until Ctrl-C.")
@click.option("--keep", is_flag=True, help="Keep the folder with keys, stores and logs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines with a versioned schema.")
def demo(stay: bool, keep: bool, as_json: bool) -> None:
    """A complete hotline on this machine: two capitals, three relays, a witness.

    Loopback only, no root, no configuration.

    \b
    Examples:
      hotline demo
      hotline demo --stay

    Exit 0 only if every line holds.
    """
    with interrupts.once(), interrupts.whole():
        folder = short_folder()
        failed = ""
        try:
            with interrupts.listening():
                failed = _shown(folder, stay=stay, keep=keep, as_json=as_json)
        finally:
            if keep or failed:
                line(f"Kept: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)
    sys.exit(int(Exit.FIXABLE if failed else Exit.DONE))


def _shown(folder: Path, *, stay: bool, keep: bool, as_json: bool) -> str:
    """Every step until one fails; what did not hold, or nothing."""
    started = time.monotonic()
    if not as_json:
        kept = "kept" if keep else "removed at the end (--keep to keep)"
        line(f"hotline demo: two capitals, three relays, a witness, on this machine only. State in {folder}, {kept}.")
    show = Demo(folder)
    with show.stage, _tapped(show):
        for number, (name, check) in enumerate(show.steps(), 1):
            if failed := _one(number, name, check, as_json=as_json):
                return failed
        _end(show, time.monotonic() - started, as_json=as_json, stays=stay)
        if stay:
            _stay(show)
    return ""


def _one(number: int, name: str, check: Callable[[], str], *, as_json: bool) -> str:
    begun = time.monotonic()
    failed = ""
    try:
        text = check()
    except (HotlineError, OSError, sqlite3.Error) as error:
        failed = text = str(error)
    took = time.monotonic() - begun
    if as_json:
        values = {"step": number, "name": name, "holds": not failed, "seconds": round(took, 3), "text": text}
        print_json({"schema": "hotline.demo-step/1", **values})
    else:
        mark = "FAILS  " if failed else ""
        line(f"{number:2}  {name:10} {mark}{text}   [{took:.1f} s]")
    return failed


def _end(show: Demo, seconds: float, *, as_json: bool, stays: bool) -> None:
    if as_json:
        return
    line()
    line(f"{'statement':14}{'precedence':12}{'relayed':>9}{'delivered':>11}{'read':>9}   (ms after composition)")
    for name, word, relayed, delivered, read in show.times:
        line(f"{name:14}{word:12}{relayed:>9}{delivered:>11}{read:>9}")
    line()
    then = "" if stays else " Next: hotline demo --stay, then talk to both capitals."
    line(f"All {len(show.steps())} steps hold ({seconds:.1f} s).{then}")


def _stay(show: Demo) -> None:
    for relay in show.stage.relays:
        if not show.stage.started(relay.name):
            show.stage.start_relay(relay)
    for terminal in show.stage.rehearsal.terminals:
        show.stage.start_endpoint(terminal)
    line()
    line("Both capitals are up again. In another terminal:")
    for terminal, words in (
        (show.stage.alpha, 'send "Are you well?" -p flash --wait read'),
        (show.stage.bravo, "inbox --unread"),
    ):
        to_type(f"  HOTLINE_SOCKET={terminal.socket} {Path(sys.argv[0]).name} {words}")
    line("Ctrl-C ends everything.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
