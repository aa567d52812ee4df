"""`make tour`: plays docs/tour.md. Every command of it is typed into a shell, and what the page prints must come.

In a block of the page a line `NAME$ command` is typed at NAME, the lines after it are what is printed. `…` in a line
stands for anything within it, a line of nothing but `…` for any lines, `«name»` for one word that later commands name
again. `exit N` as the last line is the exit code, else 0. Commands that only look are typed again until they show what
the page shows: receipts need their way.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hotline.charter.body import ReleaseEntry
from hotline.drill.stage import Stage, short_folder, status_of, wait_until

PAGE = Path(__file__).parents[1] / "docs" / "tour.md"
PARTIES = ("ALPHA", "BRAVO")
PLACES = {"ALPHA": "ALPHA", "BRAVO": "BRAVO", "SECRETARIAT": "secretariat", "MACHINE": "."}
"""Whose shell it is, and the folder it stands in."""
RELAYS, WITNESSES = 3, 1
FLASH_BY_TWO = ReleaseEntry(plane="real", precedence="flash", roles=("drafter", "releaser"))
_PROMPT = re.compile(rf"({'|'.join(PLACES)})\$ (.+)")
_RELAYED = re.compile(r"  relayed    \S+  held by relay-\d\n")
"""Whether a relay's word or the peer's receipt comes first is for their disks to say: the page tells the receipt."""
_LOOKING = re.compile(r"hotline (status|inbox|sent|challenge list|audit (list|compare|witness-status)|test history)\b")
_SPLIT = re.compile("(…|«[a-z_]+»)")
_COMMAND_SECONDS, _LOOK_SECONDS = 30.0, 15.0


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the page and what it is said to print."""

    line: int
    place: str
    command: str
    expected: tuple[str, ...]
    code: int


class Lost(Exception):
    """The page says otherwise than the program."""


def steps(text: str) -> Iterator[Step]:
    """The commands of a page, in order. Raises Lost for a block that does not begin with a prompt."""
    inside, found = False, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside:
            found.append((number, line))
        if found and (not inside or line == "```"):
            yield from _steps_of(found)
            found = []


def _steps_of(lines: list[tuple[int, str]]) -> Iterator[Step]:
    starts = [index for index, (_, line) in enumerate(lines) if _PROMPT.fullmatch(line)]
    if not starts or starts[0] != 0:
        raise Lost(f"line {lines[0][0]}: a block begins with a prompt of {', '.join(PLACES)}")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        number, prompt = lines[start]
        match = _PROMPT.fullmatch(prompt)
        assert match is not None
        printed = [line for _, line in lines[start + 1 : end]]
        code = 0
        if printed and (told := re.fullmatch(r"exit (\d+)", printed[-1])):
            code = int(told[1])
            printed.pop()
        yield Step(number, match[1], match[2], tuple(printed), code)


def matches(expected: tuple[str, ...], printed: str) -> dict[str, str] | None:
    """What the words in «» stand for if the program printed what the page shows, else None.

    Blanks at the ends of lines do not count.
    """
    parts = [
        r"(?:.*\n)*?" if line.strip() == "…" else "".join(map(_pattern, _SPLIT.split(line.rstrip()))) + r"\n"
        for line in expected
    ]
    match = re.fullmatch("".join(parts), "".join(f"{line.rstrip()}\n" for line in printed.splitlines()))
    return None if match is None else match.groupdict()


def _pattern(part: str) -> str:
    if part == "…":
        return ".*"
    return rf"(?P<{part[1:-1]}>\S+)" if part.startswith("«") else re.escape(part)


class Tour:
    """The hotline of the page, and its shells."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._words: dict[str, str] = {}
        (stage.folder / "secretariat").mkdir()
        (stage.folder / "home").mkdir()

    def begin(self) -> None:
        """Start everything; returns when both capitals hear each other on every path."""
        for name in reversed(self.stage.names()):
            self.stage.start(name)
            (self.stage.folder / f"{name}.pid").write_text(f"{self.stage.pid(name)}\n")
        for terminal in self.stage.rehearsal.terminals:
            wait_until(
                lambda one=terminal: [path["state"] for path in status_of(one)["paths"]] == ["up"] * RELAYS,  # type: ignore[misc]
                f"{terminal.party} to hear its peer",
            )

    def type(self, step: Step) -> None:
        """Raises Lost unless the command prints and returns what the page says."""
        end = time.monotonic() + _LOOK_SECONDS
        while True:
            done = self._run(step)
            found = matches(tuple(map(self._spelled, step.expected)), _RELAYED.sub("", done.stdout))
            if done.returncode == step.code and found is not None:
                self._words |= found
                return
            if time.monotonic() > end or not _LOOKING.match(step.command):
                wanted = "\n".join(step.expected)
                raise Lost(
                    f"line {step.line}: {step.place}$ {step.command}\n--- the page, exit {step.code}\n{wanted}\n"
                    f"--- the program, exit {done.returncode}\n{done.stdout}"
                )

    def _spelled(self, text: str) -> str:
        for name, word in self._words.items():
            text = text.replace(f"«{name}»", word)
        return text

    def _run(self, step: Step) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTLINE_")}
        environment |= {
            "PATH": f"{Path(sys.executable).parent}:{environment.get('PATH', '')}",
            "HOME": str(self.stage.folder / "home"),
            "LC_ALL": "C.UTF-8",
        }
        for terminal in self.stage.rehearsal.terminals:
            if terminal.party == step.place:
                environment["HOTLINE_SOCKET"] = str(terminal.socket)
        return subprocess.run(
            ["bash", "-c", self._spelled(step.command)],
            check=False,
            cwd=self.stage.folder / PLACES[step.place],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_COMMAND_SECONDS,
        )


def play(text: str, *, quiet: bool = False) -> int:
    """Play a page; the number of commands typed. Raises Lost."""
    folder = short_folder()
    typed = 0
    try:
        with Stage(folder, RELAYS, witnesses=WITNESSES, release=[FLASH_BY_TWO]) as stage:
            tour = Tour(stage)
            tour.begin()
            for step in steps(text):
                if not quiet:
                    print(f"{step.place}$ {step.command}", flush=True)
                tour.type(step)
                typed += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return typed


def main() -> None:
    """Play the page; exit 1 where it is not true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    page = parser.parse_args().page
    try:
        typed = play(page.read_text(encoding="utf-8"))
    except Lost as error:
        sys.exit(f"\nThe tour is lost at {page.name}, {error}")
    print(f"\n{typed} commands, each printed what {page.name} says.")


if __name__ == "__main__":
    main()
