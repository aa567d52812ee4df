"""What a relay sees: who, to whom, when, epoch, a size class; no text, precedence or length (docs/protocol.md 1.3).

Two worlds that differ in one statement only are run to the same millisecond, over real relay machines with their real
SQLite stores. What a relay could write down of both must be the same: moment, direction and length of every frame in
its order, and every column of its store. Where precedence does show by design, the tests say exactly what shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from hotline.charter.profiles import PROFILES
from hotline.crypto.sealing import seal
from hotline.limits import PADDING_CLASSES
from hotline.machine import FramesReceived, LinkClosed, LinkOpened, Output, Plane, Tick
from hotline.protocol import session
from hotline.protocol.context import Context
from hotline.protocol.paths import Path as Route
from hotline.protocol.paths import PathState
from hotline.wire.codec import decode_frame
from hotline.wire.envelope import FLAG_CLEAR, decode_header
from hotline.wire.inner import Inner, decode_inner, encode_inner
from hotline.wire.v1 import content_pb2
from relay.machine import Hotline, Relay, RelayEvent
from relay.store import SqliteMailboxStore
from tests.hotline.protocol.pair import CHARTER, FLASH, IMMEDIATE, PRIORITY, ROUTINE, Pair, Party

Precedence: TypeAlias = content_pb2.Precedence.ValueType
PRECEDENCES = {"ROUTINE": ROUTINE, "PRIORITY": PRIORITY, "IMMEDIATE": IMMEDIATE, "FLASH": FLASH}
SECRET = "Canary 7341: the convoy halts at the bridge."


class Seen(NamedTuple):
    """One frame as a relay can write it down."""

    at: int
    relay: str
    link: str
    direction: str
    kind: str
    length: int


class Watched(Pair):
    """ALPHA and BRAVO over real relays with real stores, everything that these see written down."""

    def __init__(self, folder: Path, *, profiles: Sequence[str] = ("fibre",), window: int = 64) -> None:
        super().__init__(5, relays=len(profiles), profiles=profiles)
        self.paths = tuple(
            replace(path, profile=replace(PROFILES[kind], window_messages=window))
            for path, kind in zip(self.paths, profiles, strict=True)
        )
        for party in (self.alpha, self.bravo):
            party.prepare()
        self.seen: list[Seen] = []
        self.envelopes: list[tuple[str, str, bytes]] = []
        self.raw = b""
        self.rows: list[tuple[object, ...]] = []
        hotline = Hotline(CHARTER, {"ALPHA": 1, "BRAVO": 2})
        self.relays = {name: Relay(name, key, [hotline], []) for name, key in self.relay_keys.items()}
        self.stores = {name: SqliteMailboxStore(folder / name) for name in self.relays}
        for name in self.relays:
            for link in ("ALPHA", "BRAVO"):
                self.relay(name, LinkOpened(link, link))
        self.open(3_000)

    def relay(self, name: str, event: RelayEvent) -> None:
        """One step of a relay, committed and performed."""
        machine = self.relays[name]
        output = machine.step(event, self.alpha.now())
        self._perform(name, output)
        deadline = machine.next_deadline()
        if deadline is not None and deadline > self.time:
            self.after(deadline - self.time, lambda: self.relay(name, Tick()))

    def _perform(self, name: str, output: Output) -> None:
        if output.durable:
            self.stores[name].commit([output], self.alpha.now())
            for row in self.stores[name]._db.execute("SELECT * FROM mailbox ORDER BY arrival").fetchall():
                # Everything but what is sealed or a hash of it: lengths stand for the bytes.
                self.rows.append(tuple(len(value) if isinstance(value, bytes) else value for value in row))
        for item in (*output.express, *output.transmit):
            self._note(name, item.link, "out", item.frame)
            party = self.alpha if item.link == "ALPHA" else self.bravo
            self.after(self.latency, lambda p=party, f=item.frame: p.hear(name, f))  # type: ignore[misc]

    def _note(self, relay: str, link: str, direction: str, frame: bytes) -> None:
        kind = decode_frame(frame).WhichOneof("body")
        self.seen.append(Seen(self.time, relay, link, direction, str(kind), len(frame)))
        self.raw += frame

    def carry(self, sender: Party, relay: str, data: bytes) -> None:
        self._note(relay, sender.name, "in", data)
        frame = decode_frame(data)
        if frame.WhichOneof("body") == "envelope":
            self.envelopes.append((sender.name, relay, frame.envelope))
        self.after(self.latency, lambda: self.relay(relay, FramesReceived(sender.name, (data,))))

    def leave(self, party: Party) -> None:
        """A terminal goes: what comes for it is stored."""
        for name in self.relays:
            self.relay(name, LinkClosed(party.name, "gone"))
            party.step(LinkClosed(name, "gone"))

    def come_back(self, party: Party) -> None:
        for name in self.relays:
            self.relay(name, LinkOpened(party.name, party.name))
            party.step(LinkOpened(name))

    def store_bytes(self) -> bytes:
        """Every byte that the stores have in files."""
        return b"".join(
            file.read_bytes() for store in self.stores.values() for file in sorted(store.path.parent.iterdir())
        )

    def close(self) -> None:
        for store in self.stores.values():
            store.close()


class View(NamedTuple):
    """What all relays together have of one world."""

    seen: list[Seen]
    rows: list[tuple[object, ...]]
    raw: bytes


def view(folder: Path, precedence: Precedence, text: str, **world: object) -> View:
    """Said to a peer who is there, who reads it; and again to one who is away and comes back."""
    watched = Watched(folder, **world)  # type: ignore[arg-type]
    try:
        watched.alpha.submit(text, precedence)
        watched.run(2_000)
        assert watched.bravo.shown() == [1]
        watched.bravo.read(1)
        watched.run(1_000)
        watched.leave(watched.bravo)
        watched.alpha.submit(text, precedence)
        watched.run(1_000)
        assert watched.relays["relay-1"].held > 0
        kept = watched.store_bytes()
        watched.come_back(watched.bravo)
        watched.run(2_000)
        assert watched.alpha.states(2)[-1] == "delivered"
        return View(watched.seen, watched.rows, watched.raw + kept + watched.store_bytes())
    finally:
        watched.close()


def _lengths(size: int) -> tuple[int, int]:
    """Shortest and longest text (in ASCII) of the size class, from the content of a real statement."""
    pair = Pair(5, relays=1).open()
    pair.alpha.submit("x" * 300, FLASH)
    content = len(pair.alpha.memory.tables["sent"]["real", 1]["content"])  # type: ignore[arg-type]
    around = content - 300 + 4 + 64
    # The second statement of a world names its predecessor in at most two bytes more.
    return PADDING_CLASSES[PADDING_CLASSES.index(size) - 1] - around + 8, size - around - 8


SHORTEST, LONGEST = _lengths(1_024)
"""Texts of one size class; the few bytes by which the other fields of a statement differ are kept clear of."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> View:
    return view(tmp_path_factory.mktemp("reference"), ROUTINE, "x" * SHORTEST)


