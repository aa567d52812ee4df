"""Bundles for a courier (docs/protocol.md section 17)."""

from __future__ import annotations

import itertools

import pytest

from hotline.charter.profiles import PROFILES
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed, Untrusted
from hotline.limits import (
    BUNDLE_ENVELOPES_MAX,
    COURIER_PREKEYS_KEPT_MAX,
    COURIER_ROTATION,
    COURIER_VALIDITY,
    PREKEY_GRACE,
)
from hotline.machine import Plane, Reply, RequestId, Tick
from hotline.protocol import courier
from hotline.protocol.bundle import MAGIC, bundle_name, encode_bundle, read_bundle, verify_bundle
from hotline.protocol.events import ExportBundle, ImportBundle
from hotline.protocol.prekeys import tag
from hotline.wire.codec import encode
from hotline.wire.envelope import FLAG_OPENER
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import bundle_pb2, content_pb2

from .pair import CHARTER, WALL, Pair, Party
from .quartet import Quartet

FLASH = content_pb2.PRECEDENCE_FLASH
DAY = 86_400_000
MINUTE = 60_000
FIBRE = PROFILES["fibre"]


def exported(party: Party, terminal: str = "") -> bytes:
    request = RequestId(len(party.replies) + 1)
    party.step(ExportBundle(request, "watch", terminal))
    data = party.replies[request].fields["bundle"]
    assert isinstance(data, bytes)
    return data


def imported(party: Party, data: bytes) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(ImportBundle(request, "watch", data))
    return party.replies[request]


def counts(reply: Reply) -> tuple[object, ...]:
    assert reply.ok, reply
    return tuple(reply.fields[name] for name in ("statements", "delivered", "refused"))


@pytest.fixture
def pair() -> Pair:
    """Two terminals that have met and then lost every path."""
    pair = Pair().open()
    pair.cut()
    return pair


def test_what_no_path_carries_goes_by_hand_and_so_do_its_receipts(pair: Pair) -> None:
    """With every relay dead nothing could be said any more (docs/protocol.md 17.4 to 17.6)."""
    pair.alpha.submit("the first")
    pair.alpha.submit("the urgent one", FLASH)
    pair.alpha.submit("for the exercise", plane=Plane.EXERCISE)
    assert counts(imported(pair.bravo, exported(pair.alpha))) == (3, 0, 0)
    assert (pair.bravo.shown(), pair.bravo.shown(Plane.EXERCISE)) == ([2, 1], [1]), "the urgent one is opened first"
    assert pair.bravo.text(2) == "the urgent one"
    pair.bravo.read(1)
    pair.bravo.submit("an answer")
    assert pair.alpha.states(1) == []
    assert counts(imported(pair.alpha, exported(pair.bravo))) == (1, 3, 0)
    assert pair.alpha.states(1) == ["delivered", "read"]
    assert pair.alpha.states(2) == ["delivered"]
    assert pair.alpha.shown() == [1]
    assert not pair.alpha.endpoint.context.outboxes[Plane.REAL].pending


def test_a_bundle_taken_twice_and_what_also_came_over_a_path_is_shown_once(pair: Pair) -> None:
    """A courier who is late would make two of one (docs/protocol.md 17.6)."""
    pair.alpha.submit("said once")
    first, second = exported(pair.alpha), exported(pair.alpha)
    assert counts(imported(pair.bravo, first)) == (1, 0, 0)
    assert counts(imported(pair.bravo, first)) == (0, 0, 0)
    assert counts(imported(pair.bravo, second)) == (0, 0, 0)
    pair.join()
    pair.run(5_000)
    assert pair.alpha.states(1)[-1] == "delivered"
    third = exported(pair.alpha)
    assert counts(imported(pair.bravo, third)) == (0, 0, 0)
    assert pair.bravo.shown() == [1]
    assert pair.bravo.endpoint.context.session.newest_peer_epochs.get(Plane.REAL) is not None


