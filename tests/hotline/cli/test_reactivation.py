"""`hotline charter reactivate` and `hotline key renew`: a line that slept is brought back by what they say."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hotline.charter.cards import decode, open_officer_card, open_terminal_card
from hotline.charter.model import load_charter, load_draft, sign_charter
from hotline.charter.parts import Charter
from hotline.cli.reactivation import DONE, LATER, TO_DO, Step, in_order, in_service, on_paper
from hotline.crypto.vault import plain_secret
from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.files import write_new
from tests.hotline.cli.conftest import Run
from tests.schemas import printed

ASLEEP_NS = 800 * 86_400 * 1_000_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    rehearsal = rehearse(tmp_path_factory.mktemp("asleep"), [("relay-1", "127.0.0.1:41001")])
    for party, key in rehearsal.identities.items():
        secret = plain_secret("identity", party, key.seed)
        write_new(rehearsal.charter.parent / f"{party}.identity.key", secret, 0o600)
    return rehearsal


@pytest.fixture
def later(made: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, 800 days after the ceremony."""
    true_time = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true_time() + ASLEEP_NS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _steps(run: Run, *words: object) -> list[tuple[str, str]]:
    """What and state of each step."""
    done = run("charter", "reactivate", *words, "--json")
    assert done.code in (0, 1), done.err
    (shown,) = printed(done.out)
    states = [step["state"] for step in shown["steps"]]
    assert (done.code == 0) == (set(states) == {DONE})
    return [(step["what"], step["state"]) for step in shown["steps"]]


def _offer(run: Run, made: Rehearsal, party: str) -> Path:
    identity = made.charter.parent / f"{party}.identity.key"
    folder = Path(f"renewed-{party}")
    assert run("key", "renew", "--identity", identity, "--charter", made.charter, "--out", folder).code == 0
    words = [
        word
        for card in sorted(folder.iterdir())
        for word in ("--terminal" if "terminal" in card.name else "--officer", card)
    ]
    out = Path(f"{party}.renewal.offer")
    assert run("charter", "offer", "--amendment", "--identity", identity, *words, "--out", out).code == 0
    return out


def test_every_step_is_looked_at_and_nothing_is_said_to_be_done_before_it_is(
    made: Rehearsal, later: Path, run: Run
) -> None:
    """An officer who follows it must not be told that the other capital has done what it has not
    (docs/protocol.md 24.12)."""
    base = made.charter
    first = _steps(run, base)
    assert first[:2] == [("renew cards", TO_DO)] * 2
    assert {state for _, state in first[2:]} == {LATER}
    offers = [_offer(run, made, "ALPHA")]
    half = _steps(run, base, "--offer", offers[0])
    assert half[:2] == [("renew cards", DONE), ("renew cards", TO_DO)]
    offers.append(_offer(run, made, "BRAVO"))
    given = [word for offer in offers for word in ("--offer", offer)]
    drawn = _steps(run, base, *given)
    assert drawn[:3] == [("renew cards", DONE), ("renew cards", DONE), ("draw up the amendment", TO_DO)]
    lacking = run("charter", "amend", "--base", base, "--offer", offers[0], "-o", "half.note")
    assert lacking.code == 4, "half a renewal holds nowhere"
    assert "BRAVO/main does not hold" in lacking.err
    assert run("charter", "amend", "--base", base, *given, "-o", "new.note").code == 0
    for number, party in enumerate(("ALPHA", "BRAVO")):
        signing = _steps(run, base, "--amended", "new.note")[3:5]
        assert signing == [("sign the amendment", DONE if at < number else TO_DO) for at in range(2)]
        Path("new.note").write_bytes(sign_charter(Path("new.note").read_bytes(), party, made.identities[party]))
    config = made.terminals[0].config
    assert _steps(run, base, "--amended", "new.note")[-1] == ("look at a terminal", TO_DO)
    waiting = _steps(run, base, "--amended", "new.note", "--config", config)
    assert waiting[-2:] == [("put it in place", TO_DO), ("start the daemon", LATER)]
    shown = run("charter", "reactivate", base, "--amended", "new.note", "--config", config)
    assert "install -m 644 new.note" in shown.out


