"""What --help and the first refusal of a command tell a person who has never seen it."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click
import pytest

from hotline.cli.wording import Wording
from hotline.errors import TextError
from hotline.wire.v1 import content_pb2
from tests.hotline.cli.conftest import Run
from tests.test_docs import COMMANDS

ALL = [(tuple(name.split()), command) for name, command in COMMANDS.items()]


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_option_is_explained_and_every_command_has_an_example(
    path: tuple[str, ...], command: click.Command
) -> None:
    """An option that only has a name is tried out, in the middle of a crisis."""
    unexplained = [one.opts[0] for one in command.params if isinstance(one, click.Option) and not one.help]
    assert unexplained == []
    assert path[0] in (command.help or ""), "no line that can be typed"


@pytest.mark.parametrize("words", [("send",), ("draft", "new"), ("draft", "edit", "1"), ("service", "send")])
def test_a_text_without_quotation_marks_is_told_its_remedy(run: Run, words: tuple[str, ...]) -> None:
    """Whoever forgets them under pressure was told of extra arguments."""
    refused = run(*words, "Our", "exercise", "begins")
    assert refused.code == 2
    assert "(exercise begins); a text stands between quotation marks" in refused.err
    refused = run(*words, "-5 degrees")
    assert refused.code == 2
    assert 'a text that begins with a hyphen stands after two: -- "-5 degrees"' in refused.err
    refused = run(*words, "x", "--presedence", "flash")
    assert (refused.code, "hyphen" in refused.err) == (2, False)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("send", "x", "--timeout", "5"), "--timeout"),
        (("send", "x", "--valid-for", "5"), "--valid-for"),
        (("draft", "new", "x", "--valid-for", "0s"), "--valid-for"),
        (("release", "1", "--timeout", "5"), "--timeout"),
        (("service", "send", "x", "--timeout", "5"), "--timeout"),
        (("test", "now", "--timeout", "5"), "--timeout"),
        (("challenge", "1", "--timeout", "5"), "--timeout"),
        (("record-it", "1", "--timeout", "5"), "--timeout"),
        (("presence", "set", "consulting", "--for", "5"), "--for"),
    ],
)
def test_what_is_no_duration_is_told_with_its_option(run: Run, words: tuple[str, ...], option: str) -> None:
    """Of two spans on a line nobody could tell which is wrong."""
    refused = run(*words)
    assert refused.code == 2
    assert f"Invalid value for {option}: '" in refused.err


@pytest.mark.parametrize(
    "words", [("send",), ("draft", "new"), ("service", "send"), ("translate", "1", "--lang", "en", "--translator", "A")]
)
def test_nobody_types_a_text_that_no_daemon_can_take(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A statement was typed to its end, and only then was it said that nobody is there."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    refused = run(*words, "--socket", "/nonexistent/operator.sock")
    assert refused.code == 1
    assert "no endpoint daemon here" in refused.err
    assert "Type the text" not in refused.err


def test_what_is_no_socket_is_said_to_be_none(run: Run) -> None:
    """Whoever names the wrong file was told to look at the log of a daemon."""
    refused = run("status", "--socket", __file__)
    assert refused.code == 1
    assert "no socket; name that of the endpoint daemon with --socket or HOTLINE_SOCKET" in refused.err


@pytest.mark.parametrize("words", [("send",), ("draft", "new")])
def test_a_name_that_no_field_has_is_not_said_by_mistake(run: Run, words: tuple[str, ...]) -> None:
    """A FLASH went out that begins at `{tme}`, for one letter."""
    refused = run(*words, "It begins at {tme}.", "--field", "time=2026-11-25T10:00Z")
    assert refused.code == 1
    assert "the text names {tme}, and no --field has that name; there are: {time}; nothing was queued" in refused.err
    absent = run(*words, "It begins at {time}.", "--socket", "/nonexistent/operator.sock")
    assert "note: {time} stands in the text as it is: no --field has that name\n" in absent.err
    plain = run(*words, "It begins {at noon}.", "--socket", "/nonexistent/operator.sock")
    assert "note" not in plain.err
    named = run(*words, "It begins at {time}.", "--field", "time=2026-11-25T10:00Z", "--socket", "/nonexistent/a.sock")
    assert ("note" in named.err, "names" in named.err) == (False, False)


def test_an_edit_knows_the_fields_that_the_draft_has() -> None:
    """What was said of the first wording would be forgotten in the second."""
    field = content_pb2.Field(name="time", kind=content_pb2.FIELD_KIND_TIME, value="2026-11-25T10:00Z")
    old = content_pb2.Statement(text="At {time}.", language="en", field=[field])
    nothing: dict[str, Any] = dict.fromkeys(("precedence", "lang", "direction", "file", "valid_for", "phrase"))
    edit = partial(Wording, **nothing, fills=(), fields=())
    assert edit(text="From {time} on.").instead_of(old, plain=False).text == "From {time} on."
    with pytest.raises(TextError, match="the text names"):
        edit(text="From {tme} on.").instead_of(old, plain=False)
