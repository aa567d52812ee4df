"""Amendments: the next charter of a hotline, and nothing that a hotline rests on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hotline.charter.amendment import Changes, amend
from hotline.charter.body import CharterText, PartyEntry, RelayEntryText, TerminalEntry
from hotline.charter.cards import TerminalCard, encode, read_unverified
from hotline.charter.ceremony import make_offer, make_officer, make_relay, make_terminal
from hotline.charter.differences import differences
from hotline.charter.documents import IdentitySigner, issue, read_text, spell
from hotline.charter.model import load_charter, load_draft, sign_charter, split
from hotline.charter.parts import Charter
from hotline.charter.succession import check_follows, read_next, standing
from hotline.crypto.identity import IdentityKey
from hotline.errors import ConfigError, HotlineError, Malformed, Untrusted
from hotline.ledger.note import sign_note
from tests.hotline.charter.conftest import NOW, PARTIES, TODAY, Ceremony

RELAY = make_relay("relay-3", "another", "127.0.0.1:41003", "fibre", os.urandom, NOW)[1]
FEWER_TESTS = Changes(values={"policy.channel_test_ms": 0})


@pytest.fixture(scope="module")
def second(ceremony: Ceremony) -> bytes:
    """Serial 2: relay-3 comes, relay-1 goes, a second officer of BRAVO, notice of 90 days."""
    card = make_officer(ceremony.keys["BRAVO"], "BRAVO", "duty-2", ("duty",), os.urandom, NOW)[1]
    offer = make_offer(ceremony.keys["BRAVO"], "BRAVO", [], [card], [])
    changes = Changes([offer], [RELAY], ["relay:relay-1"], notice_days=90, depositary="The secretariat")
    return ceremony.agreed(changes)


def test_an_amendment_is_the_next_charter(ceremony: Ceremony, second: bytes) -> None:
    """Both sides could not change a relay without giving up the hotline (docs/protocol.md 24.1, 24.2 and 24.3)."""
    first, next_ = load_charter(ceremony.signed), load_charter(second)
    assert first.founding == first.hash
    assert not first.previous
    assert (next_.founding, next_.previous, next_.serial) == (first.hash, first.hash, 2)
    assert next_.hash != first.hash
    assert [(relay.number, relay.name) for relay in next_.relays] == [(2, "relay-2"), (3, "relay-3")]
    assert next_.numbered == (2, 2)
    check_follows(next_, first)
    third = load_charter(ceremony.agreed(FEWER_TESTS, second))
    assert (third.founding, third.previous, third.serial) == (first.hash, next_.hash, 3)
    assert third.highest == (2, 3)
    check_follows(third, next_)


def test_terms_are_carried_and_kept_by_later_amendments(ceremony: Ceremony, second: bytes) -> None:
    """How a party may leave would be lost by changing a relay (docs/protocol.md 24.6)."""
    third = load_charter(ceremony.agreed(FEWER_TESTS, second))
    assert (third.notice_days, third.depositary) == (90, "The secretariat")
    without = load_charter(ceremony.agreed(Changes(notice_days=0, depositary=""), second))
    assert (without.notice_days, without.depositary) == (0, "")
    assert b'"terms"' not in ceremony.agreed(Changes(notice_days=0, depositary=""), second)


def test_people_see_everything_that_an_amendment_changes(ceremony: Ceremony, second: bytes) -> None:
    """One side would sign what the other has slipped in (docs/protocol.md 24.3)."""
    found = differences(load_charter(second), load_charter(ceremony.signed))
    assert {(one.how, one.what, one.name) for one in found} == {
        ("added", "officer", "BRAVO/duty-2"),
        ("added", "relay", "relay-3"),
        ("retired", "relay", "relay-1"),
        ("changed", "terms", "terms"),
    }
    assert differences(load_charter(second), load_charter(second)) == []
    slow = load_draft(amend(second, Changes(values={"fibre.heartbeat_ms": 700}), TODAY))
    assert [one.text for one in differences(slow, load_charter(second))] == ["heartbeat_ms 500 -> 700"]


def test_cards_are_renewed_under_the_same_number(ceremony: Ceremony) -> None:
    """A certificate that ends would end the line (docs/protocol.md 24.3)."""
    first = load_charter(ceremony.signed)
    officer = make_officer(ceremony.keys["ALPHA"], "ALPHA", "duty-1", ("duty", "releaser"), os.urandom, NOW)[1]
    offer = make_offer(ceremony.keys["ALPHA"], "ALPHA", [], [officer], [])
    renewed = load_charter(ceremony.agreed(Changes([offer])))
    check_follows(renewed, first)
    assert renewed.officer("ALPHA", "duty-1").signing != first.officer("ALPHA", "duty-1").signing
    assert [terminal.number for terminal in renewed.terminals] == [1, 2]


def _with_party(text: CharterText, key: IdentityKey) -> tuple[PartyEntry, PartyEntry]:
    return (text.parties[0], PartyEntry(name="BRAVO", identity=encode(key.public)))


def _relays(text: CharterText, *numbers: int) -> tuple[RelayEntryText, ...]:
    return tuple(
        RelayEntryText(number=number, card=entry.card) for number, entry in zip(numbers, text.relays, strict=True)
    )


BREAKS: dict[str, tuple[Callable[[CharterText], dict[str, Any]], str]] = {
    "another beginning": (lambda text: {"amends": _amends(text, founding="ab" * 32)}, "another founding"),
    "another predecessor": (lambda text: {"amends": _amends(text, previous="ab" * 32)}, "another charter"),
    "numbers forgotten": (lambda text: {"amends": _amends(text, terminal_number=1)}, "which numbers"),
    "a serial left out": (lambda text: {"serial": 3}, "does not follow"),
    "another name": (lambda text: {"hotline": "alpha-charlie"}, "another name"),
    "another secret": (lambda text: {"pairwise_check": "ab" * 32}, "pairwise secret"),
    "numbers exchanged": (lambda text: {"relays": _relays(text, 2, 1)}, "goes to another"),
    "another number": (lambda text: {"relays": _relays(text, 7, 2)}, "another number than before"),
    "a terminal renumbered": (
        lambda text: {
            "terminals": tuple(TerminalEntry(number=entry.number + 2, card=entry.card) for entry in text.terminals)
        },
        "another number than before",
    ),
}


def _amends(text: CharterText, **changes: object) -> object:
    assert text.amends is not None
    return text.amends.model_copy(update=changes)


def _signed(text: CharterText, keys: dict[str, IdentityKey]) -> Charter:
    return load_charter(sign_note(spell(text), [IdentitySigner(party, keys[party]) for party in PARTIES]))


@pytest.mark.parametrize("name", BREAKS)
def test_what_a_hotline_rests_on_is_not_amended(ceremony: Ceremony, name: str) -> None:
    """Both signatures would carry over what only a ceremony may change, or a number to another key.

    docs/protocol.md 24.3
    """
    change, reason = BREAKS[name]
    text = read_text(CharterText, amend(ceremony.signed, FEWER_TESTS, TODAY))
    broken = _signed(text.model_copy(update=change(text)), ceremony.keys)
    with pytest.raises(Untrusted, match=reason):
        check_follows(broken, load_charter(ceremony.signed))


def test_a_number_that_was_retired_is_given_to_nobody_else(ceremony: Ceremony, second: bytes) -> None:
    """What the retired one signed would be taken for the other's (docs/protocol.md 24.3)."""
    text = read_text(CharterText, amend(second, FEWER_TESTS, TODAY))
    fourth = make_relay("relay-4", "neutral", "127.0.0.1:41004", "fibre", os.urandom, NOW)[1]
    broken = _signed(
        text.model_copy(update={"relays": (*text.relays, RelayEntryText(number=1, card=fourth.decode()))}),
        ceremony.keys,
    )
    with pytest.raises(Untrusted, match="relay number 1 was given out before"):
        check_follows(broken, load_charter(second))
    lawful = load_charter(ceremony.agreed(Changes(relays=[fourth]), second))
    assert lawful.relay("relay-4").number == 4
    gone = ceremony.agreed(Changes(retire=["relay:relay-3"]), second)  # the highest that was given out
    assert load_charter(ceremony.agreed(Changes(relays=[fourth]), gone)).relay("relay-4").number == 4
    text = read_text(CharterText, amend(gone, FEWER_TESTS, TODAY))
    entry = RelayEntryText(number=3, card=fourth.decode())
    broken = _signed(text.model_copy(update={"relays": (*text.relays, entry)}), ceremony.keys)
    with pytest.raises(Untrusted, match="relay number 3 was given out before"):
        check_follows(broken, load_charter(gone))