def test_a_renewed_card_keeps_its_keys(made: Rehearsal, later: Path, run: Run) -> None:
    """An amendment may not give a terminal's number to other keys (docs/protocol.md 24.3 and 24.12)."""
    charter = load_charter(made.charter.read_bytes())
    identity = made.charter.parent / "ALPHA.identity.key"
    words = ("key", "renew", "--identity", identity, "--charter", made.charter)
    assert run(*words, "--out", "a", "--leave-out", "main").code == 0
    assert [card.name for card in Path("a").iterdir()] == ["ALPHA.duty-1.officer.card"]
    assert run(*words, "--out", "b").code == 0
    public = charter.party("ALPHA").identity
    card = open_terminal_card(Path("b/ALPHA.main.terminal.card").read_bytes(), public)
    was = charter.terminal("ALPHA", "main")
    assert (decode(card.signing), decode(card.ledger), decode(card.tls)) == (
        was.signing,
        was.ledger,
        was.tls_certificate_der,
    )
    assert card.not_after > was.not_after
    officer = open_officer_card(Path("b/ALPHA.duty-1.officer.card").read_bytes(), public)
    known = charter.officer("ALPHA", "duty-1")
    assert (decode(officer.signing), tuple(officer.roles)) == (known.signing, known.roles)
    assert run(*words, "--out", "c", "--leave-out", "nobody").code == 1
    other = made.charter.parent / "BRAVO.identity.key"
    good = run("key", "renew", "--identity", other, "--charter", made.charter, "--out", "d")
    assert good.code == 0
    assert "BRAVO.main.terminal.card" in good.out


def test_while_nothing_ends_nothing_is_renewed(made: Rehearsal, run: Run, tmp_path: Path) -> None:
    """A card for no reason is one more to keep track of (docs/protocol.md 24.12)."""
    identity = made.charter.parent / "ALPHA.identity.key"
    done = run("key", "renew", "--identity", identity, "--charter", made.charter, "--out", tmp_path / "a")
    assert done.code == 1
    assert "nothing to renew" in done.err
    assert not (tmp_path / "a").exists()
    assert _steps(run, made.charter)[0] == ("renew cards", DONE)