def test_keys_are_exchanged_ahead_and_outlive_the_line_by_weeks(pair: Pair) -> None:
    """An ordinary prekey is gone an hour after the line: a courier takes days (docs/protocol.md 17.1)."""
    pair.alpha.submit("by the long road", valid_for_ms=200 * DAY)
    data = exported(pair.alpha)
    pair.time += 6 * COURIER_ROTATION
    for _ in range(8):
        pair.bravo.step(Tick())
        pair.time += PREKEY_GRACE
    pair.bravo.restart()
    assert counts(imported(pair.bravo, data)) == (1, 0, 0)


def test_the_word_of_courier_keys_rides_each_interval_on_a_path_that_is_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each heartbeat would be 1.4 kilobytes longer, or a new key would never be told (docs/protocol.md 17.2)."""
    pair.join()
    pair.run(5_000)
    session = pair.alpha.endpoint.context.session
    seal, told = session.seal, list[tuple[int, content_pb2.CourierKey]]()

    def listening(plane: Plane, inner: Inner, *, transient: bool) -> bytes:
        if inner.type is ContentType.HEARTBEAT:
            beat = content_pb2.Heartbeat.FromString(inner.content)
            if beat.HasField("courier"):
                told.append((pair.time, beat.courier))
        return seal(plane, inner, transient=transient)

    monkeypatch.setattr(session, "seal", listening)
    interval, beat = FIBRE.checkpoint_ms, FIBRE.heartbeat_ms
    pair.run(4 * interval)
    times = [at for at, _ in told]
    assert 3 <= len(times) <= 4
    assert all(interval <= later - at <= interval + 2 * beat for at, later in itertools.pairwise(times))
    newest = pair.bravo.endpoint.courier_keys.newest
    assert newest is not None
    assert {word.held for _, word in told} == {tag(newest.name)}
    assert not told[-1][1].HasField("prekey"), "the peer has named it"
    told.clear()
    pair.weather = lambda sender, relay, envelope: []
    pair.run(4 * interval)
    assert [at for at, _ in told if at > times[-1] + interval + FIBRE.silent_ceiling_ms] == [], "a path that is not up"


def test_without_a_key_of_the_peer_a_bundle_brings_ours_and_the_next_one_brings_the_words() -> None:
    """Two capitals whose terminals never met on a line could not begin by courier (docs/protocol.md 17.2, 17.4)."""
    pair = Pair()
    pair.alpha.start()
    pair.bravo.start()
    pair.alpha.submit("a first word")
    request = RequestId(90)
    pair.alpha.step(ExportBundle(request, "watch"))
    reply = pair.alpha.replies[request]
    assert "carries ours alone" in reply.text
    bundle = read_bundle(bytes(reply.fields["bundle"]))  # type: ignore[arg-type]
    assert not bundle.envelopes
    assert counts(imported(pair.bravo, bytes(reply.fields["bundle"]))) == (0, 0, 0)  # type: ignore[arg-type]
    pair.bravo.submit("so we can speak")
    assert counts(imported(pair.alpha, exported(pair.bravo))) == (1, 0, 0)
    assert counts(imported(pair.bravo, exported(pair.alpha))) == (1, 1, 0)


def test_an_expired_courier_key_is_not_used(pair: Pair) -> None:
    """What is sealed to a key that its owner has destroyed is lost (docs/protocol.md 17.1)."""
    pair.alpha.submit("too late for this key", valid_for_ms=300 * DAY)
    pair.time += COURIER_VALIDITY + 1
    assert not read_bundle(exported(pair.alpha)).envelopes


def test_a_terminal_that_lost_its_courier_secrets_asks_with_a_newer_key(pair: Pair) -> None:
    """The answer would be sealed to the lost key again (docs/protocol.md 17.5)."""
    pair.alpha.submit("sealed to a key that is lost")
    data = exported(pair.alpha)
    pair.bravo.memory.tables.pop("courier_prekey")
    pair.bravo.restart()
    assert counts(imported(pair.bravo, data))[2] == 1
    assert pair.bravo.refusals() == ["unknown-prekey"]
    assert pair.bravo.kinds().count("key.request.sent") == 0
    before = pair.alpha.endpoint.context
    assert counts(imported(pair.alpha, exported(pair.bravo))) == (0, 0, 0)
    assert before is pair.alpha.endpoint.context
    assert counts(imported(pair.bravo, exported(pair.alpha))) == (1, 0, 0)


def test_a_lost_courier_secret_makes_one_newer_key_however_many_envelopes_show_it(pair: Pair) -> None:
    """Each envelope of a large bundle would push a key out that others hold (docs/protocol.md 17.5)."""
    for plane in (Plane.REAL, Plane.EXERCISE):
        pair.alpha.submit("sealed to a key that is lost", plane=plane)
    data = exported(pair.alpha)
    pair.bravo.memory.tables.pop("courier_prekey")
    pair.bravo.restart()
    before = [row["generation"] for row in pair.bravo.memory.rows("courier_prekey")]
    assert counts(imported(pair.bravo, data))[2] == 2
    assert pair.bravo.refusals() == ["unknown-prekey"] * 2
    after = [row["generation"] for row in pair.bravo.memory.rows("courier_prekey")]
    assert (after[: len(before)], len(after)) == (before, len(before) + 1)
    assert max(after) > max(before)  # type: ignore[type-var, operator]


def test_an_old_bundle_does_not_bring_back_an_old_key(pair: Pair) -> None:
    """Whoever keeps old bundles could make us seal to a key that has leaked since (docs/protocol.md 17.2)."""
    old = exported(pair.bravo)
    pair.time += COURIER_ROTATION + 1
    new = exported(pair.bravo)
    assert read_bundle(old).prekey != read_bundle(new).prekey
    for data in (old, new, old):
        imported(pair.alpha, data)
    pair.alpha.submit("to the newer key")
    envelope = read_bundle(exported(pair.alpha)).envelopes[0]
    newest = pair.bravo.endpoint.courier_keys.newest
    assert newest is not None
    assert envelope[22:26] == newest.name[:4]


def test_courier_keys_rotate_and_old_secrets_go(pair: Pair) -> None:
    """Secrets that open old bundles would pile up (docs/protocol.md 17.1)."""
    for _ in range(COURIER_PREKEYS_KEPT_MAX + 3):
        pair.time += COURIER_ROTATION
        pair.bravo.step(Tick())
    rows = pair.bravo.memory.rows("courier_prekey")
    assert len(rows) == COURIER_PREKEYS_KEPT_MAX
    pair.bravo.restart()
    assert pair.bravo.memory.rows("courier_prekey") == rows, "a start is no reason for another"


def test_a_start_puts_no_rotation_off(pair: Pair) -> None:
    """A terminal that is restarted each night would keep one courier key for ever (docs/protocol.md 17.1)."""

    def newest() -> int:
        return max(int(row["generation"]) for row in pair.bravo.memory.rows("courier_prekey"))  # type: ignore[arg-type]

    made, begun = newest(), pair.time
    pair.time = begun + COURIER_ROTATION // 2
    pair.bravo.restart()
    pair.time = begun + COURIER_ROTATION - MINUTE
    pair.bravo.step(Tick())
    assert newest() == made
    pair.time = begun + COURIER_ROTATION
    pair.bravo.step(Tick())
    assert newest() > made
    made = newest()
    pair.time += 2 * COURIER_ROTATION
    pair.bravo.restart()
    assert newest() > made, "what was due while it was off is due at the start"


def test_a_bundle_is_an_epoch_for_each_plane_on_record(pair: Pair) -> None:
    """Which keys a bundle was sealed to would stand in no ledger (docs/protocol.md 17.4 and 7.3)."""
    pair.alpha.submit("real")
    pair.alpha.submit("as well")
    pair.alpha.submit("for the exercise", plane=Plane.EXERCISE)
    before = len(pair.alpha.records)
    envelopes = read_bundle(exported(pair.alpha)).envelopes
    begun = [r.fields for r in pair.alpha.records[before:] if r.kind == "key.epoch.begun"]
    assert [fields["plane"] for fields in begun] == ["real", "exercise"]
    assert [fields["epoch"] for fields in begun] == [envelopes[0][6:18].hex(), envelopes[2][6:18].hex()]


def test_neither_kind_of_prekey_is_taken_for_the_other(pair: Pair) -> None:
    """A long-lived key would be used on the line, or a short-lived one in a bag (docs/protocol.md 17.1)."""
    alpha, bravo = pair.alpha.endpoint, pair.bravo.endpoint
    ordinary, long_lived = bravo.context.prekeys.newest, bravo.courier_keys.newest
    assert ordinary is not None
    assert long_lived is not None
    with pytest.raises(Untrusted):
        alpha.courier_keys.offer(ordinary.signed, 2, fresh=True)
    with pytest.raises(Untrusted):
        alpha.context.session.offer_prekey(long_lived.signed, fresh=True)


def test_only_the_first_envelope_of_a_plane_carries_the_opener(pair: Pair) -> None:
    """A bundle of a thousand would be a megabyte longer (docs/protocol.md 17.4)."""
    for number in range(5):
        pair.alpha.submit(f"number {number}")
    envelopes = read_bundle(exported(pair.alpha)).envelopes
    assert [bool(envelope[1] & FLAG_OPENER) for envelope in envelopes] == [True] + [False] * 4
    again = read_bundle(exported(pair.alpha)).envelopes
    assert envelopes[0][6:18] != again[0][6:18], "each bundle is an epoch of its own"


def test_a_bundle_that_is_altered_in_any_byte_changes_nothing(pair: Pair) -> None:
    """A courier could take out what he does not like (docs/protocol.md 17.5)."""
    pair.alpha.submit("as it was said")
    data = exported(pair.alpha)
    before = len(pair.bravo.records)
    for place in range(0, len(data), 37):
        altered = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        assert not imported(pair.bravo, altered).ok
    for end in (0, 5, len(MAGIC), len(data) - 1):
        assert not imported(pair.bravo, data[:end]).ok
    assert {record.kind for record in pair.bravo.records[before:]} <= {"refused", "refused.more"}
    assert pair.bravo.shown() == []
    assert counts(imported(pair.bravo, data)) == (1, 0, 0)


def test_a_bundle_with_an_envelope_taken_out_and_signed_by_somebody_else_is_refused(pair: Pair) -> None:
    """docs/protocol.md 17.3: only the sender's terminal can say that a bundle is whole."""
    pair.alpha.submit("kept")
    bundle = read_bundle(exported(pair.alpha))
    body = bundle_pb2.BundleBody(
        charter=CHARTER, from_terminal=1, to_terminal=2, made_ms=WALL, prekey=bundle.prekey, envelope=[]
    )
    forged = encode_bundle(SigningKey(bytes(32)), body)
    with pytest.raises(Untrusted):
        verify_bundle(read_bundle(forged), pair.alpha.signing.public)
    assert imported(pair.bravo, forged).code == "signature"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"charter": bytes(32)}, "address"),
        ({"charter": b"short"}, "address"),
        ({"from_terminal": 2, "to_terminal": 1}, "address"),
        ({"from_terminal": 1, "to_terminal": 1}, "address"),
        ({"made_ms": 2**60}, "field-length"),
        ({"envelope": [b"x"] * (BUNDLE_ENVELOPES_MAX + 1)}, "too-long"),
        ({"envelope": [bytes(40_000)]}, "too-long"),
    ],
)
def test_what_is_for_somebody_else_or_no_bundle_is_refused(pair: Pair, changes: dict[str, object], reason: str) -> None:
    """docs/protocol.md 17.3 and 17.5."""
    fields: dict[str, object] = {"charter": CHARTER, "from_terminal": 1, "to_terminal": 2, "made_ms": WALL}
    data = encode_bundle(pair.alpha.signing, bundle_pb2.BundleBody(**(fields | changes)))  # type: ignore[arg-type]
    reply = imported(pair.bravo, data)
    assert (reply.ok, reply.code) == (False, reason)
    assert reply.text.endswith("nothing was imported") or reason == "field-length"


