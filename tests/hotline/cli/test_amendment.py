"""`hotline charter` as two capitals use it to change their charter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hotline.charter.model import load_charter, load_draft, sign_charter
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.config import load_endpoint_config
from hotline.crypto.signing import SigningKey
from hotline.drill.rehearsal import Rehearsal, rehearse
from hotline.errors import Untrusted
from hotline.materials import load_materials, under_standing
from hotline.protocol.bundle import encode_bundle
from hotline.wire.v1 import bundle_pb2, content_pb2
from tests.hotline.cli.conftest import Ran, Run, call, sign

AMEND = ("charter", "amend", "--base")


@pytest.fixture(scope="session")
def drawn(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Serial 2, signed by nobody yet: a second officer of ALPHA, fewer channel tests, terms."""
    folder = tmp_path_factory.mktemp("amendment")
    word, base = made / "word", made / "charter.note"
    key = ("--identity", made / "ALPHA.identity.key", "--passphrase-file", word)
    officer = ("key", "officer", "--name", "duty-2", "--roles", "duty", "--new-passphrase-file", word)
    offer = ("charter", "offer", "--amendment", "--officer", folder / "ALPHA.duty-2.officer.card")
    changes = ("--offer", folder / "second.offer", "--set", "policy.channel_test_ms=1800000")
    terms = ("--notice-days", "90", "--depositary", "The secretariat")
    for step in (
        (*officer, *key, "--out", folder),
        (*offer, *key, "--out", folder / "second.offer"),
        (*AMEND, base, *changes, *terms, "-o", folder / "amended.note"),
    ):
        assert call(step) == 0
    assert not (folder / "ALPHA.share").exists()
    return folder / "amended.note"


@pytest.fixture
def amended(table: Path, drawn: Path) -> Path:
    """A copy of the drawn amendment on the table."""
    shutil.copy(drawn, table / "amended.note")
    return table / "amended.note"


def _sign(run: Run, table: Path, name: str, party: str) -> Ran:
    return run(*sign(table, name, party), "--base", table / "charter.note")


def test_a_bundle_is_of_the_hotline_before_and_after_an_amendment(
    table: Path, amended: Path, run: Run, tmp_path: Path
) -> None:
    """Every bundle of an amended hotline was called foreign: it names the founding charter (24.1, 17.3)."""
    for party in ("ALPHA", "BRAVO"):
        assert _sign(run, table, "amended.note", party).code == 0
    charter = load_charter(amended.read_bytes())
    sender, recipient = charter.terminal("ALPHA", "main"), charter.terminal("BRAVO", "main")
    _, secret = decode_secret(TerminalSecret, (table / "ALPHA.main.terminal.key").read_bytes(), None)
    bundle = tmp_path / "from-alpha.bundle"
    for named, shown in ((charter.founding, 0), (charter.hash, 4)):
        body = bundle_pb2.BundleBody(
            charter=named,
            from_terminal=sender.number,
            to_terminal=recipient.number,
            made_ms=1_795_000_000_000,
            prekey=content_pb2.SignedPrekey(body=b"x", signature=b"y" * 64),
        )
        bundle.write_bytes(encode_bundle(SigningKey(secret.signing), body))
        ran = run("courier", "show", bundle, "--charter", amended)
        assert (ran.code, "signed by ALPHA/main" in ran.out) == (shown, not shown), ran.err
    bundle.write_bytes(encode_bundle(SigningKey(secret.ledger), body))
    assert run("courier", "show", bundle, "--charter", amended).code == 4


def test_an_amendment_is_drawn_up_signed_by_both_and_holds(table: Path, amended: Path, run: Run) -> None:
    """Two capitals could not change who is on duty (docs/protocol.md 24.2)."""
    for party in ("BRAVO", "ALPHA"):
        done = _sign(run, table, "amended.note", party)
        assert done.code == 0, done.err
        assert "+ added    officer   ALPHA/duty-2" in done.out
    shown = run("charter", "show", amended)
    assert "serial 2" in shown.out
    assert "90 days to leave; depositary: The secretariat" in shown.out
    picture = json.loads(run("charter", "show", amended, "--json").out)
    first = load_charter((table / "charter.note").read_bytes())
    assert picture["founding"] == picture["previous"] == first.hash.hex()
    assert picture["notice_days"] == 90
    verified = run("charter", "verify", amended, "--base", table / "charter.note")
    assert verified.code == 0, verified.err
    assert "IN FORCE" in verified.out


