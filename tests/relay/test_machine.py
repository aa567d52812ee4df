"""The relay's decisions: who is admitted, what is forwarded, what is signed for, and what nobody can make it do."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.crypto.signing import SigningKey, verify
from hotline.limits import (
    ENVELOPE_BYTES_MAX,
    FRAME_BYTES_MAX,
    MAILBOX_ENVELOPES_MAX,
    MAILBOX_RETENTION,
    RELAY_LINGER,
    RELAY_RATE_PER_SECOND,
)
from hotline.machine import (
    Delete,
    FramesReceived,
    Instant,
    LinkClosed,
    LinkOpened,
    Output,
    Put,
    Tick,
    Transmission,
)
from hotline.wire.codec import decode_frame, encode, envelope_frame
from hotline.wire.envelope import FLAG_TRANSIENT, Header, envelope_id
from hotline.wire.v1 import frame_pb2
from relay.machine import CUSTODY_LABEL, Closing, Hotline, Relay
from relay.mailbox import Held

KEY = SigningKey(b"r" * 32)
CHARTER, OTHER = b"c" * 32, b"o" * 32
ALPHA, BRAVO = 1, 2
HOTLINES = [Hotline(CHARTER, {"fp-a": ALPHA, "fp-b": BRAVO}), Hotline(OTHER, {"fp-x": 1, "fp-y": 2})]
NOW = Instant(1_000, 1_700_000_000_000)
DUE = Instant(NOW.mono + RELAY_LINGER, NOW.wall + RELAY_LINGER)
Refused = frame_pb2.RefusalReason.ValueType


def _relay(saved: list[tuple[bytes, int, Held]] | None = None) -> Relay:
    return Relay("relay-1", KEY, HOTLINES, saved or [])


def _hello(terminal: int, charter: bytes = CHARTER, version: int = 1) -> bytes:
    return encode(frame_pb2.Frame(hello=frame_pb2.Hello(version=version, charter=charter, terminal=terminal)))


def _attach(relay: Relay, link: str, fingerprint: str, hello: bytes, now: Instant = NOW) -> Output:
    relay.step(LinkOpened(link, fingerprint), now)
    return relay.step(FramesReceived(link, (hello,)), now)


def _both(relay: Relay) -> None:
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    _attach(relay, "b", "fp-b", _hello(BRAVO))


def _envelope(number: int = 1, to: int = BRAVO, sender: int = ALPHA, flags: int = 0, rest: bytes = b"sealed") -> bytes:
    return Header(flags, to, sender, b"e" * 12, number).encode() + rest


def _send(relay: Relay, link: str, *envelopes: bytes, now: Instant = NOW) -> Output:
    return relay.step(FramesReceived(link, tuple(envelope_frame(envelope) for envelope in envelopes)), now)


def _bodies(transmissions: list[Transmission], link: str) -> list[frame_pb2.Frame]:
    return [decode_frame(item.frame) for item in transmissions if item.link == link]


def _refusals(out: Output, link: str) -> list[Refused]:
    frames = _bodies(out.transmit, link)
    return [frame.refusal.reason for frame in frames if frame.WhichOneof("body") == "refusal"]


def _custody(out: Output, link: str) -> list[bytes]:
    names: list[bytes] = []
    for frame in _bodies(out.transmit, link):
        if frame.WhichOneof("body") == "custody":
            verify(KEY.public, frame.custody.signature, CUSTODY_LABEL, frame.custody.body)
            names += frame_pb2.CustodyBody.FromString(frame.custody.body).envelope
    return names


def _name(envelope: bytes) -> bytes:
    return hashlib.sha256(envelope).digest()


# --- admission ------------------------------------------------------------------------------------------------------


def test_what_comes_before_hello_is_told_as_not_admitted() -> None:
    """The operator could not tell a stranger who sends from one who says a wrong name (docs/protocol.md 5.5)."""
    relay = _relay()
    relay.step(LinkOpened("a", "fp-a"), NOW)
    out = _send(relay, "a", _envelope())
    assert [told.fields["reason"] for told in out.deliver] == ["not-admitted", "REFUSAL_REASON_NOT_ADMITTED"]
    assert [told.kind for told in out.deliver] == ["refused", "hang-up"]


def test_a_stream_under_a_known_name_is_not_admitted_for_it() -> None:
    """Whoever comes next under that name would get what belongs to the terminal before it (docs/protocol.md 5.5)."""
    relay = _relay()
    _both(relay)
    relay.step(LinkOpened("b", "fp-y"), NOW)
    assert (relay.streams, relay.attached) == (2, 1)
    assert _send(relay, "a", _envelope()).express == []


def test_terminal_is_admitted_by_its_certificate() -> None:
    """If the lawful terminal were turned away, the path would be dead from the start (docs/protocol.md 5.5)."""
    relay = _relay()
    out = _attach(relay, "a", "fp-a", _hello(ALPHA))
    (frame,) = _bodies(out.transmit, "a")
    assert frame.welcome == frame_pb2.Welcome(version=1, relay="relay-1", waiting=0)
    assert (relay.streams, relay.attached) == (1, 1)


@pytest.mark.parametrize(
    ("fingerprint", "hello"),
    [
        pytest.param("fp-b", _hello(ALPHA), id="another-terminals-certificate"),
        pytest.param("fp-x", _hello(ALPHA), id="terminal-of-another-hotline"),
        pytest.param("fp-a", _hello(1, OTHER), id="own-number-in-another-hotline"),
        pytest.param("stranger", _hello(ALPHA), id="unknown-certificate"),
        pytest.param("", _hello(ALPHA), id="no-certificate"),
        pytest.param("stranger", _hello(0), id="terminal-zero"),
        pytest.param("fp-a", _hello(3), id="unknown-terminal"),
        pytest.param("fp-a", _hello(ALPHA, b"?" * 32), id="unknown-charter"),
        pytest.param("fp-a", _hello(ALPHA, b""), id="no-charter"),
        pytest.param("fp-a", _hello(ALPHA, version=2), id="another-version"),
        pytest.param("fp-a", envelope_frame(_envelope()), id="envelope-first"),
        pytest.param("fp-a", encode(frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=[b"x"]))), id="taken-first"),
        pytest.param("fp-a", b"", id="empty-frame"),
        pytest.param("fp-a", b"\xff\xff", id="noise"),
        pytest.param("fp-a", _hello(ALPHA) + b"\x78\x01", id="unlawful-spelling"),
    ],
)
def test_everybody_else_is_hung_up_on(fingerprint: str, hello: bytes) -> None:
    """Who gets in as BRAVO receives BRAVO's envelopes, and BRAVO never learns of them."""
    # docs/protocol.md 5.5 and 5.18
    relay = _relay()
    _attach(relay, "b", "fp-b", _hello(BRAVO))
    out = _attach(relay, "s", fingerprint, hello)
    assert _refusals(out, "s") == [frame_pb2.REFUSAL_REASON_NOT_ADMITTED]
    assert [(item.kind, item.fields["link"]) for item in out.deliver][-1] == ("hang-up", "s")
    assert relay.streams == 1
    after = _send(relay, "s", _envelope())
    assert after == Output()


