"""What the documents and the help texts say is true: commands, options, exit codes, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import relay.cli
from hotline.cli.exits import Exit
from hotline.cli.groups import Commands, OneTouch
from hotline.cli.main import cli as hotline_cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")])
PROGRAMS: dict[str, click.Command] = {"hotline": hotline_cli, "hotline-relay": relay.cli.cli}


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from _walk(f"{name} {word}", found)


COMMANDS = dict(pair for name, program in PROGRAMS.items() for pair in _walk(name, program))
LEAVES = sorted(name for name, command in COMMANDS.items() if not isinstance(command, click.Group))


def _lines_of_help(command: click.Command) -> list[str]:
    return [line.strip() for line in (command.help or "").splitlines() if line.strip().startswith("hotline")]


def _lines_of_document(path: Path) -> list[str]:
    text = path.read_text()
    blocks = [line.strip().removeprefix("$ ") for block in text.split("```")[1::2] for line in block.splitlines()]
    return [line for line in [*blocks, *re.findall(r"`([^`\n]+)`", text)] if line.split(" ")[0] in PROGRAMS]


WRITTEN = sorted(
    {(str(path.relative_to(ROOT)), line) for path in DOCUMENTS for line in _lines_of_document(path)}
    | {(f"help of {name}", line) for name, command in COMMANDS.items() for line in _lines_of_help(command)}
)


def wrong_in(line: str) -> str:
    """Why a command line cannot be typed, or nothing."""
    typed = re.split(r"\s[|>]|\s{2,}|\s#\s|\s\\$", line)[0]
    words = shlex.split(typed.replace("...", "x"))
    name = words.pop(0)
    while words and f"{name} {words[0]}" in COMMANDS:
        name = f"{name} {words.pop(0)}"
    if isinstance(COMMANDS[name], OneTouch) and words and words[0].isdigit():
        name = f"{name} ask"
    command = COMMANDS[name]
    if isinstance(command, click.Group):
        plain = [word for word in words if not word.startswith("-")]
        return f"no command {name} {plain[0]}" if plain else ""
    options = {option: parameter for parameter in command.params for option in (*parameter.opts, "--help")}
    values = 0
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            values += 1
            continue
        parameter = options.get(word)
        if parameter is None:
            return f"{name} has no option {word}"
        if word != "--help" and isinstance(parameter, click.Option) and not parameter.is_flag:
            if not words:
                return f"{word} lacks its value"
            value = words.pop(0)
            if isinstance(parameter.type, click.Choice) and value not in parameter.type.choices:
                return f"{word} cannot be {value}"
    room = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if values > len(room) and not any(parameter.nargs == -1 for parameter in room):
        return f"{name} takes {len(room)} arguments"
    return ""


@pytest.mark.parametrize(("where", "line"), WRITTEN, ids=[f"{where}: {line}" for where, line in WRITTEN])
def test_a_command_that_is_written_down_can_be_typed(where: str, line: str) -> None:
    """An officer copies it in the night and is refused."""
    assert not wrong_in(line)


@pytest.mark.parametrize(
    "line",
    ["hotline sing", "hotline send x --loud", "hotline send x -p urgent", "hotline read 1 2", "hotline send x -p"],
)
def test_a_command_that_cannot_be_typed_is_seen(line: str) -> None:
    """The test above would pass whatever the documents say."""
    assert wrong_in(line)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_an_example_of_itself(name: str) -> None:
    """Help without an example is no help under stress."""
    assert any(line.startswith(name) for line in _lines_of_help(COMMANDS[name]))


@pytest.mark.parametrize("text", [(ROOT / "README.md").read_text(), hotline_cli.help or ""], ids=["README", "--help"])
def test_the_exit_codes_that_are_written_down_are_those_of_the_program(text: str) -> None:
    """A script would act on the wrong code."""
    table = re.split(r"Exit codes:?", text)[-1]
    numbers = [int(number) for number in re.findall(r"(?:^|[·,]\s+|:\s|\s{2})(\d+) [a-z]", " ".join(table.split()))]
    assert numbers == [int(code) for code in Exit]


def _links() -> list[tuple[Path, str]]:
    found = []
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
            if "://" not in target:
                found.append((path, target))
    return found


@pytest.mark.parametrize(("path", "target"), _links(), ids=lambda value: str(value).rsplit("/", 1)[-1])
def test_a_link_leads_somewhere(path: Path, target: str) -> None:
    """A reader would stand before a closed door."""
    assert (path.parent / target).exists()


@pytest.mark.parametrize("name", sorted(name for name, one in COMMANDS.items() if isinstance(one, Commands)))
def test_a_group_says_whole_sentences_and_names_what_there_is(name: str) -> None:
    """Half a sentence helps nobody choose, and who mistypes a command is told those that there are."""
    group = COMMANDS[name]
    assert isinstance(group, Commands)
    context = click.Context(group, info_name=name, terminal_width=80)
    assert "..." not in group.get_help(context).split("Commands:")[1]
    with pytest.raises(click.UsageError) as refused:
        group.resolve_command(context, ["nothing-like-it"])
    for command in group.commands:
        assert command in refused.value.message


def test_every_group_is_one_that_helps() -> None:
    """A new one of click's own would cut its sentences again."""
    groups = {name for name, one in COMMANDS.items() if isinstance(one, click.Group) and name.startswith("hotline ")}
    assert {name for name in groups if not isinstance(COMMANDS[name], Commands)} == set()
