"""A charter of three parties: each two of them share a secret, and all have signed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotline.charter.body import CharterText
from hotline.charter.documents import IdentitySigner, read_text, spell
from hotline.charter.model import load_charter, load_draft, new_charter, split
from hotline.charter.pairwise import check_value, read_pairs, spell_pair
from hotline.charter.parts import Charter
from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.errors import ConfigError, KeyFileError, Malformed, Untrusted
from hotline.ledger.note import sign_note
from tests.hotline.charter.conftest import Ceremony

NAMES = ("ALPHA", "BRAVO", "CHARLIE")


@dataclass(frozen=True, slots=True)
class Three:
    """A rehearsed hotline of three parties."""

    played: Rehearsal
    charter: Charter
    text: bytes

    def signed(self, text: bytes, *names: str) -> bytes:
        """The note of a text with these parties' signatures."""
        return sign_note(text, [IdentitySigner(name, self.played.identities[name]) for name in names or NAMES])


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Three:
    """Made once."""
    relays = [("relay-1", "127.0.0.1:41001"), ("relay-2", "127.0.0.1:41002")]
    played = rehearse(tmp_path_factory.mktemp("three"), relays, parties=NAMES)
    note = played.charter.read_bytes()
    return Three(played, load_charter(note), split(note)[0])


def test_each_two_parties_share_a_secret_of_their_own(three: Three) -> None:
    """The third party could open what two say to each other, or nobody could open anything (docs/protocol.md 26.1)."""
    held = {one.party: read_pairs((one.folder / "pairwise.key").read_text()) for one in three.played.terminals}
    for party, secrets in held.items():
        assert set(secrets) == {pair for pair in itertools.combinations(NAMES, 2) if party in pair}
        for pair, secret in secrets.items():
            other = next(name for name in pair if name != party)
            assert held[other][pair] == secret
            assert check_value(bytes.fromhex(secret)) == three.charter.check_of(party, other)
    assert len(set(three.charter.pairwise_checks.values())) == 3
    assert [peer.name for peer in three.charter.peers_of("BRAVO")] == ["ALPHA", "CHARLIE"]
    with pytest.raises(ConfigError, match="several parties beside BRAVO: ALPHA and CHARLIE"):
        three.charter.peer_of("BRAVO")


def test_it_is_in_force_when_all_have_signed(three: Three) -> None:
    """Two could bind the third to what it never saw (docs/protocol.md 26.1)."""
    for missing in NAMES:
        signed = three.signed(three.text, *(name for name in NAMES if name != missing))
        with pytest.raises(Untrusted, match=f"not signed by {missing}"):
            load_charter(signed)


def _changed(three: Three, **changes: object) -> bytes:
    text = read_text(CharterText, three.text)
    return spell(text.model_copy(update=changes))


def test_a_secret_for_each_pair_and_no_other(three: Three) -> None:
    """Two parties would go home without one, and find out at the first message (docs/protocol.md 26.1)."""
    pairs = read_text(CharterText, three.text).pairwise_checks
    assert pairs is not None
    for wrong in (pairs[:2], pairs[::-1], (*pairs, pairs[0]), None):
        with pytest.raises(Malformed, match="each pair has a secret"):
            load_draft(_changed(three, pairwise_checks=wrong))
    with pytest.raises(Malformed, match="each pair has a secret"):
        load_draft(_changed(three, pairwise_checks=None, pairwise_check=pairs[0].check))


def test_a_charter_of_two_says_what_it_always_said(ceremony: Ceremony) -> None:
    """Charters that are in force would not be read any more (docs/protocol.md 26.1)."""
    assert b'"pairwise_check": "' in ceremony.draft
    assert b"pairwise_checks" not in ceremony.draft
    text = read_text(CharterText, ceremony.draft)
    assert load_draft(ceremony.draft).check_of("BRAVO", "ALPHA") == text.pairwise_check
    with pytest.raises(Malformed, match="two parties have one secret"):
        load_draft(spell(text.model_copy(update={"pairwise_check": None})))


def test_what_several_parties_cannot_have_yet_is_said_when_it_is_drawn_up(tmp_path: Path) -> None:
    """Three capitals would sign what no terminal can serve (docs/protocol.md 26.2)."""
    relays = [("relay-1", "127.0.0.1:41001")]
    with pytest.raises(
        ConfigError, match="BRAVO has more than one terminal: of a charter of several parties each has one"
    ):
        rehearse(tmp_path, relays, parties=NAMES, alternates=("BRAVO",))
    assert not list(tmp_path.iterdir())


def test_no_amendment_of_several(three: Three) -> None:
    """One terminal would go over to it while the others wait for a word that never comes (docs/protocol.md 26.2)."""
    amends = {"founding": "01" * 32, "previous": "02" * 32, "terminal_number": 3, "relay_number": 2}
    text = read_text(CharterText, three.text).model_dump(by_alias=True) | {"serial": 2, "amends": amends}
    with pytest.raises(Untrusted, match="a charter of several parties is not amended"):
        load_draft(spell(CharterText.model_validate(text)))


def test_as_many_parties_as_a_charter_holds(ceremony: Ceremony) -> None:
    """A statement would be sealed without a bound (docs/protocol.md 26.1)."""
    with pytest.raises(ConfigError, match="two to 5 different parties"):
        new_charter("many", "2026-11-18", ceremony.offers[:1] * 6, {})


def test_a_file_of_secrets_names_its_pairs(three: Three) -> None:
    """A secret would be used with the wrong party, or half a file taken for a whole one (docs/protocol.md 26.1)."""
    line = spell_pair("BRAVO", "ALPHA", "ab" * 32)
    assert read_pairs(line) == {("ALPHA", "BRAVO"): "ab" * 32}
    for text in ("BRAVO/ALPHA " + "ab" * 32, "ALPHA/BRAVO " + "ab" * 31, "ab" * 32, line + line, "ALPHA/BRAVO\n"):
        with pytest.raises(KeyFileError, match="not a pair and its value"):
            read_pairs(text)