def test_other_identity_keys_are_a_new_ceremony(ceremony: Ceremony) -> None:
    """A stolen identity key could be replaced by whoever stole the other (docs/protocol.md 24.3)."""
    other = IdentityKey.generate(os.urandom)
    secret, card = make_terminal(other, "BRAVO", "main", os.urandom, NOW)
    del secret
    offer = make_offer(other, "BRAVO", [card], [], [])
    with pytest.raises(Untrusted, match="new ceremony"):
        amend(ceremony.signed, Changes([offer]), TODAY)
    text = read_text(CharterText, amend(ceremony.signed, FEWER_TESTS, TODAY))
    changed = text.model_copy(
        update={
            "parties": _with_party(text, other),
            "terminals": (text.terminals[0], TerminalEntry(number=2, card=card.decode())),
            "officers": text.officers[:1],
        }
    )
    broken = _signed(changed, ceremony.keys | {"BRAVO": other})
    with pytest.raises(Untrusted, match="identity keys"):
        check_follows(broken, load_charter(ceremony.signed))


@pytest.mark.parametrize("kept", ["", "signing", "ledger"])
def test_a_terminal_with_other_keys_is_another_terminal(ceremony: Ceremony, kept: str) -> None:
    """Its old statements or its log would be taken for forged (docs/protocol.md 24.3)."""
    key = ceremony.keys["ALPHA"]
    made, old = (
        read_unverified(TerminalCard, data)
        for data in (make_terminal(key, "ALPHA", "main", os.urandom, NOW)[1], ceremony.terminals["ALPHA"])
    )
    held = {kept: getattr(old, kept)} if kept else {}
    card = issue(made.model_copy(update=held), [IdentitySigner("ALPHA", key)])
    offer = make_offer(key, "ALPHA", [card], [], [])
    with pytest.raises(Untrusted, match="other keys"):
        check_follows(
            load_charter(ceremony.agreed(Changes([offer]))),
            load_charter(ceremony.signed),
        )


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        (Changes(), ConfigError, "changes nothing"),
        (Changes(retire=["relay:relay-9"]), ConfigError, "knows no relay"),
        (Changes(retire=["relay-1"]), ConfigError, "officer:PARTY/NAME"),
        (Changes(retire=["terminal:BRAVO/main"]), HotlineError, "terminals"),
        (Changes(values={"fibre.heartbeat": 1}), ConfigError, "cannot be set"),
        (Changes(values={"policy.witnesses": ""}), ConfigError, "cannot be set"),
        (Changes(values={"fibre.heartbeat_ms": 2_000}), ConfigError, "heartbeat_ms"),
        (Changes(values={"policy.text_bytes_max": 10**6}), ConfigError, "text_bytes_max"),
        (Changes(notice_days=-1), ConfigError, "notice_days"),
    ],
)
def test_a_change_that_cannot_be_made_is_told(
    ceremony: Ceremony, changes: Changes, error: type[Exception], reason: str
) -> None:
    """A typing error would become a charter that both sides sign (docs/protocol.md 24.3)."""
    with pytest.raises(error, match=reason):
        amend(ceremony.signed, changes, TODAY)


