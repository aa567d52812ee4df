"""One watch takes over from another and signs for what it was shown; checklists (docs/protocol.md 25.9 to 25.12)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from hotline.charter.model import load_charter
from hotline.charter.parts import Officer
from hotline.cli.handover import print_list
from hotline.crypto.signing import SigningKey
from hotline.limits import HANDOVER_LIST_HOLDS, UNREAD_SHOWN_MAX
from hotline.machine import Plane, Reply, RequestId, Tick
from hotline.protocol.events import AskChallenge, RecordChecklist, SetPresence, ShowHandover, SignHandover
from hotline.protocol.handover import LABEL, signed_parts
from hotline.protocol.status import status
from hotline.protocol.voids import filler
from tests.hotline.charter.conftest import Ceremony, ceremony  # noqa: F401 - a fixture
from tests.hotline.protocol.pair import CHARTER, WALL, Pair, Party, durable, losing
from tests.hotline.protocol.quartet import Quartet

KEY = SigningKey(b"o" * 32)


@pytest.fixture
def pair(ceremony: Ceremony) -> Pair:  # noqa: F811
    roster = (Officer("ALPHA", "duty-2", ("duty",), KEY.public, "2026-01-01", "2036-01-01"),)
    standing = replace(load_charter(ceremony.signed), officers=roster)
    pair = Pair()
    for party in (pair.alpha, pair.bravo):
        party.prepare(standing=standing, note=ceremony.signed)
    return pair.open()


def listed(party: Party) -> bytes:
    return party.endpoint.handovers.listed()


def signs(
    party: Party, shown: bytes, notes: str = "", key: SigningKey = KEY, changes: dict[str, object] | None = None
) -> Reply:
    """The oncoming officer signs the list `shown` and hands it in."""
    signature = key.sign(LABEL, *signed_parts(CHARTER, party.number, shown, "duty-1", notes))
    request = RequestId(len(party.replies) + 1)
    event = SignHandover(request, "duty-1", "duty-2", hashlib.sha256(shown).digest(), notes, signature)
    party.step(replace(event, **(changes or {})))  # type: ignore[arg-type]
    return party.replies[request]


def test_the_list_says_what_is_open_and_changes_only_with_it(pair: Pair) -> None:
    """The next watch would not know of an unread FLASH; or never sign a list that ages (docs/protocol.md 25.9)."""
    pair.bravo.submit("unread")
    pair.run(2_000)
    pair.cut()
    pair.alpha.submit("waits", plane=Plane.EXERCISE)
    pair.run(10_000)
    shown = listed(pair.alpha)
    picture = json.loads(shown)
    assert shown == json.dumps(picture, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    assert picture["planes"]["real"]["unread"] == [1]
    assert picture["planes"]["exercise"]["waiting"] == [[1, "queued"]]
    assert picture["alarms"]["no-path"] == 1
    assert set(picture["paths"].values()) == {"down"}
    assert (picture["number"], picture["presence"]) == (1, ["alive", 0])
    pair.run(60_000)
    assert listed(pair.alpha) == shown
    assert pair.alpha.read(1).ok
    assert listed(pair.alpha) != shown


def test_what_was_shown_is_what_is_signed(pair: Pair) -> None:
    """An officer would answer for what came in while the pen was moving (docs/protocol.md 25.10 and 25.11)."""
    pair.cut("relay-2")
    old = listed(pair.alpha)
    pair.bravo.submit("just now")
    pair.run(2_000)
    reply = signs(pair.alpha, old)
    assert (reply.ok, reply.code) == (False, "changed")
    assert "watch.handover" not in pair.alpha.kinds()
    now = listed(pair.alpha)
    reply = signs(pair.alpha, now, "Relay-2 is down.")
    assert (reply.ok, reply.fields["number"]) == (True, 1)
    (entry,) = [record for record in pair.alpha.records if record.kind == "watch.handover"]
    assert (entry.fields["number"], entry.fields["list"]) == (1, hashlib.sha256(now).hexdigest())
    assert {name: kept.value for name, kept in entry.private.items()} == {
        "outgoing": b"duty-1", "oncoming": b"duty-2", "notes": b"Relay-2 is down.",
    }  # fmt: skip
    (row,) = pair.alpha.memory.rows("handover")
    kept = json.loads(row["content"])  # type: ignore[arg-type]
    assert (kept["list"].encode(), kept["notes"]) == (now, "Relay-2 is down.")
    assert "single-path" in json.loads(now)["alarms"]
    assert json.loads(listed(pair.alpha))["alarms"] == {}, "alarms are counted anew"
    pair.alpha.restart()
    assert json.loads(listed(pair.alpha))["number"] == 2
    assert signs(pair.alpha, now).code == "changed", "a signature is good for one handover"


def shown_to_an_officer(party: Party) -> bytes:
    request = RequestId(len(party.replies) + 1)
    party.step(ShowHandover(request))
    return party.replies[request].text.encode()


def test_what_comes_in_while_it_is_looked_at_is_the_new_watch_s(pair: Pair) -> None:
    """In a crisis a list would never hold for as long as it takes to read (docs/protocol.md 25.10, 25.11)."""
    pair.cut("relay-2")
    old = shown_to_an_officer(pair.alpha)
    assert old == listed(pair.alpha)
    pair.join()
    pair.run(2_000)
    pair.cut("relay-2")
    pair.cut("relay-1")
    assert shown_to_an_officer(pair.alpha) != old
    pair.run(HANDOVER_LIST_HOLDS - 2_000)
    reply = signs(pair.alpha, old)
    assert (reply.ok, "something has changed" in reply.text) == (True, True)
    (entry,) = [record for record in pair.alpha.records if record.kind == "watch.handover"]
    assert entry.fields["list"] == hashlib.sha256(old).hexdigest()
    alarms = json.loads(listed(pair.alpha))["alarms"]
    assert (alarms["single-path"], alarms["no-path"]) == (1, 1), "one of them was in the list that was signed"
    pair.alpha.restart()
    assert json.loads(listed(pair.alpha))["alarms"].items() >= alarms.items()
    assert signs(pair.alpha, old).code == "changed", "it is good for one handover"


def test_a_list_that_was_shown_long_ago_or_before_the_last_handover_is_not_signed(pair: Pair) -> None:
    """Somebody could answer today for yesterday's list, and not see what the last watch was told (25.10)."""
    early = shown_to_an_officer(pair.alpha)
    pair.bravo.submit("just now")
    pair.run(HANDOVER_LIST_HOLDS + 1)
    assert signs(pair.alpha, early).code == "changed"
    before = shown_to_an_officer(pair.alpha)
    pair.bravo.submit("and now")
    pair.run(2_000)
    assert signs(pair.alpha, shown_to_an_officer(pair.alpha)).ok
    assert signs(pair.alpha, before).code == "changed"
    for late in range(65):
        pair.alpha.endpoint.handovers.raised["gap"] = (late + 1, 0)
        shown_to_an_officer(pair.alpha)
    assert len(pair.alpha.endpoint.handovers._shown) == 64


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("same", {"outgoing": "duty-2"}),
        ("officer", {"oncoming": "duty-9"}),
        ("signature", {"outgoing": "duty-7"}),
        ("signature", {"notes": "other notes"}),
        ("signature", {"signature": bytes(64)}),
        ("text", {"notes": "x" * 4_001}),
        ("text", {"notes": "a\0b"}),
    ],
)
def test_what_does_not_hold_is_not_entered(pair: Pair, code: str, changes: dict[str, object]) -> None:
    """A watch could be put into somebody's hands who never took it (docs/protocol.md 25.10)."""
    reply = signs(pair.alpha, listed(pair.alpha), changes=changes)
    assert (reply.ok, reply.code) == (False, code)
    assert pair.alpha.memory.rows("handover") == []
    assert signs(pair.alpha, listed(pair.alpha)).ok


