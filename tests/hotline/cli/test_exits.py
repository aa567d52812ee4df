"""Exit codes: scripts act on them."""

from __future__ import annotations

import sqlite3
import sys

import click
import pytest

from hotline.cli.exits import DEBUG_VARIABLE, Exit, exit_for, guarded
from hotline.errors import (
    ConfigError,
    HotlineError,
    KeyFileError,
    LocalError,
    Malformed,
    NotOpened,
    PolicyError,
    StorageError,
    TextError,
    Untrusted,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 1),
        (TextError("x"), 1),
        (LocalError("x"), 1),
        (HotlineError("x"), 1),
        (Untrusted("x"), 4),
        (Malformed("x"), 4),
        (NotOpened("x"), 4),
        (PolicyError("x"), 8),
        (KeyFileError("x"), 9),
        (StorageError("x"), 9),
        (RuntimeError("x"), 70),
    ],
)
def test_each_error_has_its_code(error: Exception, code: int) -> None:
    """A script would take a forged key for a typing error, and try again."""
    assert exit_for(error) == code


def _leave(monkeypatch: pytest.MonkeyPatch, raised: BaseException | None) -> int:
    @click.command()
    def command() -> None:
        if raised is not None:
            raise raised

    monkeypatch.setattr(sys, "argv", ["hotline"])
    with pytest.raises(SystemExit) as left:
        guarded(command)
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (None, 0),
        (click.UsageError("wrong"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (Untrusted("signature", "does not hold"), 4),
        (sqlite3.DatabaseError("database disk image is malformed"), 9),
        (ZeroDivisionError("inside"), 70),
    ],
)
def test_the_last_door(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException | None, code: int
) -> None:
    """A duty officer would stand before a traceback instead of a sentence."""
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    assert _leave(monkeypatch, raised) == code == Exit(code)
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert bool(said.err) == (raised is not None)


def test_what_is_said_is_safe_to_show(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A file from the other side could rename the window of a terminal through an error."""
    assert _leave(monkeypatch, Untrusted("card", "\x1b]2;gone\x07 \u202eelbatsurt")) == 4
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "U+202E" in said


def test_a_developer_can_see_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could find the cause of a report from the field."""
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    monkeypatch.setattr(sys, "argv", ["hotline"])

    @click.command()
    def command() -> None:
        raise ZeroDivisionError("inside")

    with pytest.raises(ZeroDivisionError):
        guarded(command)


@pytest.mark.parametrize("raised", [click.Abort(), KeyboardInterrupt()])
def test_an_interruption_is_told_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException
) -> None:
    """It would stand behind the question that nobody answered, or a blank line before it."""
    assert _leave(monkeypatch, raised) == 130
    assert capsys.readouterr().err == "\ninterrupted; what was accepted stays queued\n"