def test_only_a_charter_in_force_is_amended(ceremony: Ceremony) -> None:
    """An amendment of a draft would pass for one of what was signed (docs/protocol.md 24.2)."""
    for base in (ceremony.draft, sign_charter(ceremony.draft, "ALPHA", ceremony.keys["ALPHA"])):
        with pytest.raises(Untrusted, match="not signed"):
            amend(base, FEWER_TESTS, TODAY)


def test_a_serial_says_whether_there_is_something_amended(ceremony: Ceremony) -> None:
    """A later charter could pass for the first one of another line (docs/protocol.md 24.2)."""
    text, _ = split(ceremony.agreed(FEWER_TESTS))
    for old, new in ((b'"serial": 2', b'"serial": 1'), (b'"amends"', b'"amended"')):
        with pytest.raises(Malformed):
            load_draft(text.replace(old, new, 1))
    with pytest.raises(Malformed, match="serial 1 amends nothing"):
        load_draft(ceremony.draft.replace(b'"serial": 1', b'"serial": 2', 1))
    with pytest.raises(Malformed, match="spelling"):
        load_draft(ceremony.draft.replace(b'{\n "created"', b'{\n "amends": null,\n "created"', 1))


def test_a_terminal_never_goes_back_to_an_older_charter(ceremony: Ceremony, second: bytes) -> None:
    """Whoever puts an old file in place could bring a retired officer or relay back (docs/protocol.md 24.4)."""
    first, next_ = load_charter(ceremony.signed), load_charter(second)
    third = load_charter(ceremony.agreed(FEWER_TESTS, second))
    assert standing(first, None) is first
    assert standing(first, next_) is next_
    assert standing(next_, first) is next_
    assert standing(replace(next_), next_) == next_
    assert standing(third, next_) is third
    with pytest.raises(Untrusted, match="serial 3 does not follow serial 1"):
        standing(third, first)
    other = load_charter(ceremony.agreed(Changes(notice_days=30)))
    with pytest.raises(Untrusted, match="does not follow"):
        standing(other, next_)
    stranger = load_charter(ceremony.resigned(lambda text: text.model_copy(update={"hotline": "alpha-charlie"})))
    with pytest.raises(Untrusted, match="not the founding"):
        standing(stranger, next_)
    assert read_unverified(CharterText, second).serial == 2