def test_frames_behind_a_refused_hello_are_not_looked_at() -> None:
    """One parcel must not carry what the same stream could not."""
    relay = _relay()
    relay.step(LinkOpened("s", "stranger"), NOW)
    out = relay.step(FramesReceived("s", (_hello(ALPHA), _hello(ALPHA), envelope_frame(_envelope()))), NOW)
    assert len(_refusals(out, "s")) == 1
    assert not out.changes
    assert not out.express


def test_newer_stream_replaces_the_older() -> None:
    """After a partition the old stream is a zombie: envelopes sent into it are lost until TCP gives up."""
    # docs/protocol.md 5.5 and 5.18
    relay = _relay()
    _both(relay)
    out = _attach(relay, "b2", "fp-b", _hello(BRAVO))
    assert _refusals(out, "b") == [frame_pb2.REFUSAL_REASON_REPLACED]
    assert ("hang-up", "b") in [(item.kind, item.fields["link"]) for item in out.deliver]
    forwarded = _send(relay, "a", _envelope()).express
    assert [item.link for item in forwarded] == ["b2"]
    relay.step(LinkClosed("b", "late"), NOW)
    assert [item.link for item in _send(relay, "a", _envelope(2)).express] == ["b2"]


def test_second_hello_on_a_stream_is_refused() -> None:
    """A terminal that could change who it is on a living stream would bypass the admission (docs/protocol.md 5.18)."""
    relay = _relay()
    _both(relay)
    out = relay.step(FramesReceived("a", (_hello(ALPHA),)), NOW)
    assert [item.fields["reason"] for item in out.deliver] == ["frame-kind"]
    assert relay.attached == 2


# --- forwarding and custody -----------------------------------------------------------------------------------------