def test_another_key_and_an_officer_of_the_peer_do_not_take_over(pair: Pair) -> None:
    """The other side's officer could sign for our watch (docs/protocol.md 25.10)."""
    assert signs(pair.alpha, listed(pair.alpha), key=SigningKey(b"x" * 32)).code == "signature"
    assert signs(pair.bravo, listed(pair.bravo)).code == "officer"


def ran(party: Party, *steps: tuple[str, str], name: str = "line-silent", file: bytes = bytes(32)) -> Reply:
    request = RequestId(len(party.replies) + 1)
    party.step(RecordChecklist(request, "duty-1", name, file, steps))
    return party.replies[request]


def test_a_checklist_is_on_record_with_what_was_skipped_and_why(pair: Pair) -> None:
    """Nobody could say afterwards what the watch did when the line fell silent (docs/protocol.md 25.12)."""
    assert ran(pair.alpha, ("done", ""), ("skipped", "no linguist on duty"), ("open", "")).ok
    (entry,) = [record for record in pair.alpha.records if record.kind == "watch.checklist"]
    counts = {name: entry.fields[name] for name in ("name", "done", "skipped", "open")}
    assert counts == {"name": "line-silent", "done": 1, "skipped": 1, "open": 1}
    assert json.loads(entry.private["steps"].value)["steps"][1] == ["skipped", "no linguist on duty"]
    assert entry.private["officer"].value == b"duty-1"