def test_time_objectives_are_amended(ceremony: Ceremony) -> None:
    """A policy that does not say them yet could never say them (docs/protocol.md 20.7)."""
    spans = [60_000, 30_000, 2_000, 1_000]
    amended = amend(ceremony.signed, Changes(values={"policy.objective_ms": spans}), TODAY)
    assert load_draft(amended).objective_ms == tuple(spans)


def test_a_travelling_terminal_is_activated_in_service(ceremony: Ceremony) -> None:
    """It is added by a restart; its times change without one, and nothing else of a terminal does
    (docs/protocol.md 24.13 and 24.14)."""
    secret, card = make_terminal(ceremony.keys["ALPHA"], "ALPHA", "plane", os.urandom, NOW)
    del secret
    offer = make_offer(ceremony.keys["ALPHA"], "ALPHA", [card], [], [])
    start = load_charter(ceremony.signed)
    known = _by_both(
        ceremony, amend(ceremony.signed, Changes(offers=[offer], travelling={"ALPHA/plane": (0, 0)}), TODAY)
    )
    with pytest.raises(ConfigError, match="it changes terminals"):
        read_next(known, start)
    span = (NOW, NOW + 86_400_000)
    active = _by_both(ceremony, amend(known, Changes(travelling={"ALPHA/plane": span}), TODAY))
    new = read_next(active, load_charter(known))
    assert new.terminal("ALPHA", "plane").travels == span
    (told,) = differences(new, load_charter(known))
    assert (told.name, "not activated -> from" in told.text) == ("ALPHA/plane", True)
    again = _by_both(ceremony, amend(active, Changes(offers=[offer], notice_days=3), TODAY))
    assert load_charter(again).terminal("ALPHA", "plane").travels == span, "a renewed card keeps its times"
    with pytest.raises(ConfigError, match="it cannot travel"):
        amend(ceremony.signed, Changes(travelling={"ALPHA/main": span}), TODAY)
    for wrong in ((NOW, NOW), (NOW, NOW - 1), (NOW, NOW + 91 * 86_400_000), (0, 1 + 90 * 86_400_000)):
        with pytest.raises(ConfigError, match="for no time, or for too long"):
            amend(known, Changes(travelling={"ALPHA/plane": wrong}), TODAY)
    with pytest.raises(ConfigError, match="knows no terminal"):
        amend(known, Changes(travelling={"ALPHA/boat": span}), TODAY)
    stays = _by_both(ceremony, amend(known, Changes(offers=[offer], notice_days=3), TODAY))
    text = read_text(CharterText, amend(stays, FEWER_TESTS, TODAY))
    terminals = tuple(entry.model_copy(update={"travels": None}) for entry in text.terminals)
    settled = sign_note(
        spell(text.model_copy(update={"terminals": terminals})),
        [IdentitySigner(party, ceremony.keys[party]) for party in PARTIES],
    )
    with pytest.raises(ConfigError, match="it changes terminals"):
        read_next(settled, load_charter(stays))
    home = _by_both(ceremony, amend(active, Changes(retire=["terminal:ALPHA/plane"]), TODAY))
    with pytest.raises(ConfigError, match="it changes terminals"):
        read_next(home, new)