def test_forward_at_once_and_sign_only_behind_the_commit() -> None:
    """Custody before the commit vouches for what a power cut takes; forwarding after it delays every FLASH."""
    # docs/protocol.md 5.6
    relay = _relay()
    _both(relay)
    envelope = _envelope()
    out = _send(relay, "a", envelope)
    assert out == Output(express=[Transmission("b", envelope_frame(envelope), ALPHA)])
    stored = relay.step(Tick(), DUE)
    assert [type(change) for change in stored.changes] == [Put]
    assert _custody(stored, "a") == [_name(envelope)]
    assert not stored.express


def test_storing_waits_no_longer_than_said() -> None:
    """If the deadline were missing, a sender would wait for custody until something else happens to wake the relay."""
    relay = _relay()
    relay.step(Tick(), NOW)
    _both(relay)
    _send(relay, "a", _envelope())
    assert relay.next_deadline() == DUE.mono
    assert not relay.step(Tick(), Instant(DUE.mono - 1, DUE.wall)).changes


def test_what_is_taken_at_once_is_neither_stored_nor_signed_for() -> None:
    """Signing for what is not held is a lie; storing what has been taken leaves it in the mailbox for ever."""
    # docs/protocol.md 5.6
    relay = _relay()
    _both(relay)
    _send(relay, "a", _envelope(1), _envelope(2))
    assert not relay.step(FramesReceived("b", (_taken(envelope_id(_envelope(1))),)), NOW).changes
    out = relay.step(Tick(), DUE)
    assert _custody(out, "a") == [_name(_envelope(2))]
    assert [change.row["name"] for change in out.changes if isinstance(change, Put)] == [_name(_envelope(2))]
    assert relay.held == 1


@pytest.mark.parametrize("gone", ["a", "b"])
def test_stream_that_breaks_meanwhile_loses_nothing(gone: str) -> None:
    """An envelope forwarded into a dying stream must be in the mailbox when its terminal comes back."""
    relay = _relay()
    _both(relay)
    _send(relay, "a", _envelope())
    relay.step(LinkClosed(gone, "broken"), NOW)
    out = relay.step(Tick(), DUE)
    assert [type(change) for change in out.changes] == [Put]
    assert _custody(out, "a") == ([] if gone == "a" else [_name(_envelope())])
    arrived = _bodies(_attach(relay, "b2", "fp-b", _hello(BRAVO)).transmit, "b2")
    assert [frame.envelope for frame in arrived[1:]] == [_envelope()]


def test_closing_stores_what_lingers() -> None:
    """A relay that is stopped for an update must not forget the envelopes of its last twenty milliseconds."""
    relay = _relay()
    _both(relay)
    _send(relay, "a", _envelope(1), _envelope(2))
    out = relay.step(Closing(), NOW)
    assert [type(change) for change in out.changes] == [Put, Put]
    assert _custody(out, "a") == [_name(_envelope(1)), _name(_envelope(2))]


def test_absent_terminal_finds_everything_in_order() -> None:
    """A capital that was cut off for a night must find the night's statements, in their order."""
    # docs/protocol.md 5.5
    relay = _relay()
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    sent = [_envelope(number) for number in range(5)]
    out = _send(relay, "a", *sent)
    assert _custody(out, "a") == [_name(envelope) for envelope in sent]
    arrived = _bodies(_attach(relay, "b", "fp-b", _hello(BRAVO)).transmit, "b")
    assert arrived[0].welcome.waiting == 5
    assert [frame.envelope for frame in arrived[1:]] == sent


def test_transient_envelope_is_never_stored() -> None:
    """Stored heartbeats would fill the mailbox of an absent terminal and push its statements out."""
    # docs/protocol.md 5.6 and 5.17
    relay = _relay()
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    beat = _envelope(flags=FLAG_TRANSIENT)
    assert _send(relay, "a", beat) == Output()
    _attach(relay, "b", "fp-b", _hello(BRAVO))
    out = _send(relay, "a", beat)
    assert out == Output(express=[Transmission("b", envelope_frame(beat), ALPHA)])
    assert relay.held == 0


def test_repeat_gets_custody_again_and_is_stored_once() -> None:
    """A lost custody would otherwise make the sender repeat for ever; a second copy would fill the mailbox."""
    # docs/protocol.md 5.7
    relay = _relay()
    _both(relay)
    envelope = _envelope()
    _send(relay, "a", envelope)
    early = _send(relay, "a", envelope)
    assert not _custody(early, "a")
    assert not early.changes
    assert len(relay.step(Tick(), DUE).changes) == 1
    out = _send(relay, "a", envelope, now=DUE)
    assert _custody(out, "a") == [_name(envelope)]
    assert not out.changes
    assert relay.held == 1


