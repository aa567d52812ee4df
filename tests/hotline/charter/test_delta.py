"""An amendment as the text of a statement."""

from __future__ import annotations

import os

import pytest

from hotline.charter.amendment import Changes
from hotline.charter.ceremony import make_offer, make_officer
from hotline.charter.delta import from_text, to_text
from hotline.charter.model import sign_charter, split
from hotline.errors import ConfigError, HotlineError, Malformed
from hotline.protocol.statements import check_text
from tests.hotline.charter.conftest import NOW, Ceremony


def _officers(ceremony: Ceremony, count: int) -> Changes:
    key = ceremony.keys["ALPHA"]
    cards = [make_officer(key, "ALPHA", f"more-{n}", ("duty",), os.urandom, NOW)[1] for n in range(count)]
    return Changes([make_offer(key, "ALPHA", [], cards, [])])


def test_an_amendment_goes_as_a_text_and_comes_back_byte_by_byte(ceremony: Ceremony) -> None:
    """A change that is needed in minutes would wait for a courier (docs/protocol.md 24.11)."""
    both = ceremony.agreed(_officers(ceremony, 1))
    draft = split(both)[0]
    for note in (draft, sign_charter(draft, "ALPHA", ceremony.keys["ALPHA"]), both):
        text = to_text(note, ceremony.signed)
        check_text(text)
        assert len(text) < len(note) // 2
        assert from_text(text, ceremony.signed) == note


def test_what_does_not_fit_a_statement_is_told(ceremony: Ceremony) -> None:
    """A proposal would be cut, and nobody could sign it (docs/protocol.md 24.11)."""
    with pytest.raises(ConfigError, match="another way"):
        to_text(ceremony.agreed(_officers(ceremony, 6)), ceremony.signed)


def test_an_altered_or_misplaced_proposal_gives_no_file(ceremony: Ceremony) -> None:
    """An officer would be shown something else than what the other side proposed (docs/protocol.md 24.11)."""
    both = ceremony.agreed(Changes(notice_days=90))
    text = to_text(both, ceremony.signed)
    head, *rest = text.split("\n")
    words = head.split(" ")
    for broken, error, said in (
        ("Good morning.", ConfigError, "no proposal"),
        (to_text(ceremony.agreed(Changes(notice_days=9), both), both), ConfigError, "another charter"),
        ("\n".join([head, *rest, "=0,999999"]), Malformed, "not there"),
        ("\n".join([head, *["=0,100"] * 100]), HotlineError, "document"),
        ("\n".join([head, *rest, "x"]), Malformed, "says nothing"),
        ("\n".join([" ".join((*words[:2], "00" * 32)), *rest]), Malformed, "that it names"),
        (text.replace('"notice_days": 90', '"notice_days": 91'), HotlineError, "signature"),
    ):
        with pytest.raises(error, match=said):
            from_text(broken, ceremony.signed)