def test_what_is_no_run_of_a_checklist_is_refused(pair: Pair) -> None:
    """A ledger would hold runs that say nothing (docs/protocol.md 25.12)."""
    wrong = [
        ran(pair.alpha),
        ran(pair.alpha, *[("done", "")] * 101),
        ran(pair.alpha, *[("open", "")] * 5),
        ran(pair.alpha, ("skipped", " ")),
        ran(pair.alpha, ("done", "why?")),
        ran(pair.alpha, ("perhaps", "")),
        ran(pair.alpha, ("skipped", "x" * 501)),
        ran(pair.alpha, ("done", ""), name=""),
        ran(pair.alpha, ("done", ""), file=b""),
    ]
    assert [(reply.ok, "nothing was recorded" in reply.text) for reply in wrong] == [(False, True)] * len(wrong)
    assert "watch.checklist" not in pair.alpha.kinds()


def test_the_whole_list(pair: Pair) -> None:
    """The next watch would not be told of what it answers for from now on (docs/protocol.md 25.9)."""
    alpha, bravo = pair.alpha, pair.bravo
    alpha.submit("to be answered")
    bravo.submit("to be read")
    bravo.submit("to be challenged")
    pair.run(1_000)
    assert bravo.read(1).ok
    until = WALL + pair.time + 3_600_000
    assert bravo.promise(1, until).ok
    alpha.step(AskChallenge(RequestId(900), "duty-1", Plane.REAL, 2, ours=False))
    alpha.step(SetPresence(RequestId(901), "duty-1", "degraded", until))
    bravo.step(SetPresence(RequestId(902), "watch", "principal-absent", until))
    pair.run(2_000)
    pair.weather = losing(lambda sender, relay, sealed: durable(sealed))
    bravo.submit("withheld")
    alpha.submit("first", plane=Plane.EXERCISE)
    alpha.submit("second", plane=Plane.EXERCISE)
    pair.run(12_000)
    alpha.endpoint.context.alarm("gap", "raised by hand", plane="real", first=1, last=1)
    alpha.step(Tick())
    nothing = {"sent_through": 0, "received_through": 0, "unread": [], "unread_more": 0, "waiting": [], "missing": []}
    assert json.loads(listed(alpha)) == {
        "number": 1,
        "planes": {
            "real": nothing | {"sent_through": 1, "received_through": 2, "unread": [1, 2], "missing": [3, 3]},
            "exercise": nothing | {"sent_through": 2, "waiting": [[1, "queued"], [2, "queued"]]},
            "service": nothing | {"sent_through": 1, "received_through": 1, "unread": [1]},
        },
        "alarms": {"gap": 1},
        "challenges": [["asked", 1]],
        "promises": [["sent", "real", 1, until, False]],
        "presence": ["degraded", until],
        "peer_presence": ["principal-absent", until],
        "paths": {"relay-1": "up", "relay-2": "up"},
        "tests": {"missed": 0, "undelivered": 0},
    }
    (row,) = [row for row in alpha.memory.rows("raised") if row["name"] == "gap"]
    assert WALL < int(str(row["last"])) <= alpha.now().wall
    assert json.loads(listed(bravo))["challenges"] == [["heard", 1]]
    assert json.loads(listed(bravo))["promises"] == [["received", "real", 1, until, False]]
    alpha.restart()
    assert json.loads(listed(alpha))["alarms"] == {"gap": row["times"]}