def test_clash_is_refused_and_changes_nothing() -> None:
    """If a second envelope could take the place of one under custody, the signed custody would be a lie."""
    # docs/protocol.md 5.7 and 5.17
    relay = _relay()
    _both(relay)
    _send(relay, "a", _envelope())
    out = _send(relay, "a", _envelope(rest=b"other"))
    assert _refusals(out, "a") == [frame_pb2.REFUSAL_REASON_MALFORMED]
    assert not out.express
    assert not out.changes
    assert [held.frame for held in relay.mailboxes[CHARTER, BRAVO]] == [envelope_frame(_envelope())]


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        (_envelope(sender=BRAVO, to=ALPHA), frame_pb2.REFUSAL_REASON_NOT_ADMITTED),
        (_envelope(sender=9), frame_pb2.REFUSAL_REASON_NOT_ADMITTED),
        (_envelope(to=9), frame_pb2.REFUSAL_REASON_UNKNOWN_RECIPIENT),
    ],
)
def test_false_addresses_are_refused(envelope: bytes, reason: Refused) -> None:
    """A terminal that can write in another's name can fill the peer's mailbox under a false flag."""
    # docs/protocol.md 5.7 and 5.17
    relay = _relay()
    _both(relay)
    out = _send(relay, "a", envelope)
    assert _refusals(out, "a") == [reason]
    assert not out.express
    assert not out.changes


def test_hotlines_do_not_meet() -> None:
    """A relay that serves two hotlines must not carry one envelope from one to the other."""
    relay = _relay()
    _both(relay)
    _attach(relay, "x", "fp-x", _hello(1, OTHER))
    out = _send(relay, "x", _envelope())
    assert not out.express
    assert [change.row["charter"] for change in out.changes if isinstance(change, Put)] == [OTHER]
    assert not len(relay.mailboxes[CHARTER, BRAVO])


def test_full_mailbox_refuses_but_forwards() -> None:
    """A full mailbox must not stop a FLASH whose reader is attached, nor sign for what it does not hold."""
    # docs/protocol.md 5.7 and 5.17
    relay = _relay()
    _both(relay)
    mailbox = relay.mailboxes[CHARTER, BRAVO]
    for number in range(MAILBOX_ENVELOPES_MAX):
        mailbox.put(Held(b"%d" % number, b"n", b"f", 0))
    out = _send(relay, "a", _envelope())
    assert _refusals(out, "a") == [frame_pb2.REFUSAL_REASON_MAILBOX_FULL]
    assert [item.link for item in out.express] == ["b"]
    assert not out.changes
    assert not _custody(out, "a")


