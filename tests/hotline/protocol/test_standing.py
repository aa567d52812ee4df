"""Whose turn it is: the arithmetic of terms, and which signed word begins one (docs/protocol.md 23.1 and 23.2)."""

from __future__ import annotations

import pytest

from hotline.crypto.signing import SigningKey, verify
from hotline.errors import Malformed, RemoteError, Untrusted
from hotline.limits import TIME_MAX
from hotline.protocol.session import Side
from hotline.protocol.standing import Standing, Turn
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import CHARTER

KEYS = {number: SigningKey(bytes([number]) * 32) for number in (1, 2, 3, 4, 9)}
PARTIES = {1: "ALPHA", 2: "ALPHA", 3: "BRAVO", 4: "BRAVO", 9: "ALPHA"}
SIDES = {number: Side(number, PARTIES[number], f"terminal-{number}", KEYS[number].public) for number in KEYS}


def standing(local: int = 1, *others: int) -> Standing:
    """As terminal `local` knows them; 9 is none of the charter's."""
    return Standing(CHARTER, SIDES[local], [SIDES[number] for number in others or (4, 3, 2, 1) if number != local])


def word(term: int, terminal: int, at: int = 1, **more: bool) -> content_pb2.SignedActivation:
    body = content_pb2.ActivationBody(term=term, terminal=terminal, time_ms=at, **more).SerializeToString()
    parts = CHARTER, terminal.to_bytes(2, "big"), body
    return content_pb2.SignedActivation(body=body, signature=KEYS[terminal].sign("hotline/v1/activation", *parts))


def test_before_anybody_took_over_the_lowest_number_speaks() -> None:
    """Each terminal would believe another one, in whatever order the charter names them (docs/protocol.md 23.1)."""
    for local in (1, 2, 3, 4):
        here = standing(local)
        assert (here.turns, here.signed) == ({"ALPHA": Turn(0, 1), "BRAVO": Turn(0, 3)}, {})
        assert here.active == (local in (1, 3))
        assert [here.speaks(number) for number in (1, 2, 3, 4)] == [True, False, True, False]
        assert (here.terminals("ALPHA"), here.terminals("BRAVO"), here.several) == ([1, 2], [3, 4], True)
        assert here.siblings == [{1: 2, 2: 1, 3: 4, 4: 3}[local]]
        assert (here.by_rule("ALPHA"), here.stood_down, here.asleep) == (False, False, False)
    assert (standing(1, 3).several, standing(1, 3).siblings, standing(1, 2, 3).several) == (False, [], True)
    assert here.name(2) == "ALPHA/terminal-2"


def test_a_turn_as_heartbeats_name_it() -> None:
    """Another implementation would take a word for proven that it never saw (docs/protocol.md 23.2)."""
    assert [Turn(*turn).number for turn in ((0, 4), (1, 1), (1, 2), (3, 1))] == [0, 65_537, 65_538, 196_609]


@pytest.mark.parametrize("by_rule", [None, False, True])
def test_the_word_that_begins_a_turn_is_taken_by_all(by_rule: bool | None) -> None:
    """A terminal would speak and its siblings, or the peer, not know it (docs/protocol.md 23.2 and 23.15)."""
    here, there = standing(2), standing(3)
    here.stood_down = True
    signed = here.begin(KEYS[2], 1_234) if by_rule is None else here.begin(KEYS[2], 1_234, by_rule=by_rule)
    body = content_pb2.ActivationBody.FromString(signed.body)
    assert (body.term, body.terminal, body.time_ms, body.by_rule) == (1, 2, 1_234, bool(by_rule))
    verify(KEYS[2].public, signed.signature, "hotline/v1/activation", CHARTER, b"\0\2", signed.body)
    assert here.active
    assert there.hear("ALPHA", signed)
    assert here.turns == there.turns == {"ALPHA": Turn(1, 2), "BRAVO": Turn(0, 3)}
    assert here.signed == there.signed == {"ALPHA": signed}
    assert here.by_rule("ALPHA") == there.by_rule("ALPHA") == bool(by_rule)
    assert not there.by_rule("BRAVO")
    here.begin(KEYS[2], 1_235)
    assert here.turn == Turn(2, 2)
    for silenced in ("stood_down", "asleep"):
        setattr(here, silenced, True)
        assert not here.active
        setattr(here, silenced, False)


def test_only_a_higher_turn_is_news() -> None:
    """A word that comes again, or late, would depose whoever speaks now (docs/protocol.md 23.1 and 23.2)."""
    here = standing(3)
    turns = [
        (2, 1, True),
        (2, 1, False),
        (1, 2, False),
        (2, 2, True),
        (2, 1, False),
        (3, 1, True),
        (2**32 - 1, 2, True),
    ]
    now = Turn(0, 1)
    for term, terminal, news in turns:
        now = max(now, Turn(term, terminal))
        assert here.hear("ALPHA", word(term, terminal)) is news, (term, terminal)
        assert here.turns == {"ALPHA": now, "BRAVO": Turn(0, 3)}
    assert here.signed == {"ALPHA": word(2**32 - 1, 2)}


def test_what_no_terminal_of_the_party_signed_changes_nothing() -> None:
    """Whoever carries a heartbeat could say who speaks (docs/protocol.md 23.2)."""
    lawful = word(1, 2)
    other_charter = KEYS[2].sign("hotline/v1/activation", bytes(32), b"\0\2", lawful.body)
    refused: list[tuple[content_pb2.SignedActivation, type[RemoteError]]] = [
        (word(0, 2), Malformed),
        (word(0, 9), Malformed),
        (word(1, 4), Malformed),
        (word(1, 2, TIME_MAX + 1), Malformed),
        (content_pb2.SignedActivation(body=lawful.body, signature=lawful.signature[:-1]), Untrusted),
        (content_pb2.SignedActivation(body=lawful.body, signature=lawful.signature + b"\0"), Untrusted),
        (content_pb2.SignedActivation(body=lawful.body), Untrusted),
        (content_pb2.SignedActivation(body=lawful.body, signature=other_charter), Untrusted),
        (content_pb2.SignedActivation(body=word(1, 1).body, signature=lawful.signature), Untrusted),
    ]
    here = standing(3)
    for signed, error in refused:
        with pytest.raises(error) as raised:
            here.hear("ALPHA", signed)
        assert raised.value.reason == ("activation" if error is Malformed else "signature")
    assert not here.hear("ALPHA", word(1, 9)), "a terminal that an amendment has retired is passed over"
    assert (here.turns["ALPHA"], here.signed) == (Turn(0, 1), {})
    assert here.hear("ALPHA", word(1, 2, TIME_MAX))