def test_an_offer_of_another_identity_renews_nothing(
    made: Rehearsal, later: Path, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two years later somebody may come with other keys: nothing is trusted anew (docs/protocol.md 24.12)."""
    other = rehearse(tmp_path_factory.mktemp("others"), [("relay-1", "127.0.0.1:41001")])
    secret = plain_secret("identity", "ALPHA", other.identities["ALPHA"].seed)
    write_new(identity := later / "ALPHA.identity.key", secret, 0o600)
    card = later / "a.card"
    words = ("key", "officer", "--identity", identity, "--name", "duty-1", "--roles", "duty", "--out", later)
    write_new(passphrase := later / "pass", b"a sober passphrase\n", 0o600)
    assert run(*words, "--new-passphrase-file", passphrase).code == 0
    card = later / "ALPHA.duty-1.officer.card"
    words = ("charter", "offer", "--amendment", "--identity", identity, "--officer", card, "--out", later / "offer")
    assert run(*words).code == 0
    done = run("charter", "reactivate", made.charter, "--offer", later / "offer")
    assert done.code == 4
    assert "another identity key" in done.err
    renew = run("key", "renew", "--identity", identity, "--charter", made.charter, "--out", later / "x")
    assert renew.code == 4


def test_a_relay_whose_certificate_ended_is_replaced(made: Rehearsal) -> None:
    """Its operator is named, and what to type (docs/protocol.md 24.12)."""
    charter = load_charter(made.charter.read_bytes())
    steps = on_paper(charter, None, (), "2099-01-01", ("a.note", "b.note"))
    (relay,) = [step for step in steps if step.who == "rehearsal"]
    assert "charter amend --relay CARD --retire relay:relay-1" in relay.command
    assert sum(step.what == "replace certificates" for step in steps) == 3


def test_a_mandate_that_ended_is_told(made: Rehearsal, later: Path, run: Run) -> None:
    """It is no part of the charter, and the officer still has the file (docs/protocol.md 24.12)."""
    alpha = made.charter.parent / "ALPHA.identity.key"
    renewed = ("key", "renew", "--identity", alpha, "--charter", made.charter, "--out", "a")
    assert run(*renewed).code == 0
    words = ("key", "mandate", "--identity", alpha, "--officer", "a/ALPHA.duty-1.officer.card", "--role", "releaser")
    days = ("--charter", made.charter, "--from", "2026-11-18", "--until", "2026-12-01", "--grounds", "Order 12")
    assert run(*words, *days, "--out", "m").code == 0
    assert ("renew mandates", LATER) in _steps(run, made.charter, "--mandate", "m")
    assert run("charter", "reactivate", made.charter, "--mandate", "a/ALPHA.duty-1.officer.card").code == 1


def _picture(charter: Charter) -> dict[str, Any]:
    """A daemon that is well."""
    return {
        "party": "ALPHA",
        "terminal": "main",
        "charter": charter.hash.hex(),
        "charter_serial": 1,
        "charter_peer": 1,
        "paths": [{"state": "up"}],
        "keys": {"can_seal": True, "courier_usable": True},
        "peer": {"clock_offset_ms": 0},
        "ledger": {"quorum": None},
        "tests": {"sent": {"serial": 3, "outcome": "delivered", "time": f"{charter.created}T00:00:00Z"}},
    }


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("stand under it", {"charter": "00"}),
        ("stand under it", {"charter_peer": None}),
        ("bring up every path", {"paths": [{"state": "up"}, {"state": "down"}]}),
        ("exchange keys anew", {"keys": {"can_seal": True, "courier_usable": False}}),
        ("exchange keys anew", {"keys": {"can_seal": False, "courier_usable": True}}),
        ("set the clocks", {"peer": {"clock_offset_ms": 86_400_000}}),
        ("set the clocks", {"peer": {"clock_offset_ms": None}}),
        ("ask the witnesses", {"ledger": {"quorum": False}}),
        ("test the whole way", {"tests": {"sent": None}}),
        ("test the whole way", {"tests": {"sent": {"serial": 3, "outcome": "queued", "time": "2099-01-01"}}}),
        ("test the whole way", {"tests": {"sent": {"serial": 3, "outcome": "delivered", "time": "2020-01-01"}}}),
    ],
)
def test_what_is_not_well_at_a_daemon_is_the_next_step(made: Rehearsal, what: str, change: dict[str, Any]) -> None:
    """A procedure that says done too early brings back a line that is dead (docs/protocol.md 24.12)."""
    charter = load_charter(made.charter.read_bytes())
    assert {step.state for step in in_service(_picture(charter), charter)} == {DONE}
    found = in_service(_picture(charter) | change, charter)
    assert [step.what for step in found if step.state == TO_DO] == [what]


def test_steps_of_one_name_wait_for_nobody() -> None:
    """Two capitals renew side by side; what comes after waits for both (docs/protocol.md 24.12)."""
    step = Step("a", "ALPHA", TO_DO, "")
    found = in_order([step, replace(step, who="BRAVO"), replace(step, what="b"), replace(step, what="c", state=DONE)])
    assert [one.state for one in found] == [TO_DO, TO_DO, LATER, DONE]


def test_a_draft_that_does_not_follow_is_no_amendment(made: Rehearsal, later: Path, run: Run) -> None:
    """The charter itself, handed in as its own successor (docs/protocol.md 24.2)."""
    done = run("charter", "reactivate", made.charter, "--amended", made.charter)
    assert done.code == 4
    assert load_draft(made.charter.read_bytes()).serial == 1
    assert json.loads(run("charter", "show", made.charter, "--json").out)["serial"] == 1