def test_who_fills_a_mailbox_fills_it_for_itself() -> None:
    """One of three parties could keep another from leaving word for the third (docs/protocol.md 5.24)."""
    flood = [Held(envelope_id(_envelope(n)), b"n", b"f", 0) for n in range(MAILBOX_ENVELOPES_MAX * 3 // 4)]
    three = Hotline(CHARTER, {"fp-a": ALPHA, "fp-b": BRAVO, "fp-c": 3})
    relay = Relay("relay-1", KEY, [three], [(CHARTER, BRAVO, held) for held in flood])
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    _attach(relay, "c", "fp-c", _hello(3))
    assert _refusals(_send(relay, "a", _envelope(9_999)), "a") == [frame_pb2.REFUSAL_REASON_MAILBOX_FULL]
    other = _envelope(sender=3)
    assert _custody(_send(relay, "c", other), "c") == [_name(other)]


def _burst_spent() -> tuple[Relay, bytes, list[FramesReceived]]:
    """A relay to which one terminal has sent as much at once as it may, the frame, and the parcels."""
    relay = _relay()
    _both(relay)
    frame = envelope_frame(_envelope(flags=FLAG_TRANSIENT))
    parcels = [FramesReceived("a", (frame,) * 250) for _ in range(2 * RELAY_RATE_PER_SECOND // 250)]
    assert sum(len(relay.step(parcel, NOW).express) for parcel in parcels) == 2 * RELAY_RATE_PER_SECOND
    return relay, frame, parcels


def test_rate_is_limited_and_recovers() -> None:
    """One terminal gone mad must not take the relay from the others; a quiet second later it is served again."""
    # docs/protocol.md 5.7 and 5.17
    relay, frame, parcels = _burst_spent()
    out = relay.step(FramesReceived("a", (frame,) * 5), NOW)
    assert not out.express
    assert _refusals(out, "a") == [frame_pb2.REFUSAL_REASON_TOO_FAST] * 5
    back = _send(relay, "b", _envelope(to=ALPHA, sender=BRAVO, flags=FLAG_TRANSIENT))
    assert len(back.express) == 1
    later = Instant(NOW.mono + 1_000, NOW.wall)
    assert sum(len(relay.step(parcel, later).express) for parcel in parcels) == RELAY_RATE_PER_SECOND


def test_a_new_stream_brings_no_new_burst() -> None:
    """A terminal that dials anew each second would send without bound, and take the relay from the others."""
    # docs/protocol.md 5.17
    relay, _, _ = _burst_spent()
    for link in ("beside", "after"):
        _attach(relay, link, "fp-a", _hello(ALPHA))
        out = _send(relay, link, _envelope(flags=FLAG_TRANSIENT))
        assert not out.express
        assert _refusals(out, link) == [frame_pb2.REFUSAL_REASON_TOO_FAST]
        relay.step(LinkClosed(link, "cut"), NOW)
    assert len(_send(relay, "b", _envelope(to=ALPHA, sender=BRAVO)).changes) == 1


# --- letting go -----------------------------------------------------------------------------------------------------


def _taken(*identifiers: bytes) -> bytes:
    return encode(frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=identifiers)))


def test_only_the_own_mailbox_is_emptied() -> None:
    """If ALPHA could take from BRAVO's mailbox, a captured terminal could make statements vanish."""
    # docs/protocol.md 5.8
    relay = _relay()
    _both(relay)
    envelope = _envelope()
    _send(relay, "a", envelope)
    relay.step(Tick(), DUE)
    out = relay.step(FramesReceived("a", (_taken(envelope_id(envelope)),)), NOW)
    assert not out.changes
    assert relay.held == 1
    out = relay.step(FramesReceived("b", (_taken(envelope_id(envelope), b"unknown"),)), NOW)
    assert [type(change) for change in out.changes] == [Delete]
    assert relay.held == 0


def test_old_envelopes_go_and_young_ones_stay() -> None:
    """Kept for ever, mailboxes of a decommissioned terminal fill the disk; dropped early, statements are lost."""
    # docs/protocol.md 5.8
    relay = _relay()
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    assert relay.next_deadline() == NOW.mono, "what is stored may be old already when a relay starts"
    relay.step(Tick(), NOW)
    _send(relay, "a", _envelope(1))
    late = Instant(NOW.mono + MAILBOX_RETENTION, NOW.wall + MAILBOX_RETENTION)
    _send(relay, "a", _envelope(2), now=late)
    assert not relay.step(Tick(), late).changes
    due = relay.next_deadline()
    assert due is not None
    later = Instant(due, late.wall + due - late.mono)
    out = relay.step(Tick(), later)
    assert [change.match["envelope_id"] for change in out.changes if isinstance(change, Delete)] == [
        envelope_id(_envelope(1))
    ]
    assert relay.held == 1


def test_restart_finds_what_was_stored() -> None:
    """A relay that forgets over a restart has signed for nothing."""
    relay = _relay()
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    rows = [change.row for change in _send(relay, "a", _envelope(1), _envelope(2)).changes if isinstance(change, Put)]
    saved = [
        (CHARTER, BRAVO, Held(row["envelope_id"], row["name"], row["frame"], row["stored_at"]))  # type: ignore[arg-type]
        for row in rows
    ]
    again = _relay([*saved, (b"gone" * 8, 1, saved[0][2])])
    arrived = _bodies(_attach(again, "b", "fp-b", _hello(BRAVO)).transmit, "b")
    assert [frame.envelope for frame in arrived[1:]] == [_envelope(1), _envelope(2)]
    assert again.held == 2


# --- hostile bytes --------------------------------------------------------------------------------------------------


_hostile = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=60).map(envelope_frame),
    st.binary(max_size=60).map(lambda tail: envelope_frame(b"\1\0" + tail)),
    st.builds(_envelope, st.integers(0, 9), st.integers(0, 9), st.integers(2, 9), st.integers(0, 255)).map(
        envelope_frame
    ),
    st.lists(st.binary(max_size=20), max_size=3).map(lambda ids: _taken(*ids)),
    st.builds(_hello, st.integers(0, 3), st.sampled_from([CHARTER, OTHER, b""]), st.integers(0, 2)),
    st.sampled_from([b"f" * (FRAME_BYTES_MAX + 1), envelope_frame(b"\1" * (ENVELOPE_BYTES_MAX + 1))]),
    st.binary(max_size=20).map(lambda data: encode(frame_pb2.Frame(custody=frame_pb2.Custody(body=data)))),
    st.text(max_size=9).map(lambda name: encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(relay=name)))),
)


