"""Three delegations found one hotline."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from hotline.charter.ceremony import make_identity_card, make_offer, make_terminal
from hotline.charter.model import load_charter, sign_charter
from hotline.charter.pairwise import check_value, read_pairs
from hotline.cli.artefacts import now_ms
from hotline.cli.parties import print_party
from hotline.crypto.identity import IdentityKey
from hotline.crypto.vault import plain_secret
from tests.hotline.cli.conftest import Run

NAMES = ("ALPHA", "BRAVO", "CHARLIE")
NEW = ("charter", "new", "--name", "three", "--release-policy", "one")


@pytest.fixture(scope="module")
def delegations(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, IdentityKey]]:
    """Offers and shares of three parties; shares are made by the command in `test_an_offer_makes_a_share_for_each`."""
    folder = tmp_path_factory.mktemp("three")
    keys = {name: IdentityKey.generate(os.urandom) for name in NAMES}
    shutil.copy(made / "relay-1.card", folder)
    for name, key in keys.items():
        _, card = make_terminal(key, name, "main", os.urandom, now_ms())
        relay = (folder / "relay-1.card").read_bytes()
        (folder / f"{name}.offer").write_bytes(make_offer(key, name, [card], [], [relay]))
        (folder / f"{name}.identity.pub").write_bytes(make_identity_card(key, name))
        for other in NAMES:
            if other != name:
                share = folder / f"{name}-{other}.share"
                share.write_bytes(plain_secret("share", f"{name}/{other}", os.urandom(32)))
                share.chmod(0o600)
    return folder, keys


def _pair(folder: Path, one: str, other: str, out: str = "") -> tuple[object, ...]:
    shares = ("--share", folder / f"{one}-{other}.share", "--share", folder / f"{other}-{one}.share")
    offers = ("--offer", folder / f"{one}.offer", "--offer", folder / f"{other}.offer")
    return ("charter", "pairwise", *shares, *offers, "--out", folder / (out or f"{one}-{other}.key"))


def test_an_offer_makes_a_share_for_each_other_party(table: Path, run: Run) -> None:
    """One share for two others: each of them could make the other's secret (docs/protocol.md 26.1)."""
    key = ("--identity", table / "ALPHA.identity.key", "--passphrase-file", table / "word")
    card = ("--terminal", table / "ALPHA.main.terminal.card")
    offer = ("charter", "offer", *key, *card, "--out", table / "three" / "ALPHA.offer")
    assert run(*offer, "--with", "BRAVO", "--with", "CHARLIE").code == 0
    made = sorted(path.name for path in (table / "three").iterdir())
    assert made == ["ALPHA-BRAVO.share", "ALPHA-CHARLIE.share", "ALPHA.offer"]
    shares = [(table / "three" / name).read_bytes() for name in made[:2]]
    assert shares[0] != shares[1]
    assert all((table / "three" / name).stat().st_mode & 0o777 == 0o600 for name in made[:2])
    for wrong in (("BRAVO",), ("BRAVO", "BRAVO"), ("ALPHA", "BRAVO"), ("B", "C", "D", "E", "F")):
        refused = run(*offer, *(word for name in wrong for word in ("--with", name)))
        assert (refused.code, "--with names each of the others once" in refused.err) == (1, True), wrong


def test_three_parties_found_a_hotline(delegations: tuple[Path, dict[str, IdentityKey]], run: Run) -> None:
    """Three capitals could not found one at all, or would bring all secrets to one table (docs/protocol.md 26.1)."""
    folder, keys = delegations
    checks: list[object] = []
    for one, other in (("ALPHA", "BRAVO"), ("CHARLIE", "ALPHA"), ("BRAVO", "CHARLIE")):
        made = run(*_pair(folder, one, other))
        assert made.code == 0, made.err
        checks += ["--check", folder / f"{one}-{other}.check"]
        secret = folder / f"{one}-{other}.key"
        assert secret.stat().st_mode & 0o777 == 0o600
        (value,) = read_pairs(secret.read_text()).values()
        (check,) = read_pairs((folder / f"{one}-{other}.check").read_text()).values()
        assert check_value(bytes.fromhex(value)) == check
    offers = [word for name in NAMES for word in ("--offer", folder / f"{name}.offer")]
    lacking = run(*NEW, *offers, *checks[:4], "--out", folder / "x")
    assert (lacking.code, "missing: BRAVO and CHARLIE" in lacking.err) == (1, True)
    brought = run(*NEW, *offers, "--share", folder / "ALPHA-BRAVO.share", "--out", folder / "x")
    assert (brought.code, "nobody brings a share here" in brought.err) == (2, True)
    assert not (folder / "x").exists()
    drawn = run(*NEW, *offers, *checks, "--out", folder / "charter.note")
    assert drawn.code == 0, drawn.err
    assert drawn.out.count("JOINT SAFETY NUMBER  ") == 3
    text = (folder / "charter.note").read_bytes()
    for name, key in keys.items():
        text = sign_charter(text, name, key)
    (folder / "charter.note").write_bytes(text)
    identities = [word for name in NAMES for word in ("--identity", folder / f"{name}.identity.pub")]
    assert run("charter", "verify", folder / "charter.note", *identities).code == 0
    shown = json.loads(run("charter", "show", folder / "charter.note", "--json").out)
    assert (shown["joint_safety_number"], len(shown["safety_numbers"])) == (None, 3)
    assert load_charter(text).signed_by == NAMES
    again = ("charter", "pairwise", "--charter", folder / "charter.note", "--out", folder / "again.key")
    shares = ("--share", folder / "ALPHA-BRAVO.share", "--share", folder / "BRAVO-ALPHA.share")
    assert run(*again, *shares).code == 0
    assert (folder / "again.key").read_bytes() == (folder / "ALPHA-BRAVO.key").read_bytes()


def test_a_share_that_is_for_another_is_refused(delegations: tuple[Path, dict[str, IdentityKey]], run: Run) -> None:
    """Two parties would make a secret that the third one can make too (docs/protocol.md 26.1)."""
    folder, _ = delegations
    wrong = ("--share", folder / "ALPHA-CHARLIE.share", "--share", folder / "BRAVO-ALPHA.share")
    offers = ("--offer", folder / "ALPHA.offer", "--offer", folder / "BRAVO.offer")
    refused = run("charter", "pairwise", *wrong, *offers, "--out", folder / "wrong.key")
    assert (refused.code, "the share of ALPHA is for CHARLIE" in refused.err) == (9, True)
    assert not (folder / "wrong.key").exists()


def test_a_status_names_each_party_and_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    """An officer would take the silence of one capital for that of all (docs/protocol.md 26.5)."""
    well = {"party": "BRAVO", "verdict": {"text": "present, ALIVE"}, "not_delivered": [], "sent_through": 7}
    away = {"party": "CHARLIE", "verdict": {"text": "not heard: fault"}, "not_delivered": [6, 7], "sent_through": 7}
    print_party({**well, "unread_here": [], "unread_more": 0, "alarms": []})
    print_party({**away, "unread_here": [3], "unread_more": 40, "alarms": ["no-path"]})
    assert capsys.readouterr().out.splitlines() == [
        "PARTY   BRAVO    present, ALIVE; has all through #7; 0 to read",
        "PARTY   CHARLIE  not heard: fault; not delivered: #6 #7; 41 to read; ALARMS no-path",
    ]