def test_a_terminal_that_is_none_and_another_version_are_no_bundle() -> None:
    """docs/protocol.md 17.3."""
    body = encode(bundle_pb2.BundleBody(charter=CHARTER, from_terminal=1, to_terminal=70_000))
    with pytest.raises(Malformed, match="field-length"):
        read_bundle(MAGIC + encode(bundle_pb2.Bundle(body=body, signature=bytes(64))))
    with pytest.raises(Malformed, match="version"):
        read_bundle(b"hotline-courier/2\n" + encode(bundle_pb2.Bundle()))


def test_what_a_bundle_opened_is_not_what_heartbeats_wait_to_hear_of() -> None:
    """The opener of what goes over the paths would ride in every envelope for ever (docs/protocol.md 7.3 and 10.2)."""
    pair = Pair().open()
    pair.alpha.submit("over a path", plane=Plane.EXERCISE)
    pair.run(1_000)
    told = pair.bravo.endpoint.context.session.newest_peer_epochs
    before = dict(told)
    pair.cut()
    pair.alpha.submit("by hand", plane=Plane.EXERCISE)
    assert counts(imported(pair.bravo, exported(pair.alpha))) == (1, 0, 0)
    assert Plane.EXERCISE in before
    assert told == before


def test_what_does_not_fit_waits_and_is_told(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """An officer would believe that all of it is in the bag (docs/protocol.md 17.3)."""
    monkeypatch.setattr(courier, "BUNDLE_ENVELOPES_MAX", 2)
    for number in range(4):
        pair.alpha.submit(f"routine {number}")
    pair.alpha.submit("urgent", FLASH)
    request = RequestId(91)
    pair.alpha.step(ExportBundle(request, "watch"))
    reply = pair.alpha.replies[request]
    assert reply.text == "2 statements in 2 envelopes; 3 more did not fit and wait for the next bundle"
    assert counts(imported(pair.bravo, bytes(reply.fields["bundle"]))) == (2, 0, 0)  # type: ignore[arg-type]
    assert 5 in pair.bravo.shown()


def test_both_sides_write_down_what_went_and_what_came(pair: Pair) -> None:
    """Nobody could show afterwards what the courier had been given (docs/protocol.md 17.7)."""
    pair.alpha.submit("for the record")
    data = exported(pair.alpha)
    imported(pair.bravo, data)
    (out,) = [record for record in pair.alpha.records if record.kind == "courier.export"]
    (came,) = [record for record in pair.bravo.records if record.kind == "courier.import"]
    assert out.fields["bundle"] == came.fields["bundle"] == bundle_name(data).hex()
    assert (out.fields["statements"], came.fields["statements"], came.fields["refused"]) == (1, 1, 0)
    assert set(out.private) == set(came.private) == {"officer"}
    ways = [record.fields["paths"] for record in pair.alpha.records if record.kind == "msg.sent"]
    assert ways == ["(courier)"]


def test_a_bundle_for_a_peer_whose_key_is_not_here_holds_no_statement(pair: Pair) -> None:
    """The courier would be told to carry what is not in the bundle (docs/protocol.md 17.7)."""
    alpha = pair.alpha
    alpha.endpoint.courier_keys.usable = lambda terminal, now: None  # type: ignore[method-assign]
    pair.cut()
    alpha.submit("waits")
    alpha.step(ExportBundle(RequestId(900), "watch"))
    assert alpha.replies[900].fields["statements"] == 0
    (entry,) = [record.fields for record in alpha.records if record.kind == "courier.export"]
    assert (entry["statements"], entry["envelopes"]) == (0, 0)


# --- several terminals ------------------------------------------------------------------------------------------------


@pytest.fixture
def four() -> Quartet:
    """Two parties with two terminals each, that have met and then lost every path."""
    four = Quartet().open()
    four.run(3 * FIBRE.checkpoint_ms)
    four.cut()
    return four


def test_with_the_main_terminal_lost_a_bundle_is_for_the_alternate(four: Quartet) -> None:
    """What a courier brings could be opened by a machine alone that is not there any more (docs/protocol.md 17.8)."""
    four.bravo.kill()
    four.alpha.submit("by hand, to whoever is there", FLASH)
    data = exported(four.alpha, "alt")
    assert counts(imported(four.beside, data)) == (1, 0, 0)
    assert list(four.beside.got().values()) == ["by hand, to whoever is there"]
    assert four.beside.read(1)
    assert counts(imported(four.alpha, exported(four.beside))) == (0, 1, 0)
    assert four.alpha.states(1) == ["delivered", "read"]
    out, came = (
        [record.fields["other"] for record in party.records if record.kind == kind]
        for party, kind in ((four.alpha, "courier.export"), (four.alpha, "courier.import"))
    )
    assert out == came == ["BRAVO/alt"]
    four.alpha.restart()
    assert four.alpha.endpoint.courier_keys.usable(4, four.alpha.now()) is not None, "keys of each are kept"


def test_a_bundle_is_for_the_terminal_that_speaks_and_from_any_of_the_peer(four: Quartet) -> None:
    """An officer would hand the courier a bundle for who stands by, or could not take one (docs/protocol.md 17.8)."""
    assert read_bundle(exported(four.alpha)).recipient == four.bravo.number
    four.join()
    four.run(2_000)
    assert four.beside.speak()
    four.run(3_000)
    four.cut()
    assert read_bundle(exported(four.alpha)).recipient == four.beside.number
    assert read_bundle(exported(four.alpha, "main")).recipient == four.bravo.number
    four.beside.submit("from the alternate")
    four.bravo.submit("refused: it stands by")
    assert counts(imported(four.alpha, exported(four.bravo))) == (0, 0, 0)
    assert counts(imported(four.alpha, exported(four.beside))) == (1, 0, 0)
    assert counts(imported(four.alt, exported(four.beside, "alt"))) == (1, 0, 0)
    assert read_bundle(exported(four.beside, "ALPHA/alt")).recipient == four.alt.number, "as `terminal list` has it"


def test_no_bundle_for_or_from_a_terminal_that_is_none_of_the_peer(four: Quartet) -> None:
    """A sibling's bundle would be taken for the peer's word (docs/protocol.md 17.8)."""
    request = RequestId(900)
    four.alpha.step(ExportBundle(request, "watch", "plane"))
    reply = four.alpha.replies[request]
    assert (reply.ok, reply.code) == (False, "terminal")
    assert reply.text == "no bundle is made for plane: its terminals that take one now are main, alt"
    data = exported(four.alt)
    body = read_bundle(data).body
    forged = bundle_pb2.BundleBody.FromString(body)
    forged.to_terminal = four.alpha.number
    answer = imported(four.alpha, encode_bundle(four.alt.signing, forged))
    assert (answer.ok, answer.code) == (False, "address")


def test_a_bundle_for_another_terminal_of_the_party_is_refused(four: Quartet) -> None:
    """An officer would be told that it was taken, and nothing in it could be opened there (docs/protocol.md 17.5)."""
    four.alpha.submit("for the main terminal")
    answer = imported(four.beside, exported(four.alpha, "main"))
    assert (answer.ok, answer.code) == (False, "address")
