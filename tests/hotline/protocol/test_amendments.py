"""A charter that is amended while a hotline is in service: ready, in force, agreed, and every crash in between."""

from __future__ import annotations

import itertools
import os

import pytest

from hotline.charter.amendment import Changes
from hotline.charter.body import ReleaseEntry
from hotline.charter.ceremony import make_offer, make_officer
from hotline.charter.model import load_charter, sign_charter, split
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed
from hotline.limits import CHARTER_BYTES_MAX, CHARTER_PATIENCE
from hotline.machine import LinkClosed, LinkOpened, Reply, RequestId
from hotline.protocol.events import ActivateCharter
from hotline.protocol.paths import PathState
from hotline.protocol.release import RELEASED, policy_of
from hotline.protocol.statements import decode_heartbeat
from hotline.protocol.status import status
from hotline.wire.codec import encode, envelope_frame
from hotline.wire.v1 import content_pb2, frame_pb2
from tests.hotline.charter.conftest import NOW, TODAY, Ceremony, ceremony  # noqa: F401 - a fixture
from tests.hotline.charter.test_amendment import FEWER_TESTS, RELAY

from .offices import DRAFTER, Desk, signed, smuggle
from .pair import FLASH, ROUTINE, Pair, Party, clear
from .test_release import plain, verdicts

RELAYS = Changes(relays=[RELAY], retire=["relay:relay-1"], values={"fibre.heartbeat_ms": 400})
_numbers = itertools.count(1_000)


def standing(first: bytes) -> Pair:
    """A pair that stands under `first`, on relay-1 and relay-2; a third relay is there."""
    pair = Pair(relays=3)
    charter = load_charter(first)
    for party in (pair.alpha, pair.bravo):
        paths = tuple(path for path in pair.paths if path.name != "relay-3")
        party.prepare(charter=charter.founding, standing=charter, note=first, paths=paths, release=policy_of(charter))
    return pair.open()


def activate(party: Party, note: bytes, dead: tuple[str, ...] = ()) -> Reply:
    """An officer hands it in; the daemon dials what it adds."""
    request = RequestId(next(_numbers))
    party.step(ActivateCharter(request, "watch", note))
    dial(party, dead)
    return party.replies[request]


def dial(party: Party, dead: tuple[str, ...] = ()) -> None:
    """Streams to every relay that is a path and has none yet, but to those that are dead."""
    for name, path in party.endpoint.context.paths.items():
        if not path.open and name not in dead:
            party.step(LinkOpened(name))


def again(party: Party) -> None:
    """A crash and a start, as the daemon does it: under what the store holds."""
    note = party.memory.tables["fact"][("charter.note",)]["value"]
    assert isinstance(note, bytes)
    charter = load_charter(note)
    names = {relay.name for relay in charter.relays}
    paths = tuple(path for path in party.pair.paths if path.name in names)
    party.prepare(charter=charter.founding, standing=charter, note=note, paths=paths, release=policy_of(charter))
    party.restart()
    dial(party)


def serials(pair: Pair) -> tuple[int, int]:
    return pair.alpha.endpoint.charters.serial, pair.bravo.endpoint.charters.serial


def changes(party: Party) -> list[object]:
    return [record.fields["serial"] for record in party.records if record.kind == "charter.changed"]


@pytest.fixture(scope="module")
def second(ceremony: Ceremony) -> bytes:  # noqa: F811
    """Serial 2: relay-3 for relay-1, quicker beats."""
    return ceremony.agreed(RELAYS)