@given(st.lists(st.tuples(st.sampled_from(["a", "s", "nobody"]), st.lists(_hostile, max_size=4)), max_size=6))
def test_hostile_frames_never_raise_and_never_change_mailboxes(parcels: list[tuple[str, list[bytes]]]) -> None:
    """An exception stops the relay, a change loses a statement: either way one hostile terminal owns the path."""
    # docs/protocol.md 15.2
    relay = _relay()
    _both(relay)
    relay.step(LinkOpened("s", "stranger"), NOW)
    kept = _envelope(7)
    _send(relay, "a", kept)
    for link, frames in parcels:
        out = relay.step(FramesReceived(link, tuple(frames)), NOW)
        assert not out.changes
        assert not [item for item in out.express if item.link != "b"]
    assert [held.frame for held in relay.mailboxes[CHARTER, BRAVO]] == [envelope_frame(kept)]
    assert relay.held == 1
    assert relay.attached == 2


def test_what_is_counted_is_what_was_done() -> None:
    """Operators would see a relay that works as one that stands still, or the reverse (docs/protocol.md 5.6, 5.18)."""
    relay = _relay()
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    _send(relay, "a", _envelope(1))
    assert (relay.forwarded, relay.stored, relay.refused) == (0, 1, 0)
    _attach(relay, "b", "fp-b", _hello(BRAVO))
    _send(relay, "a", _envelope(2))
    assert (relay.forwarded, relay.stored) == (1, 1), "it lingers"
    _send(relay, "a", _envelope(4, flags=FLAG_TRANSIENT))
    relay.step(Tick(), DUE)
    assert (relay.forwarded, relay.stored) == (2, 2)
    _send(relay, "a", _envelope(3, sender=BRAVO))
    assert (relay.forwarded, relay.stored, relay.refused) == (2, 2, 1)


def test_custody_says_for_whom_of_which_hotline_and_when() -> None:
    """A receipt could be shown for another terminal, or for another day (docs/protocol.md 5.6)."""
    relay = _relay()
    _attach(relay, "a", "fp-a", _hello(ALPHA))
    (frame,) = _bodies(_send(relay, "a", _envelope(1), _envelope(2)).transmit, "a")
    assert frame_pb2.CustodyBody.FromString(frame.custody.body) == frame_pb2.CustodyBody(
        charter=CHARTER, terminal=ALPHA, envelope=[_name(_envelope(1)), _name(_envelope(2))], time_ms=NOW.wall
    )


def test_a_refusal_names_its_envelope_and_an_attached_terminal_is_told() -> None:
    """A sender would not know what was refused, nor an operator who is there (docs/protocol.md 5.7 and 5.18)."""
    relay = _relay()
    out = _attach(relay, "a", "fp-a", _hello(ALPHA))
    assert [(told.kind, told.fields) for told in out.deliver] == [("attached", {"link": "a", "terminal": ALPHA})]
    (frame,) = _bodies(_send(relay, "a", _envelope(to=9)).transmit, "a")
    assert frame.refusal.envelope_id == envelope_id(_envelope(to=9))


def test_a_new_relay_has_done_nothing_and_looks_at_once_at_what_is_stored() -> None:
    """Counts would begin elsewhere, and what was stored long ago stay for an hour more (docs/protocol.md 5.8)."""
    relay = _relay([(CHARTER, BRAVO, Held(b"i", b"n", b"f", NOW.wall - MAILBOX_RETENTION - 1))])
    assert (relay.streams, relay.attached, relay.forwarded, relay.stored, relay.refused) == (0, 0, 0, 0, 0)
    assert relay.next_deadline() is None
    assert (relay.held, len(relay.step(Tick(), NOW).changes), relay.held) == (1, 1, 0)
    assert relay.next_deadline() == NOW.mono + 3_600_000
    relay.step(Tick(), Instant(NOW.mono + 3_599_999, NOW.wall))
    assert relay.next_deadline() == NOW.mono + 3_600_000
