"""One of several parties claims serials that nobody gave out: what the others have to bear, and for how long."""

from __future__ import annotations

import json

import pytest

from hotline.charter.profiles import PROFILES, Profile
from hotline.limits import RENUMBERED_MAX, SERIAL_SKIP_MAX, SUMMARY_INTERVAL
from hotline.machine import Instant, Plane
from hotline.protocol.status import at_a_glance
from tests.hotline.protocol.pair import FLASH, ROUTINE, clear, durable, losing
from tests.hotline.protocol.trio import Delegation, Trio

REAL = Plane.REAL
MINUTE = 60_000
MINUTELY = Profile("minutely", MINUTE, 150_000, 200_000, 1_000, 10_000, 86_400_000, 600_000, 64, 262_144)


def claims(liar: Delegation, of: Delegation, through: int) -> None:
    """It says to `of` that it holds so many of its statements, and to the third one by which names."""
    liar.lies = True
    inbox = liar.member(of).context.inboxes[REAL]
    inbox.through = through
    inbox._recent.update({serial: bytes(32) for serial in range(max(1, through - 8), through + 1)})


def test_an_hour_of_lies_costs_the_others_no_more_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that claims and claims would fill the record, the list and the day of another (docs/protocol.md 26.16)."""
    most, a_time = 40, 30
    monkeypatch.setattr("hotline.protocol.credence.SERIAL_SKIP_MAX", most)
    monkeypatch.setitem(PROFILES, "minutely", MINUTELY)  # type: ignore[arg-type]
    three = Trio(relays=1, profiles=("minutely",)).open()
    alpha, bravo, charlie = three.all
    assert bravo.member(alpha).context.peer_is_heard
    texts = []
    for minute in range(60):
        claims(charlie, alpha, alpha.member(charlie).context.outboxes[REAL].last_serial + a_time)
        if minute % 12 == 6:
            texts.append(f"said in minute {minute}")
            assert alpha.submit(texts[-1], FLASH if minute % 24 == 6 else ROUTINE).ok
        three.run(MINUTE)
    got = bravo.got(alpha)
    said = sorted(serial for serial, text in got.items() if text)
    assert [got[serial] for serial in said] == texts
    assert sorted(got) == [*range(1, len(got) + 1)], "without a gap"
    assert a_time <= len(got) - len(texts) <= most
    assert sorted(bravo.member(alpha).context.unread[REAL]) == said, "the others need not be opened"
    assert json.loads(bravo.member(alpha).handovers.listed())["planes"]["real"]["unread"] == said
    assert at_a_glance("ALPHA", bravo.member(alpha), bravo.now())["unread_here"] == said
    assert not any("expired" in alpha.facts(bravo, serial) for serial in said)
    assert alpha.member(bravo).context.outboxes[REAL].pending == {}
    told = [r.fields["party"] for r in alpha.records if r.kind == "alarm" and r.fields["name"] == "absurd-serial"]
    assert told == ["CHARLIE"], "once, and of whom"
    assert "msg.clock" not in bravo.kinds(), "what has no time is not late"


def test_a_real_loss_is_believed_whatever_was_claimed_before() -> None:
    """A liar would use up what an honest party has to say of a lost record (docs/protocol.md 26.16)."""
    three = Trio(relays=1).open(500)
    alpha, bravo, charlie = three.all
    credences = {one.name: alpha.member(one)._first.answers._credence for one in (bravo, charlie)}
    alpha.conference.first.begin()

    def believes(one: Delegation, serial: int, mono: int, plane: Plane = REAL) -> bool:
        alpha.member(one).begin()
        known = credences[one.name].believes(plane, serial, Instant(mono, 0))
        if known:
            alpha.member(one).context.raise_serial(plane, serial)
        return known

    assert believes(charlie, SERIAL_SKIP_MAX - 1, 1_000)
    assert not believes(charlie, SERIAL_SKIP_MAX + 1, 1_000 + 9 * SUMMARY_INTERVAL)
    assert believes(bravo, SERIAL_SKIP_MAX, 1_000 + 9 * SUMMARY_INTERVAL)
    assert believes(charlie, 5, 1_000), "that is known"
    for one in (bravo, charlie):
        assert not believes(one, SERIAL_SKIP_MAX + 1, 1_000 + 99 * SUMMARY_INTERVAL)
    assert believes(bravo, SERIAL_SKIP_MAX, 1_000, Plane.EXERCISE), "each plane by itself"


def test_what_only_closes_gaps_takes_nobodys_place() -> None:
    """A FLASH would expire at once for whoever a liar has empty statements sent to (docs/protocol.md 12.9)."""
    three = Trio(relays=1, outbox_max=3).open()
    alpha, bravo, charlie = three.all
    three.weather = losing(lambda sender, relay, envelope: sender is alpha and durable(envelope))
    claims(charlie, alpha, 9)
    three.run(3_000)
    pending = alpha.member(bravo).context.outboxes[REAL].pending
    assert [item.is_filler for item in pending.values()] == [True] * 3
    assert [alpha.submit(text, FLASH).code for text in ("first", "second", "third")] == ["queued"] * 3
    assert not any("expired" in alpha.facts(bravo, serial) for serial in (10, 11, 12))
    assert alpha.submit("fourth", FLASH).code == "full"
    three.weather = clear
    three.run(12_000)
    assert bravo.got(alpha) == dict.fromkeys(range(1, 10), "") | {10: "first", 11: "second", 12: "third"}
    assert sorted(bravo.member(alpha).context.unread[REAL]) == [10, 11, 12]


def test_on_hearsay_a_statement_is_renumbered_a_few_times_and_never_given_up() -> None:
    """A liar would have another one's FLASH expire, and be nobody who contradicted it (docs/protocol.md 26.15)."""
    three = Trio(relays=1).open()
    alpha, bravo, charlie = three.all
    three.weather = losing(lambda sender, relay, envelope: sender is alpha and durable(envelope))
    assert alpha.submit("We see no exercise.", FLASH).ok
    passed_on = bravo.member(charlie)._first.beats.gossip
    assert passed_on is not None
    for _ in range(RENUMBERED_MAX + 4):
        pending = alpha.member(bravo).context.outboxes[REAL].pending
        (serial,) = [serial for serial, item in pending.items() if not item.is_void]
        passed_on._claims[alpha.number, REAL, serial] = bytes(32)
        three.run(800)
    three.weather = clear
    three.run(10_000)
    assert len([told for told in alpha.told if told.kind == "renumbered"]) == RENUMBERED_MAX
    for one in (bravo, charlie):
        assert one.got(alpha)[RENUMBERED_MAX + 1] == "We see no exercise."
        assert "expired" not in alpha.facts(one, RENUMBERED_MAX + 1)
