"""`hotline key` as an administrator uses it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from hotline.charter.cards import open_terminal_card
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.cli.artefacts import identity_of, read_identity_card
from hotline.cli.keys import key
from hotline.crypto.vault import is_sealed, open_secret, seal_secret
from tests.hotline.cli.conftest import PASSPHRASE, Run, write_passphrase


def _alpha(table: Path) -> tuple[object, ...]:
    return ("--identity", table / "ALPHA.identity.key", "--passphrase-file", table / "word", "--out", table)


def test_secrets_are_for_their_owner_only(made: Path) -> None:
    """Every user of the machine could take the key of a state."""
    secret = [*made.glob("*.key"), *made.glob("*.share")]
    assert len(secret) == 9
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    for name in ("identity", "duty-1.officer"):
        assert is_sealed((made / f"ALPHA.{name}.key").read_bytes())
    assert not is_sealed((made / "ALPHA.main.terminal.key").read_bytes())


def test_the_terminal_key_fits_its_card(made: Path) -> None:
    """The daemon would refuse to start on the day of the crisis."""
    identity = identity_of(read_identity_card(made / "ALPHA.identity.pub"))
    open_terminal_card((made / "ALPHA.main.terminal.card").read_bytes(), identity)
    name, secret = decode_secret(TerminalSecret, (made / "ALPHA.main.terminal.key").read_bytes(), None)
    assert (name, secret.identity) == ("main", identity)


def test_a_terminal_key_can_be_sealed(table: Path, run: Run) -> None:
    """A site that wants a person at every start would get an open key."""
    word = write_passphrase(table / "word-2", "another sober passphrase")
    done = run("key", "terminal", "--name", "alternate", "--seal", "--new-passphrase-file", word, *_alpha(table))
    assert done.code == 0, done.err
    data = (table / "ALPHA.alternate.terminal.key").read_bytes()
    assert decode_secret(TerminalSecret, data, b"another sober passphrase")[0] == "alternate"


def test_nothing_is_overwritten_and_nothing_half_made(table: Path, run: Run) -> None:
    """The only copy of an identity key would be lost by repeating a command."""
    before = {path: path.read_bytes() for path in table.iterdir()}
    done = run("key", "init", "--party", "ALPHA", "--out", table, "--passphrase-file", table / "word")
    assert done.code == 1
    assert "not overwritten" in done.err
    (table / "CHARLIE.identity.pub").write_bytes(b"in the way")
    assert run("key", "init", "--party", "CHARLIE", "--out", table, "--passphrase-file", table / "word").code == 1
    assert not (table / "CHARLIE.identity.key").exists()
    assert before.items() <= {path: path.read_bytes() for path in table.iterdir()}.items()


def test_a_wrong_passphrase_opens_nothing(table: Path, run: Run) -> None:
    """Whoever finds the stick would sign for the state."""
    word = write_passphrase(table / "wrong", "another sober passphrase")
    options = ("--identity", table / "ALPHA.identity.key", "--passphrase-file", word, "--out", table)
    done = run("key", "terminal", "--name", "alternate", *options)
    assert done.code == 9
    assert "ALPHA.identity.key: the passphrase does not open" in done.err
    assert not list(table.glob("*alternate*"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "damaged"),
        (lambda path: path.write_bytes(b"\xff\x00"), "not a key file"),
    ],
)
def test_an_unusable_key_file_is_told_with_the_remedy(table: Path, run: Run, spoil: object, said: str) -> None:
    """An administrator would stand before a traceback."""
    assert callable(spoil)
    spoil(table / "ALPHA.identity.key")
    done = run("key", "terminal", "--name", "alternate", *_alpha(table))
    assert done.code == 9
    assert said in done.err
    assert "ALPHA.identity.key" in done.err
    assert "Traceback" not in done.err


def test_another_kind_of_key_is_not_an_identity(table: Path, run: Run) -> None:
    """A terminal's key on the network would certify terminals."""
    options = ("--identity", table / "ALPHA.main.terminal.key", "--out", table)
    done = run("key", "terminal", "--name", "alternate", *options)
    assert done.code == 9
    assert "not identity" in done.err


