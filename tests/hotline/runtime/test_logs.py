"""What may be in a log, and in what shape."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from hotline.runtime.logs import SECRET_FIELDS, get_logger, set_up_logs

PLANTED = "planted-4f1d9c"


class Stderr:
    """What the log has written so far."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capture.readouterr().err
        return self._text


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Stderr]:
    """Where the log goes."""
    yield Stderr(capsys)
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
def test_planted_secrets_never_appear(stderr: Stderr, form: str, name: str) -> None:
    """One careless log call must not put a key or a leader's words into a file that administrators read."""
    set_up_logs("debug", form)
    get_logger("test").info("event", **{name: PLANTED})
    get_logger("test").info("event", **{name: PLANTED.encode()})
    assert PLANTED not in stderr.getvalue()
    assert PLANTED.encode().hex() not in stderr.getvalue()
    assert "(not logged)" in stderr.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_control_characters_of_a_peer_are_escaped(stderr: Stderr, form: str) -> None:
    """Otherwise a peer's text forges log lines, or repaints the screen of whoever reads the log."""
    set_up_logs("info", form)
    get_logger("test").warning("refused", reason="a\nlevel=info event=forged\r\x1b[2J\x07\u202e", by=b"\x1b\n")
    text = stderr.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert not [sign for sign in text[:-1] if ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 or sign == "\u202e"]
    assert "1b0a" in text


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_level_is_obeyed(stderr: Stderr, level: str) -> None:
    """A log that drops errors hides the fault; one that cannot be quietened hides it among noise."""
    set_up_logs(level, "json")
    log = get_logger("test")
    levels = ["debug", "info", "warning", "error"]
    for name in levels:
        getattr(log, name)(name)
    written = [json.loads(line) for line in stderr.getvalue().splitlines()]
    assert [line["level"] for line in written] == levels[levels.index(level) :]
    assert all(line["part"] == "test" and line["timestamp"].endswith("Z") for line in written)


def test_json_where_no_person_reads(stderr: Stderr) -> None:
    """A journal that gets coloured text cannot be searched by the monitoring that should raise the alarm."""
    set_up_logs("info", "auto")
    get_logger("test").info("ready", port=7)
    assert json.loads(stderr.getvalue())["port"] == 7


@pytest.mark.parametrize("form", ["json", "text"])
def test_nested_values_are_made_safe(stderr: Stderr, form: str) -> None:
    """A list or table given to the log must not be the way round the redaction."""
    set_up_logs("info", form)
    get_logger("test").info("event", fields={"key": PLANTED, "name": "a\nb"}, names=["a\nforged"])
    assert PLANTED not in stderr.getvalue()
    assert stderr.getvalue().count("\n") == 1


def test_a_log_that_cannot_be_written_costs_nobody_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk of logs, or a terminal that was closed, would stop the daemon at its next word."""
    # docs/protocol.md 3.8

    class Closed:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stderr", Closed())
    set_up_logs("info", "json")
    get_logger("test").warning("nobody reads this")
    structlog.reset_defaults()


def test_a_line_for_people_begins_with_when_how_bad_and_what(stderr: Stderr) -> None:
    """In a window the time and the name of an event stood wherever the line broke, after what belongs to them."""
    set_up_logs("debug", "text")
    get_logger("endpoint").warning("alarm", name="no-path", up=0)
    line = stderr.getvalue().rstrip()
    words = [part.partition("=")[0] for part in line.split(" ")]
    assert words == ["timestamp", "level", "part", "event", "name", "up"], line