@pytest.mark.parametrize("size", [1, 64])
def test_a_checklist_at_its_bounds_is_recorded(pair: Pair, size: int) -> None:
    """A lawful run would not be on record (docs/protocol.md 25.12)."""
    steps = [("skipped", "x" * 500), *[("done", "")] * 99]
    assert ran(pair.alpha, *steps, name="n" * size).ok
    assert not ran(pair.alpha, *steps, name="n" * 65).ok
    assert not ran(pair.alpha, *steps, name="né").ok
    assert not ran(pair.alpha, *steps, file=bytes(33)).ok
    assert not ran(pair.alpha, ("skipped", "a\0b")).ok
    assert not ran(pair.alpha, ("open", "why")).ok
    assert pair.alpha.kinds().count("watch.checklist") == 1


def test_a_list_has_an_end_whatever_the_peer_has_said(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """A flooding peer would leave a watch that no one can hand over (docs/protocol.md 25.9 and 14.5)."""
    unread = pair.alpha.endpoint.context.unread
    unread[Plane.REAL] = dict.fromkeys(range(1, 600_001), bytes(32))
    unread[Plane.SERVICE] = {3: bytes(32)}
    shown = listed(pair.alpha)
    assert len(shown) < 4_096
    print_list(shown.decode())
    said = capsys.readouterr().out
    assert f"#{UNREAD_SHOWN_MAX:04d} and {600_000 - UNREAD_SHOWN_MAX} more; waiting" in said
    assert "SERVICE  unread: #0003; waiting" in said
    del unread[Plane.REAL][600_000]
    assert listed(pair.alpha) != shown, "one was read, though it is not named"


def test_each_handover_has_the_next_number_and_notes_up_to_their_bound(pair: Pair) -> None:
    """Two handovers would bear one number, or a watch have no room for what it must say (docs/protocol.md 25.10)."""
    for number in (1, 2, 3):
        reply = signs(pair.alpha, listed(pair.alpha), "x" * 4_000 if number > 1 else "")
        assert (reply.ok, reply.fields["number"]) == (True, number), reply.text
    told = [told.fields["number"] for told in pair.alpha.told if told.kind == "handover"]
    assert told == [row["serial"] for row in pair.alpha.memory.rows("handover")] == [1, 2, 3]


def test_the_list_of_one_of_several_terminals_tells_of_the_peer_that_answers() -> None:
    """The next watch would look after what has long arrived, and believe a line dead (docs/protocol.md 25.9)."""
    four = Quartet().open()
    four.bravo.kill()
    four.run(20_000)
    four.alpha.submit("to the alternate")
    four.run(3_000)
    assert four.alpha.states(1) == ["delivered"]
    picture = json.loads(listed(four.alpha))
    assert set(four.alpha.endpoint.context.outboxes[Plane.REAL].pending) == {1}, "a copy, for when it comes back"
    assert (picture["planes"]["real"]["waiting"], picture["paths"]) == ([], {"relay-1": "up"})
    seen = status(four.alpha.endpoint, four.alpha.now())
    assert seen["planes"]["real"]["waiting"] == 0


def test_a_serial_of_which_nothing_is_known_is_no_matter_of_a_watch(pair: Pair) -> None:
    """An officer would sign for hundreds of statements that nobody here has said (docs/protocol.md 25.9)."""
    ctx, now = pair.alpha.endpoint.context, pair.alpha.now()
    pair.weather = losing(lambda sender, relay, envelope: durable(envelope))
    pair.alpha.submit("said", valid_for_ms=1_000)
    pair.run(1_100)
    ctx.outboxes[Plane.REAL].add(filler(ctx, Plane.REAL, 9, now))
    assert json.loads(listed(pair.alpha))["planes"]["real"]["waiting"] == [[1, "expired"]]
    pair.alpha.restart()
    assert json.loads(listed(pair.alpha))["planes"]["real"]["waiting"] == [[1, "expired"]]
