"""A relay that serves a hotline while it goes from one charter to the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotline.charter.amendment import Changes, amend
from hotline.charter.ceremony import make_offer, make_terminal
from hotline.charter.model import load_charter, sign_charter
from hotline.charter.succession import check_follows
from hotline.cli.artefacts import now_ms
from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.errors import Untrusted
from relay.config import load_relay_config
from relay.relayd import hotlines, load_materials


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    return rehearse(tmp_path_factory.mktemp("line"), [("relay-1", "127.0.0.1:41001")])


def _agreed(played: Rehearsal, base: bytes, changes: Changes) -> bytes:
    text = amend(base, changes, load_charter(base).created)
    for party, key in played.identities.items():
        text = sign_charter(text, party, key)
    return text


def _configured(played: Rehearsal, *names: str) -> Path:
    config = played.relays[0].config
    listed = ", ".join(f'"../{name}"' for name in names)
    other = config.with_name("amended.toml")
    other.write_text(config.read_text().replace('"../charter.note"', listed))
    return other


def test_a_relay_lets_in_the_terminals_of_both_charters(played: Rehearsal) -> None:
    """Whichever side changed first would be shut out, and what is held for it lost (docs/protocol.md 24.1 and 24.4)."""
    first = played.charter.read_bytes()
    key = played.identities["ALPHA"]
    card = make_terminal(key, "ALPHA", "spare", os.urandom, now_ms())[1]
    second = _agreed(played, first, Changes([make_offer(key, "ALPHA", [card], [], [])]))
    played.charter.with_name("second.note").write_bytes(second)
    old, new = load_charter(first), load_charter(second)
    check_follows(new, old)
    for names in (("charter.note", "second.note"), ("second.note", "charter.note")):
        served = hotlines(load_materials(load_relay_config(_configured(played, *names))).charters)
        assert [hotline.charter for hotline in served] == [old.hash]
        assert served[0].terminals == {one.tls_fingerprint: one.number for one in new.terminals}
        assert len(served[0].terminals) == 3
    third = load_charter(_agreed(played, second, Changes(retire=["terminal:ALPHA/spare"])))
    assert {*hotlines([third])[0].terminals.values()} == {1, 2}
    assert {*hotlines([new, third])[0].terminals.values()} == {1, 2, 3}


def test_two_charters_that_do_not_follow_each_other_are_refused(played: Rehearsal) -> None:
    """A relay would let in whom a charter that was never in force names (docs/protocol.md 24.4)."""
    first = played.charter.read_bytes()
    for days in (30, 60):
        other = _agreed(played, first, Changes(notice_days=days))
        played.charter.with_name(f"days-{days}.note").write_bytes(other)
    with pytest.raises(Untrusted, match="does not follow"):
        load_materials(load_relay_config(_configured(played, "days-30.note", "days-60.note")))
    third = _agreed(played, other, Changes(notice_days=90))
    played.charter.with_name("third.note").write_bytes(third)
    with pytest.raises(Untrusted, match="does not follow"):
        load_materials(load_relay_config(_configured(played, "charter.note", "third.note")))
