"""Commands run as a person runs them, and a ceremony whose files tests may spoil in a copy."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotline.charter.ceremony import make_relay
from hotline.cli.artefacts import now_ms
from hotline.cli.exits import guarded
from hotline.cli.main import cli
from tests.schemas import printed

PASSPHRASE = "a sober passphrase"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def call(arguments: tuple[object, ...]) -> int:
    """The program's exit code."""
    before = sys.argv
    sys.argv = ["hotline", *(str(argument) for argument in arguments)]
    try:
        guarded(cli)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    finally:
        sys.argv = before


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("key", "init", ...)` through the program's own door, without a terminal to ask at."""
    monkeypatch.setattr("hotline.cli.artefacts.can_ask", lambda: False)
    monkeypatch.setattr("hotline.cli.charter.can_ask", lambda: False)

    def typed(*arguments: object) -> Ran:
        capsys.readouterr()
        code = call(arguments)
        said = capsys.readouterr()
        if "--json" in arguments and code == 0:
            printed(said.out)
        return Ran(code, said.out, said.err)

    return typed


def write_passphrase(path: Path, text: str = PASSPHRASE) -> Path:
    """A passphrase file as the program demands it."""
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after the whole ceremony; use `table`, not this."""
    folder = tmp_path_factory.mktemp("ceremony")
    word = write_passphrase(folder / "word")
    steps: list[tuple[object, ...]] = []
    for party in ("ALPHA", "BRAVO"):
        key = ("--identity", folder / f"{party}.identity.key", "--passphrase-file", word, "--out", folder)
        steps += [
            ("key", "init", "--party", party, "--out", folder, "--passphrase-file", word),
            ("key", "terminal", "--name", "main", *key),
            ("key", "officer", "--name", "duty-1", "--roles", "duty,drafter", "--new-passphrase-file", word, *key),
        ]
    for step in steps:
        assert call(step) == 0
    _relay(folder)
    for party in ("ALPHA", "BRAVO"):
        assert (
            call(
                (
                    *("charter", "offer", "--identity", folder / f"{party}.identity.key", "--passphrase-file", word),
                    *("--terminal", folder / f"{party}.main.terminal.card", "--relay", folder / "relay-1.card"),
                    *("--officer", folder / f"{party}.duty-1.officer.card", "--out", folder / f"{party}.offer"),
                )
            )
            == 0
        )
    draw_up = ("charter", "new", "--name", "alpha-bravo", "--pairwise-out", folder / "pairwise.key")
    files = ("--release-policy", "one", "--offer", folder / "BRAVO.offer", "--offer", folder / "ALPHA.offer")
    shares = ("--share", folder / "ALPHA.share", "--share", folder / "BRAVO.share")
    assert call((*draw_up, *files, *shares, "--out", folder / "draft.note")) == 0
    shutil.copy(folder / "draft.note", folder / "half.note")
    assert call(sign(folder, "half.note", "ALPHA")) == 0
    shutil.copy(folder / "half.note", folder / "charter.note")
    assert call(sign(folder, "charter.note", "BRAVO")) == 0
    return folder


def sign(folder: Path, name: str, party: str) -> tuple[object, ...]:
    """The command line that signs."""
    key = folder / f"{party}.identity.key"
    return ("charter", "sign", folder / name, "--identity", key, "--passphrase-file", folder / "word", "--yes")


def _relay(folder: Path) -> None:
    """A relay's operator makes the card with the relay's own program."""
    _, card = make_relay("relay-1", "neutral", "127.0.0.1:41001", "fibre", os.urandom, now_ms())
    (folder / "relay-1.card").write_bytes(card)


@pytest.fixture
def table(made: Path, tmp_path: Path) -> Path:
    """A copy of the ceremony's folder."""
    folder = tmp_path / "table"
    shutil.copytree(made, folder)
    return folder