@pytest.mark.parametrize("precedence", [PRIORITY, IMMEDIATE, FLASH])
def test_precedence_does_not_show(tmp_path: Path, reference: View, precedence: Precedence) -> None:
    """Whoever runs a relay would know of a crisis before the cabinet of the other side does."""
    other = view(tmp_path, precedence, "x" * SHORTEST)
    assert len(reference.seen) > 40
    assert reference.rows
    assert other.seen == reference.seen
    assert other.rows == reference.rows


@pytest.mark.parametrize("length", [(SHORTEST + LONGEST) // 2, LONGEST])
def test_length_shows_as_a_size_class_and_no_finer(tmp_path: Path, reference: View, length: int) -> None:
    """Prepared texts could be told apart by their length."""
    other = view(tmp_path, FLASH, "y" * length)
    assert (other.seen, other.rows) == (reference.seen, reference.rows)


def test_the_next_size_class_does_show(tmp_path: Path, reference: View) -> None:
    """What is claimed is a size class: the comparison above must see the next one."""
    other = view(tmp_path, ROUTINE, "x" * (LONGEST + 64))
    differing = {(a.kind, b.length - a.length) for a, b in zip(reference.seen, other.seen, strict=True) if a != b}
    assert {kind for kind, _ in differing} == {"envelope"}
    assert {length for _, length in differing} == {2_048 - 1_024}
    assert [entry._replace(length=0) for entry in other.seen] == [entry._replace(length=0) for entry in reference.seen]


def test_no_word_is_in_what_a_relay_has(tmp_path: Path) -> None:
    """A relay would read, or its disk could be made to speak."""
    raw = view(tmp_path, FLASH, SECRET).raw
    assert len(raw) > 50_000
    words = [SECRET, SECRET[:6], "FLASH", "watch", "ROUTINE"]
    for word in words:
        for encoding in ("utf-8", "utf-16-le"):
            assert word.encode(encoding) not in raw, word


# --- weaken one thing, and it shows -----------------------------------------------------------------------------------


def test_without_padding_the_length_shows(tmp_path: Path, reference: View, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim above could hold because nothing is compared."""

    def bare(inner: Inner, *, padded: bool) -> bytes:
        return encode_inner(inner, padded=False)

    def open_bare(data: bytes, *, padded: bool) -> Inner:
        return decode_inner(data, padded=False)

    monkeypatch.setattr(session, "encode_inner", bare)
    monkeypatch.setattr(session, "decode_inner", open_bare)
    one, other = (view(tmp_path / str(length), ROUTINE, "x" * length) for length in (SHORTEST, LONGEST))
    assert one.seen != other.seen
    assert one.rows != other.rows


def test_without_sealing_the_words_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for words could be blind."""
    monkeypatch.setattr(session, "seal", lambda key, header, plain: seal(key, header, plain) + plain)
    monkeypatch.setattr(session, "open_sealed", lambda key, header, data: data[-_half(len(data)) :])
    assert SECRET.encode() in view(tmp_path, FLASH, SECRET).raw


def _half(length: int) -> int:
    """How long a plain text is that was sealed and then appended: commitment and tag take 48 bytes."""
    return (length - 48) // 2


def test_routes_by_precedence_show(tmp_path: Path, reference: View, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of precedences could be blind."""
    routes = Context.routes

    def urgent_twice(self: Context, *, urgent: bool) -> list[Route]:
        return routes(self, urgent=urgent) * (2 if urgent else 1)

    monkeypatch.setattr(Context, "routes", urgent_twice)
    assert view(tmp_path, FLASH, "x" * SHORTEST).seen != reference.seen


# --- where it does show -----------------------------------------------------------------------------------------------


def _burst(folder: Path, precedence: Precedence) -> list[Seen]:
    """Four statements at once through a window of two; the last one has this precedence."""
    watched = Watched(folder, window=2)
    try:
        start = len(watched.seen)
        for last in (ROUTINE, ROUTINE, ROUTINE, precedence):
            watched.alpha.submit("x" * 300, last)
        watched.run(3_000)
        assert sorted(map(abs, map(int, map(str, watched.bravo.shown())))) == [1, 2, 3, 4]
        return watched.seen[start:]
    finally:
        watched.close()


def test_through_a_full_window_it_shows_that_something_is_urgent_and_no_more(tmp_path: Path) -> None:
    """By design (12.2): FLASH and IMMEDIATE do not wait. A relay that sees more than a window leave knows it."""
    bursts = {name: _burst(tmp_path / name, precedence) for name, precedence in PRECEDENCES.items()}
    assert bursts["ROUTINE"] == bursts["PRIORITY"]
    assert bursts["IMMEDIATE"] == bursts["FLASH"]
    at_once = {
        name: sum(one.direction == "in" and one.kind == "envelope" and one.at == seen[0].at for one in seen)
        for name, seen in bursts.items()
    }
    assert at_once == {"ROUTINE": 2, "PRIORITY": 2, "IMMEDIATE": 3, "FLASH": 3}


def _narrow(folder: Path, precedence: Precedence) -> list[Seen]:
    """One statement while a wide and a narrow path are UP."""
    watched = Watched(folder, profiles=("fibre", "narrow"))
    try:
        watched.run(12_000)
        assert all(path.state is PathState.UP for path in watched.alpha.endpoint.context.paths.values())
        start = len(watched.seen)
        watched.alpha.submit("x" * 300, precedence)
        watched.run(2_000)
        assert watched.alpha.states(1)[-1] == "delivered"
        return watched.seen[start:]
    finally:
        watched.close()


def test_on_a_narrow_path_it_shows_that_something_is_urgent_and_no_more(tmp_path: Path) -> None:
    """By design (11.2): a narrow path carries only FLASH and IMMEDIATE, and their receipts, while another is UP."""
    views = {name: _narrow(tmp_path / name, precedence) for name, precedence in PRECEDENCES.items()}
    assert views["ROUTINE"] == views["PRIORITY"]
    assert views["IMMEDIATE"] == views["FLASH"]
    carried = {name: {one.link for one in seen if _durable_on(one, "relay-2")} for name, seen in views.items()}
    assert carried == {
        "ROUTINE": set(),
        "PRIORITY": set(),
        "IMMEDIATE": {"ALPHA", "BRAVO"},
        "FLASH": {"ALPHA", "BRAVO"},
    }
    wide = [[one for one in seen if one.relay == "relay-1"] for seen in views.values()]
    assert all(one == wide[0] for one in wide), "the relay of the wide path sees no difference"


def _durable_on(one: Seen, relay: str) -> bool:
    return (one.relay, one.direction, one.kind) == (relay, "in", "envelope") and one.length > 400


def _epochs(folder: Path, plane: Plane) -> tuple[set[bytes], set[bytes]]:
    """The epochs of ALPHA's beats and of its statements, as headers show them."""
    watched = Watched(folder)
    try:
        watched.alpha.submit("x" * 300, plane=plane)
        watched.run(3_000)
        headers = [decode_header(envelope) for name, _, envelope in watched.envelopes if name == "ALPHA"]
        sealed = [header for header in headers if not header.flags & FLAG_CLEAR]
        beats = {header.epoch for header in sealed if header.transient}
        return beats, {header.epoch for header in sealed if not header.transient}
    finally:
        watched.close()


def test_the_plane_shows_by_the_epoch(tmp_path: Path) -> None:
    """By design (7.3, 10.1): planes have epochs of their own, and beats ride in those of REAL."""
    beats, statements = _epochs(tmp_path / "real", Plane.REAL)
    assert statements <= beats
    beats, statements = _epochs(tmp_path / "exercise", Plane.EXERCISE)
    assert statements
    assert not statements & beats