def test_nobody_signs_an_amendment_without_seeing_what_it_changes(table: Path, amended: Path, run: Run) -> None:
    """An officer could be slipped in between a hundred lines that stay as they were (docs/protocol.md 24.3)."""
    before = amended.read_bytes()
    blind = run(*sign(table, "amended.note", "ALPHA"))
    assert blind.code == 2
    assert "--base" in blind.err
    wrong = run(*sign(table, "amended.note", "ALPHA"), "--base", table / "half.note")
    assert wrong.code == 4
    assert amended.read_bytes() == before


def test_one_side_cannot_amend(table: Path, amended: Path, run: Run) -> None:
    """One government would change the roster of both (docs/protocol.md 24.2)."""
    assert _sign(run, table, "amended.note", "ALPHA").code == 0
    refused = run("charter", "verify", amended, "--base", table / "charter.note")
    assert refused.code == 4
    assert "not signed by BRAVO" in refused.err
    further = run(*AMEND, amended, "--notice-days", "1", "-o", table / "third.note")
    assert further.code == 4
    assert not (table / "third.note").exists()


def test_a_difference_is_told_for_people_and_programs(table: Path, amended: Path, run: Run) -> None:
    """Whoever must decide would have to compare two files of forty kilobytes (docs/protocol.md 24.3)."""
    shown = run("charter", "diff", table / "charter.note", amended)
    assert shown.code == 0, shown.err
    picture = json.loads(run("charter", "diff", table / "charter.note", amended, "--json").out)
    assert picture["follows"] is True
    assert [(one["how"], one["what"]) for one in picture["differences"]] == [
        ("added", "officer"),
        ("changed", "policy"),
        ("changed", "terms"),
    ]
    back = run("charter", "diff", amended, table / "charter.note")
    assert back.code == 4
    assert "- retired  officer   ALPHA/duty-2" in back.out
    assert "serial 1 does not follow serial 2" in back.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 1, "changes nothing"),
        (("--set", "policy.channel_test_ms"), 2, "PLACE=NUMBER"),
        (("--set", "policy.channel_test_ms=soon"), 2, "PLACE=NUMBER"),
        (("--set", "policy.channel_tests=1"), 1, "cannot be set"),
        (("--set", "policy.objective_ms=600000"), 1, "a number for each precedence, ROUTINE first"),
        (("--retire", "officer:ALPHA/duty-9"), 1, "knows no officer"),
        (("--retire", "terminal:ALPHA/main"), 1, "terminals"),
    ],
)
def test_what_cannot_be_amended_is_one_clear_error(
    table: Path, run: Run, words: tuple[str, ...], code: int, said: str
) -> None:
    """A typing error would leave a file that looks like a charter."""
    done = run(*AMEND, table / "charter.note", *words, "-o", table / "x.note")
    assert done.code == code, done.err
    assert said in done.err
    assert not (table / "x.note").exists()


def _both(played: Rehearsal, path: Path) -> bytes:
    text = path.read_bytes()
    for party, key in played.identities.items():
        text = sign_charter(text, party, key)
    return text


def test_a_terminal_stands_under_the_later_of_file_and_store(tmp_path: Path, run: Run) -> None:
    """An old file, put back by mistake or malice, would bring back whom both sides had retired.

    docs/protocol.md 24.4
    """
    played = rehearse(tmp_path / "line", [("relay-1", "127.0.0.1:41001"), ("relay-2", "127.0.0.1:41002")])
    config = load_endpoint_config(played.terminals[0].config)
    first = load_materials(config)
    assert under_standing(config, first, None) is first
    assert under_standing(config, first, first.note) is first
    second = tmp_path / "second.note"
    made = run(*AMEND, played.charter, "--retire", "relay:relay-1", "-o", second)
    assert made.code == 0, made.err
    text = _both(played, second)
    under = under_standing(config, first, text)
    assert (under.charter.serial, under.note) == (2, text)
    assert [relay.name for relay in under.charter.relays] == ["relay-2"]
    played.charter.write_bytes(text)
    assert under_standing(config, load_materials(config), first.note).charter.serial == 2
    third = tmp_path / "third.note"
    assert run(*AMEND, played.charter, "--notice-days", "9", "-o", third).code == 0
    played.charter.write_bytes(_both(played, third))
    with pytest.raises(Untrusted, match=r"charter\.note.*serial 3 does not follow serial 1"):
        under_standing(config, load_materials(config), first.note)