def test_a_passphrase_is_one_line_whatever_ends_it(table: Path, run: Run) -> None:
    """A key that was sealed with a file from another system was opened by nobody who typed the passphrase."""
    word = write_passphrase(table / "word-2", "another sober passphrase\r")
    done = run("key", "terminal", "--name", "alternate", "--seal", "--new-passphrase-file", word, *_alpha(table))
    assert done.code == 0, done.err
    data = (table / "ALPHA.alternate.terminal.key").read_bytes()
    assert decode_secret(TerminalSecret, data, b"another sober passphrase")[0] == "alternate"
    identity = table / "CHARLIE.identity.key"
    assert run("key", "init", "--party", "CHARLIE", "--out", table, "--passphrase-file", word).code == 0
    _, seed = open_secret(identity.read_bytes(), "identity", b"another sober passphrase")
    earlier = seal_secret("identity", "CHARLIE", seed, b"another sober passphrase\r", os.urandom)
    for name, sealed in (("main", identity.read_bytes()), ("alternate", earlier)):
        identity.write_bytes(sealed)
        made = run("key", "terminal", "--name", name, "--identity", identity, "--passphrase-file", word, "--out", table)
        assert made.code == 0, made.err


def test_a_short_passphrase_is_refused(tmp_path: Path, run: Run) -> None:
    """The identity key of a state would be protected by a word that a machine guesses in an hour."""
    word = write_passphrase(tmp_path / "word", "secret")
    done = run("key", "init", "--party", "ALPHA", "--out", tmp_path, "--passphrase-file", word)
    assert done.code == 9
    assert "shorter than 12" in done.err
    assert list(tmp_path.glob("*.key")) == []


def test_a_passphrase_file_that_others_can_read_is_refused(table: Path, run: Run) -> None:
    """The seal would be worth nothing, and nobody would be told."""
    (table / "word").chmod(0o640)
    done = run("key", "terminal", "--name", "alternate", *_alpha(table))
    assert done.code == 9
    assert "others can read it" in done.err


def test_without_a_terminal_it_does_not_wait_for_a_passphrase(table: Path, run: Run) -> None:
    """A script would hang for ever."""
    done = run("key", "terminal", "--name", "x", "--identity", table / "ALPHA.identity.key", "--out", table)
    assert done.code == 2
    assert "--passphrase-file" in done.err