def test_relays_change_in_service_and_nothing_is_lost(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """A relay could be replaced only by stopping the hotline (docs/protocol.md 24.7, 24.8 and 24.9)."""
    pair = standing(ceremony.signed)
    said = 0
    for at, step in enumerate(("before", "alpha", "between", "bravo", "after", "later")):
        if step in ("alpha", "bravo"):
            assert activate(getattr(pair, step), second).ok
        for party in (pair.alpha, pair.bravo):
            party.submit(f"{step} {at}")
        said += 1
        pair.run(700)
        assert serials(pair) == ((1, 1) if step in ("before", "alpha", "between") else (2, 2)), step
    pair.run(5_000)
    for party in (pair.alpha, pair.bravo):
        assert party.shown() == list(range(1, said + 1))
        assert changes(party) == [2]
        assert set(party.endpoint.context.paths) == {"relay-2", "relay-3"}
        assert all(path.setup.profile.heartbeat_ms == 400 for path in party.endpoint.context.paths.values())
        assert [alarm for alarm in party.alarms() if str(alarm).startswith("charter")] == []
        assert party.refusals() == []
        assert party.memory.tables["fact"][("charter.note",)]["value"] == second
        assert ("charter.next",) not in party.memory.tables["fact"]


def test_one_side_that_is_ready_changes_nothing(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """Whoever is quicker would cut the line (docs/protocol.md 24.8 and 24.9)."""
    pair = standing(ceremony.signed)
    charters = pair.alpha.endpoint.charters
    assert (charters.note, charters.next_note) == (ceremony.signed, b""), "what an officer is shown"
    assert activate(pair.alpha, second).ok
    assert activate(pair.alpha, second).ok
    assert (charters.note, charters.next_note) == (ceremony.signed, second)
    pair.alpha.submit("still the old charter")
    pair.run(2 * CHARTER_PATIENCE)
    assert serials(pair) == (1, 1)
    assert pair.bravo.shown() == [1]
    assert pair.alpha.kinds().count("charter.ready") == 1
    assert [alarm for party in (pair.alpha, pair.bravo) for alarm in party.alarms() if "charter" in str(alarm)] == []


CRASHES = ("ready", "both ready", "one in force", "one restored to ready", "both in force")


@pytest.mark.parametrize("crash", CRASHES)
@pytest.mark.parametrize("who", ["alpha", "bravo"])
def test_a_crash_anywhere_ends_under_one_charter(
    ceremony: Ceremony,  # noqa: F811
    second: bytes,
    crash: str,
    who: str,
) -> None:
    """A power cut in the middle would leave two halves that do not find each other (docs/protocol.md 24.4 and 24.9)."""
    pair = standing(ceremony.signed)
    first, other = (pair.alpha, pair.bravo) if who == "alpha" else (pair.bravo, pair.alpha)
    assert activate(first, second).ok
    if crash == "ready":
        again(first)
        assert first.endpoint.charters.next is not None
    pair.run(1_000)
    if crash == "both ready":  # before either has heard the other
        pair.cut("relay-1", "relay-2", "relay-3")
    assert activate(other, second).ok
    first.submit("under way")
    if crash == "both ready":
        again(first)
        again(other)
        pair.join("relay-1", "relay-2", "relay-3")
    ready = first.memory.copy()
    while serials(pair) == (1, 1):
        pair.run(10)
    if crash == "one in force":
        again(first)
    if crash == "one restored to ready":
        first.memory = ready
        again(first)
    pair.run(2_000)
    if crash == "both in force":
        again(first)
        again(other)
    other.submit("an answer")
    pair.run(8_000)
    assert serials(pair) == (2, 2)
    for party in (pair.alpha, pair.bravo):
        assert set(party.endpoint.context.paths) == {"relay-2", "relay-3"}
        assert party.shown()[-1] == 1
    assert first.endpoint.charters.next is None


def test_no_side_switches_before_the_next_charters_relays_carry(
    ceremony: Ceremony,  # noqa: F811
    second: bytes,
) -> None:
    """Both would leave relays that work for relays that do not (docs/protocol.md 24.9)."""
    pair = standing(ceremony.signed)
    pair.cut("relay-2")
    for party in (pair.alpha, pair.bravo):
        activate(party, second, ("relay-2", "relay-3"))
    pair.run(5_000)
    assert serials(pair) == (1, 1)
    pair.alpha.submit("over the relay that is to go")
    pair.run(2_000)
    assert pair.bravo.shown() == [1]
    pair.join("relay-3")
    pair.run(5_000)
    assert serials(pair) == (2, 2)


def test_retired_relays_are_kept_until_the_peer_has_switched(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """The side that switched first could not hear that the other has (docs/protocol.md 24.9)."""
    pair = standing(ceremony.signed)
    waiting, switched = pair.alpha, pair.bravo
    activate(waiting, second)
    pair.run(1_000)
    pair.weather = lambda sender, relay, envelope: [] if sender is switched else [envelope]
    activate(switched, second)
    pair.run(1_000)
    assert serials(pair) == (1, 2)
    waiting.submit("said under the old one")
    pair.run(1_000)
    assert "relay-1" in switched.endpoint.context.paths
    assert switched.shown() == [1]
    pair.weather = clear
    pair.run(3_000)
    assert serials(pair) == (2, 2)
    assert "relay-1" not in switched.endpoint.context.paths
    switched.step(LinkClosed("relay-1", "retired"))


def test_a_relay_that_is_retired_within_a_parcel_stops_no_terminal(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """It could end each terminal once, by a Welcome behind the beat that retires it (docs/protocol.md 3.3 and 24.9)."""
    pair = standing(ceremony.signed)
    welcome, told = encode(frame_pb2.Frame(welcome=frame_pb2.Welcome(version=1, relay="relay-1"))), []

    def with_a_welcome(sender: Party, relay: str, envelope: bytes) -> list[bytes]:
        if sender is pair.bravo and relay == "relay-1" and relay in pair.alpha.endpoint.context.paths:
            # The retired relay alone is quick, and behind each beat it welcomes once more and says what is no frame.
            pair.alpha.hear(relay, envelope_frame(envelope), welcome, b"no frame")
            told.append(relay in pair.alpha.endpoint.context.paths)
            return []
        return [envelope] if sender is pair.alpha or serials(pair)[0] == 1 else []

    activate(pair.alpha, second)
    activate(pair.bravo, second)
    pair.weather = with_a_welcome
    pair.run(5_000)
    assert told[-2:] == [True, False]
    assert pair.alpha.refusals() == ["unreadable"] * (len(told) - 1), "what is behind the last beat is not read"
    pair.weather = clear
    pair.alpha.submit("over the relays that are left")
    pair.run(1_000)
    assert pair.alpha.states(1) == ["delivered"]


def _unsigned(ceremony: Ceremony, second: bytes) -> bytes:  # noqa: F811
    return sign_charter(split(second)[0], "BRAVO", ceremony.keys["BRAVO"])


def test_what_both_have_not_signed_is_refused_and_told(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """One government, or a thief at a terminal, would put an outsider on the roster (docs/protocol.md 24.7)."""
    third = ceremony.agreed(FEWER_TESTS, second)
    forged = second.replace(b'"heartbeat_ms": 400', b'"heartbeat_ms": 401', 1)
    assert forged != second
    for note, said in (
        (_unsigned(ceremony, second), "not signed by ALPHA"),
        (forged, "signature"),
        (third, "does not follow"),
    ):
        pair = standing(ceremony.signed)
        refused = activate(pair.bravo, note)
        assert not refused.ok
        assert said in refused.text
        assert pair.bravo.alarms() == ["charter-refused"]
        assert ("charter.next",) not in pair.bravo.memory.tables["fact"]
        assert "charter.ready" not in pair.bravo.kinds()


def test_what_is_no_charter_is_refused_without_alarm(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """A wrong file name would ring the bell at night (docs/protocol.md 24.7)."""
    pair = standing(ceremony.signed)
    for note in (b"", b"a letter", ceremony.offers[0], second + b" " * CHARTER_BYTES_MAX):
        assert not activate(pair.bravo, note).ok
    in_force = activate(pair.bravo, ceremony.signed)
    assert "in force already" in in_force.text
    terminals = ceremony.agreed(Changes([_another_terminal(ceremony)]))
    assert "stop the daemon" in activate(pair.bravo, terminals).text
    assert pair.bravo.alarms() == []


def _another_terminal(ceremony: Ceremony) -> bytes:  # noqa: F811
    import os

    from hotline.charter.ceremony import make_offer, make_terminal
    from tests.hotline.charter.conftest import NOW

    card = make_terminal(ceremony.keys["ALPHA"], "ALPHA", "spare", os.urandom, NOW)[1]
    return make_offer(ceremony.keys["ALPHA"], "ALPHA", [card], [], [])


def test_an_old_charter_is_not_taken_again(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """Whoever kept the file could bring a retired relay or officer back (docs/protocol.md 24.7)."""
    pair = standing(ceremony.signed)
    for party in (pair.alpha, pair.bravo):
        activate(party, second)
    pair.run(3_000)
    refused = activate(pair.alpha, ceremony.signed)
    assert not refused.ok
    assert "serial 1 does not follow serial 2" in refused.text
    assert pair.alpha.alarms() == ["charter-refused"]
    assert serials(pair) == (2, 2)


def test_two_charters_of_one_serial_are_an_alarm(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """Each side would stand under another one and both believe the same (docs/protocol.md 24.10)."""
    pair = standing(ceremony.signed)
    other = ceremony.agreed(Changes(relays=[RELAY], notice_days=30))
    assert activate(pair.alpha, second).ok
    assert not activate(pair.alpha, other).ok
    assert pair.alpha.alarms() == ["charter-conflict"]
    assert activate(pair.bravo, other).ok
    pair.run(3_000)
    assert serials(pair) == (1, 1)
    assert pair.bravo.alarms() == ["charter-conflict"]
    assert pair.alpha.alarms() == ["charter-conflict"]


def test_charters_of_one_serial_in_force_on_both_sides_are_an_alarm(
    ceremony: Ceremony,  # noqa: F811
    second: bytes,
) -> None:
    """The same by a restart, which asks nobody (docs/protocol.md 24.10)."""
    pair = standing(ceremony.signed)
    for party, note in ((pair.alpha, second), (pair.bravo, ceremony.agreed(Changes(relays=[RELAY])))):
        party.prepare(charter=load_charter(note).founding, standing=load_charter(note), note=note)
        party.restart()
        dial(party)
    pair.run(3_000)
    assert "charter-conflict" in pair.alpha.alarms()
    assert "charter-conflict" in pair.bravo.alarms()


def test_a_terminal_that_was_set_back_is_told_by_its_peer(ceremony: Ceremony, second: bytes) -> None:  # noqa: F811
    """A restored backup would bring the old roster back, and nobody would know (docs/protocol.md 24.10)."""
    pair = standing(ceremony.signed)
    backup = pair.alpha.memory.copy()
    for party in (pair.alpha, pair.bravo):
        activate(party, second)
    pair.run(3_000)
    assert serials(pair) == (2, 2)
    pair.alpha.memory = backup
    again(pair.alpha)
    pair.run(CHARTER_PATIENCE - 1_000)
    assert "charter-differs" not in pair.alpha.alarms()
    pair.run(4_000)
    for party in (pair.alpha, pair.bravo):
        assert party.alarms().count("charter-differs") == 1
        (shown,) = [one for one in status(party.endpoint, party.now())["alarms"] if one["name"] == "charter-differs"]
        ours, theirs = (1, 2) if party is pair.alpha else (2, 1)
        assert shown["text"] == f"here charter {ours} is in force, at the peer {theirs}"
    pair.alpha.submit("the line goes on")
    assert activate(pair.alpha, second).ok
    pair.run(3_000)
    assert serials(pair) == (2, 2)
    assert not pair.alpha.endpoint.charters.differ(pair.alpha.now())
    assert pair.bravo.shown()


def test_a_terminal_that_was_set_back_by_two_charters_takes_one_after_the_other(
    ceremony: Ceremony,  # noqa: F811
    second: bytes,
) -> None:
    """It would be ready for the first for ever: its peer has left that one behind (docs/protocol.md 24.9 and 24.10)."""
    pair = standing(ceremony.signed)
    backup = pair.alpha.memory.copy()
    third = ceremony.agreed(FEWER_TESTS, second)
    for note in (second, third):
        for party in (pair.alpha, pair.bravo):
            assert activate(party, note).ok
        pair.run(3_000)
    assert activate(pair.bravo, ceremony.agreed(Changes(notice_days=30), third)).ok, "and it is ready for a fourth"
    pair.alpha.memory = backup
    again(pair.alpha)
    pair.run(1_000)
    for serial, note in ((2, second), (3, third)):
        assert activate(pair.alpha, note).ok
        pair.run(2_000)
        assert serials(pair) == (serial, 3)
    pair.bravo.submit("heard under the third")
    pair.run(2_000)
    assert pair.alpha.shown() == [1]
    assert [alarm for party in (pair.alpha, pair.bravo) for alarm in party.alarms() if "charter" in str(alarm)] == []


def test_beats_of_a_hotline_that_was_never_amended_say_nothing_of_it(
    ceremony: Ceremony,  # noqa: F811
    second: bytes,
) -> None:
    """Every beat on a slow path would pay for what is rare (docs/protocol.md 24.8)."""
    pair = standing(ceremony.signed)
    told: list[tuple[int, bool, bool]] = []
    for party in (pair.alpha, pair.bravo):
        write = party.endpoint.charters.write

        def listening(heartbeat, line, path, now, write=write):  # type: ignore[no-untyped-def]
            write(heartbeat, line, path, now)
            told.append((heartbeat.charter_serial, bool(heartbeat.charter), bool(heartbeat.charter_next)))

        party.endpoint.charters.write = listening  # type: ignore[method-assign]
    pair.run(5_000)
    assert set(told) == {(0, False, False)}
    activate(pair.alpha, second)
    pair.run(1_000)
    assert set(told) == {(0, False, False), (0, False, True)}
    activate(pair.bravo, second)
    pair.run(3_000)
    told.clear()
    pair.run(5_000)
    assert (2, False, False) in told
    assert {beat[2] for beat in told} == {False}
    pair.run(20_000)
    assert 0 < told.count((2, True, False)) < len(told) // 5


@pytest.mark.parametrize("fields", [{"charter": b"x" * 31}, {"charter_next": b"x" * 33}, {"charter_serial": 2**40 + 1}])
def test_a_beat_that_names_no_charter_is_refused(fields: dict[str, object]) -> None:
    """What is no hash would be compared with one, and be an alarm (docs/protocol.md 24.8)."""
    beat = content_pb2.Heartbeat(beat=1, path=1, presence=content_pb2.PRESENCE_ALIVE)
    decode_heartbeat(encode(beat))
    with pytest.raises(Malformed, match="beat"):
        decode_heartbeat(encode(content_pb2.Heartbeat(beat=1, path=1, presence=1, **fields)))  # type: ignore[arg-type]


def test_other_tests_of_the_channel_begin_with_the_amendment(ceremony: Ceremony) -> None:  # noqa: F811
    """The schedule would be the old one until the next restart (docs/protocol.md 24.9)."""
    pair = standing(ceremony.signed)
    quick = ceremony.agreed(Changes(values={"policy.channel_test_ms": 4_000, "policy.text_bytes_max": 100}))
    for party in (pair.alpha, pair.bravo):
        activate(party, quick)
    pair.run(16_000)
    assert serials(pair) == (2, 2)
    assert pair.alpha.endpoint.tests.kept.received
    assert pair.bravo.endpoint.tests.kept.received
    assert pair.alpha.submit("x" * 101).code == "text"


def test_a_path_that_dies_as_its_timers_change_is_suspected(ceremony: Ceremony) -> None:  # noqa: F811
    """It would be believed in for ever: its silence would be counted from a beat that never comes (24.9, 11.1)."""
    pair = standing(ceremony.signed)
    quick = ceremony.agreed(Changes(values={"fibre.heartbeat_ms": 400}))
    activate(pair.alpha, quick)
    pair.run(2_000)
    pair.weather = lambda sender, relay, envelope: [] if relay == "relay-2" else [envelope]
    activate(pair.bravo, quick)
    pair.run(500)
    paths = [party.endpoint.context.paths["relay-2"] for party in (pair.alpha, pair.bravo)]
    assert serials(pair) == (2, 2)
    assert [(path.setup.profile.heartbeat_ms, path.state) for path in paths] == [(400, PathState.UP)] * 2
    pair.run(paths[0].setup.profile.silent_ceiling_ms)
    assert [path.state for path in paths] == [PathState.SUSPECT] * 2


def test_a_charter_that_comes_into_force_is_recorded_and_kept(ceremony: Ceremony) -> None:  # noqa: F811
    """Nobody could prove under which roster something was said (docs/protocol.md 24.5)."""
    first, second = ceremony.signed, ceremony.agreed(FEWER_TESTS)
    pair = Pair()
    for party in (pair.alpha, pair.bravo):
        party.prepare(charter=load_charter(first).founding, standing=load_charter(first), note=first)
    pair.open()
    alpha = pair.alpha
    assert alpha.memory.tables["fact"][("charter.note",)]["value"] == first
    assert "charter.changed" not in alpha.kinds()
    alpha.prepare(charter=load_charter(first).founding, standing=load_charter(second), note=second)
    alpha.restart()
    changed = [record.fields for record in alpha.records if record.kind == "charter.changed"]
    hashes = {"old": load_charter(first).hash.hex(), "new": load_charter(second).hash.hex(), "serial": 2}
    assert changed == [hashes]
    assert alpha.memory.tables["fact"][("charter.note",)]["value"] == second
    alpha.restart()
    assert len([kind for kind in alpha.kinds() if kind == "charter.changed"]) == 1


def test_what_was_said_before_an_amendment_is_delivered_after_it(ceremony: Ceremony) -> None:  # noqa: F811
    """A change of roster would cost every statement under way, and its proof (docs/protocol.md 24.1)."""
    first, second = ceremony.signed, ceremony.agreed(FEWER_TESTS)
    founding = load_charter(first).founding
    pair = Pair()
    for party in (pair.alpha, pair.bravo):
        party.prepare(charter=founding, standing=load_charter(first), note=first)
    pair.open()
    pair.cut("relay-1", "relay-2")
    pair.alpha.submit("said before")
    for party in (pair.alpha, pair.bravo):
        party.prepare(charter=founding, standing=load_charter(second), note=second)
        party.restart()
    pair.join("relay-1", "relay-2")
    pair.run(5_000)
    assert pair.bravo.shown() == [1]
    assert pair.bravo.refusals() == []
    assert "delivered" in pair.alpha.states(1)


def test_who_must_sign_changes_in_service(ceremony: Ceremony) -> None:  # noqa: F811
    """The watch would have to stop to be told that two must sign now (docs/protocol.md 19.14)."""
    seed, card = make_officer(ceremony.keys["ALPHA"], "ALPHA", "chief", ("drafter",), os.urandom, NOW)
    offer = make_offer(ceremony.keys["ALPHA"], "ALPHA", [], [card], [])
    entry = ReleaseEntry(plane="real", precedence="flash", roles=("drafter",))
    strict = ceremony.agreed(Changes(offers=[offer], release=[entry]))
    loose = ceremony.agreed(Changes(release=[]), strict)
    pair = standing(ceremony.signed)
    alpha, bravo = pair.alpha, pair.bravo
    assert alpha.submit("1", FLASH).ok
    pair.run(1_000)
    for party in (alpha, bravo):
        assert activate(party, strict).ok
    pair.run(1_000)
    assert serials(pair) == (2, 2)
    assert alpha.submit("Nobody signed.", FLASH).code == "policy"
    assert alpha.submit("2", ROUTINE).ok
    desk = Desk(alpha)
    assert desk.make("3").ok
    charter = alpha.endpoint.context.setup.charter
    assert desk.sign(1, signed(desk.statement(1), "chief", DRAFTER, charter=charter, key=SigningKey(seed))).ok
    assert desk.release(1).ok
    pair.run(1_000)
    again(bravo)
    pair.run(1_000)
    smuggle(alpha, plain("4", draft=b""))
    pair.run(1_000)
    for party in (alpha, bravo):
        assert activate(party, loose).ok
    pair.run(1_000)
    assert serials(pair) == (3, 3)
    assert alpha.submit("5", FLASH).ok
    pair.run(1_000)
    assert verdicts(bravo) == {1: "", 2: "", 3: RELEASED, 4: "missing", 5: ""}


def test_a_signature_from_before_an_amendment_counts_after_it(ceremony: Ceremony) -> None:  # noqa: F811
    """What two officers agreed to would have to be signed again for a relay's new address (docs/protocol.md 19.14)."""
    seed, card = make_officer(ceremony.keys["ALPHA"], "ALPHA", "chief", ("drafter",), os.urandom, NOW)
    offer = make_offer(ceremony.keys["ALPHA"], "ALPHA", [], [card], [])
    entry = ReleaseEntry(plane="real", precedence="flash", roles=("drafter",))
    first = ceremony.agreed(Changes(offers=[offer], release=[entry]))
    later = ceremony.agreed(RELAYS, first)
    pair = standing(first)
    desk = Desk(pair.alpha)
    assert desk.make().ok
    charter = pair.alpha.endpoint.context.setup.charter
    assert desk.sign(1, signed(desk.statement(1), "chief", DRAFTER, charter=charter, key=SigningKey(seed))).ok
    for party in (pair.alpha, pair.bravo):
        assert activate(party, later).ok
    pair.run(1_000)
    assert serials(pair) == (3, 3)
    assert desk.release(1).ok
    pair.run(1_000)
    assert verdicts(pair.bravo) == {1: RELEASED}