def test_who_must_sign_can_be_amended_and_both_capitals_see_it(table: Path, run: Run) -> None:
    """Two officers would sign by a charter that one of the capitals has not read (docs/protocol.md 19.14)."""
    base = table / "charter.note"
    policy = table / "release.json"
    policy.write_text('[{"plane": "real", "precedence": "flash", "roles": ["drafter"]}]')
    done = run(*AMEND, base, "--release-policy", policy, "-o", table / "strict.note")
    assert (done.code, "real flash" in done.out, "drafter" in done.out) == (0, True, True), done.err
    (rule,) = load_draft((table / "strict.note").read_bytes()).release
    assert (rule.plane, rule.precedence, rule.roles) == ("real", "flash", ("drafter",))
    diff = json.loads(run("charter", "diff", base, table / "strict.note", "--json").out)
    assert any("drafter" in str(one) for one in diff["differences"])
    for party in ("ALPHA", "BRAVO"):
        assert _sign(run, table, "strict.note", party).code == 0
    again = run(*AMEND, table / "strict.note", "--release-policy", "one", "-o", table / "loose.note")
    assert again.code == 0, again.err
    assert load_draft((table / "loose.note").read_bytes()).release == ()


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("two", 1, "ALPHA and BRAVO have not the officers to sign as drafter and releaser"),
        ("one", 1, "changes nothing"),
        ("none.json", 1, "none.json"),
        ("wrong.json", 1, "precedence"),
    ],
)
def test_a_release_policy_that_cannot_be_is_not_drawn_up(
    table: Path, run: Run, given: str, code: int, said: str
) -> None:
    """A party would find itself unable to say a word (docs/protocol.md 19.3)."""
    (table / "wrong.json").write_text('[{"plane": "real", "precedence": "loud", "roles": ["drafter"]}]')
    named = str(table / given) if given.endswith("json") else given
    done = run(*AMEND, table / "charter.note", "--release-policy", named, "-o", table / "next.note")
    assert (done.code, said in done.err) == (code, True), done.err
    assert not (table / "next.note").exists()


def test_a_journey_is_drawn_up_and_both_capitals_see_its_times(table: Path, run: Run) -> None:
    """An officer follows --help alone: the terminal is made, offered, known, and activated (docs/protocol.md 24.14)."""
    identity = table / "ALPHA.identity.key"
    key = ("--identity", identity, "--passphrase-file", table / "word")
    made = run("key", "terminal", *key, "--name", "plane", "--out", table)
    assert made.code == 0, made.err
    offer, base = table / "plane.offer", table / "charter.note"
    card = table / "ALPHA.plane.terminal.card"
    assert run("charter", "offer", "--amendment", *key, "--terminal", card, "--out", offer).code == 0
    travel = ("charter", "travel", "ALPHA/plane")
    known = run(*travel, "--base", base, "--offer", offer, "-o", table / "known.note")
    assert known.code == 0, known.err
    assert "travels not activated" in known.out
    for party in ("ALPHA", "BRAVO"):
        assert _sign(run, table, "known.note", party).code == 0
    times = ("--from", "2026-12-01T08:00Z", "--until", "2026-12-03T20:00Z")
    done = run(*travel, "--base", table / "known.note", *times, "-o", table / "journey.note")
    assert done.code == 0, done.err
    assert "from 2026-12-01T08:00:00" in done.out
    assert "travels: from 2026-12-01T08:00:00" in run("charter", "show", table / "journey.note").out
    half = run(*travel, "--base", table / "known.note", *times[:2], "-o", table / "one-time.note")
    assert (half.code, "give both" in half.err) == (1, True)
    back = run(
        *travel, "--base", table / "known.note", "--from", times[3], "--until", times[1], "-o", table / "back.note"
    )
    assert back.code == 1
    assert not (table / "one-time.note").exists()
    assert not (table / "back.note").exists()
