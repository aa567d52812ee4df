"""Exit codes: scripts act on them."""

from __future__ import annotations

import errno
import io
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hotline.cli.exits import DEBUG_VARIABLE, Exit, agree, exit_for, guarded
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
from hotline.runtime import client


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
    assert capsys.readouterr().err == "\ninterrupted\n"


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "what is to be written: No space left on device"),
        (ZeroDivisionError("inside"), 70, "internal fault: ZeroDivisionError; set HOTLINE_DEBUG=1 to see where"),
    ],
)
def test_whoever_had_turned_to_the_daemon_is_told_that_what_it_accepted_stays(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    says: str,
) -> None:
    """A statement that was queued would be said once more; of a key that was not made, it is told what never was."""

    @click.command()
    def command() -> None:
        client.turned_to.append(Path("operator.sock"))
        raise raised

    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    monkeypatch.setattr(sys, "argv", ["hotline"])
    with pytest.raises(SystemExit) as left:
        guarded(command)
    assert left.value.code == code
    assert capsys.readouterr().err.strip() == f"{says}; what was accepted stays queued"


def test_what_the_system_refuses_is_no_fault_of_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk, or a folder of somebody else, was an internal fault, with nothing that anybody could do."""
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    assert _leave(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "/var/keys")) == 1
    assert capsys.readouterr().err == "/var/keys: Permission denied\n"


@pytest.mark.parametrize(("answer", "code", "says"), [("n\n", 1, "nothing was signed"), ("", 130, "interrupted")])
def test_a_no_is_an_answer_and_no_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, code: int, says: str
) -> None:
    """Whoever decided not to sign was told that something was interrupted, and stays queued."""

    @click.command()
    def command() -> None:
        agree("Sign this?", "nothing was signed")

    monkeypatch.setattr(sys, "argv", ["hotline"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    with pytest.raises(SystemExit) as left:
        guarded(command)
    assert left.value.code == code
    assert capsys.readouterr().err.endswith(f"{says}\n")


CLOSED = "import sys; from hotline.cli.exits import open_streams; open_streams(); "


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_is_replaced(tmp_path: Path, closed: str) -> None:
    """The next file to be opened, a store or a key, would take its place, and what libraries print would go there."""
    report = tmp_path / "report"
    program = f"{CLOSED}print('x'); print('x', file=sys.stderr); a = sys.stdin.read(); b = open({str(report)!r}, 'w'); "
    program += "b.write(f'{a!r} {b.fileno() > 2}')"
    command = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode == 0
    assert report.read_text() == "'' True"


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_command_whose_stream_was_closed_does_its_work(tmp_path: Path, closed: str) -> None:
    """A command of a scheduler that gives no streams was an internal fault."""
    program = "from hotline.cli.main import main; main()"
    words = ["sh", "-c", f'exec "$0" -c "$1" config init "$2" {closed}', sys.executable, program, tmp_path / "a.toml"]
    done = subprocess.run(words, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "a.toml").exists()


def test_ctrl_c_before_the_program_listens_ends_it_without_a_word(tmp_path: Path) -> None:
    """A duty officer who is too quick would stand before a traceback."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from hotline.cli.start import hotline; hotline()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_the_program_listens_once_it_runs() -> None:
    """Ctrl-C would end a command without its last word, and what it holds open."""
    program = (
        "import os, signal, sys, click; from hotline.cli import main, start; "
        "main.cli = click.Command('x', callback=lambda: os.kill(os.getpid(), signal.SIGINT)); "
        "sys.argv = ['hotline']; start.hotline()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, "\ninterrupted\n")