def test_the_new_passphrase_is_asked_for_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip of the finger would lock the identity key for good."""
    monkeypatch.setattr("hotline.cli.artefacts.can_ask", lambda: True)
    arguments = ["init", "--party", "ALPHA", "--out", str(tmp_path)]
    slipped = CliRunner().invoke(key, arguments, input=f"{PASSPHRASE}\n{PASSPHRASE}x\n{PASSPHRASE}\n{PASSPHRASE}\n")
    assert slipped.exit_code == 0, slipped.output
    assert "do not match" in slipped.output
    assert PASSPHRASE not in slipped.output
    assert (tmp_path / "ALPHA.identity.key").exists()


def test_an_unknown_role_is_told_with_the_known_ones(table: Path, run: Run) -> None:
    """An officer would have a role that no rule knows."""
    word = ("--new-passphrase-file", table / "word")
    done = run("key", "officer", "--name", "duty-2", "--roles", "duty,king", *word, *_alpha(table))
    assert done.code == 2
    assert "king" in done.err
    assert "principal" in done.err


def test_a_name_that_is_none_is_refused_before_anything_is_asked(table: Path, run: Run) -> None:
    """Somebody would type a passphrase, twice, to be told of a blank in a name."""
    identity = ("--identity", table / "ALPHA.identity.key", "--out", table)
    refused = run("key", "officer", "--name", "duty 2", "--roles", "duty", *identity)
    assert (refused.code, "--name: 'duty 2' is no name" in refused.err) == (1, True)
    assert run("key", "init", "--party", "A/B", "--out", table).code == 1


_DUTY = ("key", "officer", "--roles", "duty", "--name")


@pytest.mark.parametrize(
    ("command", "identity", "code", "words"),
    [
        (("key", "init", "--party", "ALPHA"), None, 1, "ALPHA.identity.key: exists already"),
        (("key", "terminal", "--name", "main"), "ALPHA.identity", 1, "ALPHA.main.terminal.key: exists already"),
        ((*_DUTY, "duty-1"), "ALPHA.identity", 1, "ALPHA.duty-1.officer.key: exists already"),
        ((*_DUTY, "duty-2"), "ALPHA.duty-1.officer", 9, "this is a key file of kind officer, not identity"),
    ],
)
def test_what_is_refused_in_any_case_is_refused_before_a_passphrase_is_asked_for(
    table: Path, run: Run, command: tuple[str, ...], identity: str | None, code: int, words: str
) -> None:
    """Somebody would type three of them to be told of a file that lies there."""
    named = () if identity is None else ("--identity", table / f"{identity}.key")
    done = run(*command, *named, "--out", table)
    assert (done.code, words in done.err) == (code, True), done.err


def test_a_charter_that_a_party_has_signed_asks_it_nothing_more(table: Path, run: Run) -> None:
    """Both sides would read out their numbers again for a signature that is there."""
    for name, code, words in (
        ("half.note", 1, "ALPHA has signed this charter already"),
        ("draft.note", 2, "no terminal"),
    ):
        done = run("charter", "sign", table / name, "--identity", table / "ALPHA.identity.key")
        assert (done.code, words in done.err) == (code, True), done.err
    missing = run("charter", "sign", table / "draft.note", "--identity", table / "nowhere.key")
    assert (missing.code, "no such file" in missing.err) == (9, True)
    offer = ("charter", "offer", "--identity", table / "ALPHA.identity.key", "--out", table / "ALPHA.offer")
    lying = run(*offer, "--terminal", table / "ALPHA.main.terminal.card")
    assert (lying.code, "ALPHA.offer: exists already" in lying.err) == (1, True), lying.err


def test_a_card_in_the_place_of_a_key_is_told_as_such(table: Path, run: Run) -> None:
    """The officer would be told to hide a card from others."""
    done = run("handover", "sign", "--key", table / "ALPHA.duty-1.officer.card", "--yes")
    assert (done.code, "name the .key file" in done.err) == (9, True)


def test_show_prints_what_people_compare(table: Path, run: Run) -> None:
    """Two delegations would read out numbers that do not belong to the keys."""
    shown = run("key", "show", table / "ALPHA.identity.pub")
    picture = json.loads(run("key", "show", table / "ALPHA.identity.pub", "--json").out)
    assert picture["schema"] == "hotline.key-show/1"
    groups = picture["fingerprint"].split(" ")
    assert len(groups) == 12
    assert " ".join(groups[:6]) in shown.out
    assert " ".join(groups[6:]) in shown.out
    assert picture["code"] in shown.out
    assert json.loads(run("key", "show", table / "ALPHA.offer", "--json").out)["code"] == picture["code"]
    assert "▄" in run("key", "show", table / "ALPHA.identity.pub", "--qr").out
    officer = json.loads(run("key", "show", table / "ALPHA.duty-1.officer.card", "--json").out)
    assert (officer["name"], officer["roles"]) == ("duty-1", ["drafter", "duty"])


def test_verify_compares_with_another_way(table: Path, run: Run) -> None:
    """A key that somebody exchanged on the way would be taken for BRAVO's."""
    bravo, alpha = table / "BRAVO.identity.pub", table / "ALPHA.identity.pub"
    code = json.loads(run("key", "show", bravo, "--json").out)["code"]
    assert run("key", "verify", bravo, "--scan", code).code == 0
    assert run("key", "verify", bravo, "--scan", code[:-1] + ("0" if code[-1] != "0" else "1")).code == 4
    assert run("key", "verify", table / "BRAVO.offer", "--identity", bravo).code == 0
    assert run("key", "verify", table / "BRAVO.offer", "--identity", alpha).code == 4
    undecided = run("key", "verify", bravo)
    assert undecided.code == 10
    assert "comparison" in undecided.err


def test_verify_takes_a_card_only_with_its_party(table: Path, run: Run) -> None:
    """A terminal that BRAVO made would pass for ALPHA's."""
    card, alpha = table / "ALPHA.main.terminal.card", table / "ALPHA.identity.pub"
    assert run("key", "verify", card, "--identity", alpha).code == 0
    assert run("key", "verify", table / "ALPHA.duty-1.officer.card", "--identity", alpha).code == 0
    foreign = run("key", "verify", card, "--identity", table / "BRAVO.identity.pub")
    assert foreign.code == 4
    assert "the identity of BRAVO" in foreign.err
    assert run("key", "verify", card).code == 2
    assert run("key", "verify", table / "relay-1.card").code == 0
    spoiled = card.read_bytes().replace(b'"name": "main"', b'"name": "mail"')
    card.write_bytes(spoiled)
    refused = run("key", "verify", card, "--identity", alpha)
    assert refused.code == 4
    assert "ALPHA.main.terminal.card" in refused.err


def test_a_file_of_another_kind_is_told_as_such(table: Path, run: Run) -> None:
    """A key file that was shown by mistake would be printed, or end in a traceback."""
    refused = run("key", "show", table / "ALPHA.identity.key")
    assert (refused.code, "name the .pub or .card" in refused.err) == (1, True)
    assert run("key", "verify", table / "ALPHA.identity.key").err == refused.err
    assert "box" not in refused.out + refused.err
    assert run("key", "show", table / "word").code == 4
    assert run("key", "show", table / "nothing").code == 1
