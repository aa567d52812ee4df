"""`hotline key mandate`, and what a reader sees of a signature by one (docs/protocol.md 19.12 and 19.13)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotline.charter.mandates import open_mandate
from hotline.charter.model import load_charter
from hotline.cli.artefacts import identity_of, read_identity_card
from hotline.cli.draftview import draft_json, print_draft
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2, operator_pb2
from tests.hotline.cli.conftest import Run

GROUNDS = "Order 12: the releaser is abroad."


def _words(table: Path, **changes: object) -> tuple[object, ...]:
    options: dict[str, object] = {
        "identity": table / "ALPHA.identity.key", "officer": table / "ALPHA.duty-1.officer.card", "role": "releaser",
        "charter": table / "charter.note", "from": "2026-11-18", "until": "2026-12-01", "grounds": GROUNDS,
        "out": table / "made.mandate", "passphrase-file": table / "word",
    }  # fmt: skip
    return (
        "key",
        "mandate",
        *(word for name, value in {**options, **changes}.items() for word in (f"--{name}", value)),
    )


def test_a_mandate_is_made_shown_and_verified(table: Path, run: Run) -> None:
    """The paper that makes a clerk a releaser could be looked at by nobody."""
    done = run(*_words(table))
    assert done.code == 0, done.err
    path, pub = table / "made.mandate", table / "ALPHA.identity.pub"
    made = open_mandate(path.read_bytes(), identity_of(read_identity_card(pub)))
    founding = load_charter((table / "charter.note").read_bytes()).founding.hex()
    assert (made.party, made.officer, made.role, made.founding) == ("ALPHA", "duty-1", "releaser", founding)
    picture = json.loads(run("key", "show", path, "--json").out)
    assert picture == {
        "schema": "hotline.key-show/1", "kind": "mandate", "party": "ALPHA", "name": "duty-1", "role": "releaser",
        "grounds": GROUNDS, "not_before": "2026-11-18", "not_after": "2026-12-01", "charter": founding,
        "signing": picture["signing"],
    }  # fmt: skip
    assert GROUNDS in run("key", "show", path).out
    verified = run("key", "verify", path, "--identity", pub)
    assert (verified.code, "ALPHA/duty-1 as releaser from 2026-11-18 until 2026-12-01" in verified.out) == (0, True)
    path.write_bytes(path.read_bytes().replace(b"2026-12-01", b"2027-12-01"))
    assert run("key", "verify", path, "--identity", pub).code == 4
    assert run("key", "verify", path, "--identity", table / "BRAVO.identity.pub").code == 4
    assert run("key", "verify", path).code == 2


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"until": "2026-11-18"}, 1, "it begins on the day on which it ends"),
        ({"from": "18.11.2026"}, 1, "not_before"),
        ({"grounds": " "}, 1, "grounds"),
        ({"role": "king"}, 2, "king"),
        ({"officer": "BRAVO.duty-1.officer.card"}, 4, "BRAVO.duty-1.officer.card"),
        ({"officer": "ALPHA.main.terminal.card"}, 4, "ALPHA.main.terminal.card"),
        ({"charter": "draft.note"}, 4, "draft.note"),
        ({"officer": "ALPHA.duty-2.officer.card"}, 1, "the charter knows no officer"),
    ],
)
def test_no_mandate_is_made_that_no_terminal_would_take(
    table: Path, run: Run, changes: dict[str, str], code: int, said: str
) -> None:
    """The officer would find out in front of the other capital."""
    word = ("--passphrase-file", table / "word", "--new-passphrase-file", table / "word", "--out", table)
    identity = ("--identity", table / "ALPHA.identity.key")
    assert run("key", "officer", "--name", "duty-2", "--roles", "duty", *identity, *word).code == 0
    files = {name: table / value if name in ("officer", "charter") else value for name, value in changes.items()}
    done = run(*_words(table, **files))
    assert (done.code, said in done.err) == (code, True), done.err
    assert not (table / "made.mandate").exists()


def test_a_card_with_a_key_that_the_charter_has_not_gets_no_mandate(table: Path, run: Run) -> None:
    """A renewed officer's old card would be mandated, and no signature by it count."""
    (table / "ALPHA.duty-1.officer.card").unlink()
    (table / "ALPHA.duty-1.officer.key").unlink()
    word = ("--passphrase-file", table / "word", "--new-passphrase-file", table / "word", "--out", table)
    identity = ("--identity", table / "ALPHA.identity.key")
    assert run("key", "officer", "--name", "duty-1", "--roles", "duty", *identity, *word).code == 0
    done = run(*_words(table))
    assert (done.code, "another key of ALPHA/duty-1" in done.err) == (4, True)


def _view(mandate: bytes) -> operator_pb2.DraftView:
    release = content_pb2.Release(officer="duty-3", role=content_pb2.Role.Value("ROLE_RELEASER"), mandate=mandate)
    statement = content_pb2.Statement(precedence=1, kind=1, direction=1, text="x", release=[release])
    return operator_pb2.DraftView(draft=operator_pb2.Draft(number=1, state="open", content=encode(statement)))


def test_a_reader_sees_by_whose_mandate_until_when_and_why(
    table: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deputy's word would look like the releaser's own (docs/protocol.md 19.13)."""
    assert run(*_words(table, grounds="Order 12 \x1b[31mtonight")).code == 0
    mandate = (table / "made.mandate").read_bytes()
    print_draft(_view(mandate))
    shown = capsys.readouterr().out
    assert "duty-3 as releaser by mandate of ALPHA until 2026-12-01 (Order 12 " in shown
    assert "\x1b" not in shown
    (told,) = draft_json(_view(mandate))["releases"]
    assert (told["mandate"]["role"], told["mandate"]["not_after"]) == ("releaser", "2026-12-01")
    print_draft(_view(b"\x1b no note"))
    assert "duty-3 as releaser by a mandate that cannot be read" in capsys.readouterr().out
    (told,) = draft_json(_view(b"\x1b no note"))["releases"]
    assert set(told["mandate"].values()) == {None}
    assert draft_json(_view(b""))["releases"][0]["mandate"] is None