def _by_both(ceremony: Ceremony, text: bytes) -> bytes:
    for party in PARTIES:
        text = sign_charter(text, party, ceremony.keys[party])
    return text


def test_a_rule_of_takeover_is_amended_and_given_up(ceremony: Ceremony) -> None:
    """What both agreed on they can undo; what ordinary silence fulfils is no rule (docs/protocol.md 23.13)."""
    amended = amend(ceremony.signed, Changes(values={"policy.takeover_after_ms": 600_000}), TODAY)
    new = load_draft(amended)
    assert (load_draft(ceremony.signed).takeover_after_ms, new.takeover_after_ms) == (0, 600_000)
    assert [one.text for one in differences(new, load_draft(ceremony.signed))] == ["takeover_after_ms 0 -> 600000"]
    least = 2 * max(relay.profile.silent_ceiling_ms for relay in new.relays)
    with pytest.raises(ConfigError, match="an ordinary silence"):
        amend(ceremony.signed, Changes(values={"policy.takeover_after_ms": least - 1}), TODAY)
    for good in (0, least):
        made = amend(ceremony.signed, Changes(values={"policy.takeover_after_ms": good}), TODAY)
        assert load_draft(made).takeover_after_ms == good


@pytest.mark.parametrize(
    ("name", "least", "reason"),
    [
        ("fibre.silent_ceiling_ms", 2_000, "two heartbeat_ms"),
        ("fibre.prekey_rotation_ms", 2_000, "prekey_rotation_ms is 1999, shorter than the silence"),
    ],
)
def test_timers_under_which_no_line_lives_are_told(ceremony: Ceremony, name: str, least: int, reason: str) -> None:
    """A path would be silent after each lost beat, or prekeys be gone before their letters (docs/protocol.md 5.13)."""
    slower = {"fibre.heartbeat_ms": 1_000}
    with pytest.raises(HotlineError, match=reason):
        amend(ceremony.signed, Changes(values=slower | {name: least - 1}), TODAY)
    assert load_draft(amend(ceremony.signed, Changes(values=slower | {name: least}), TODAY)).serial == 2
