"""What fuzzing found stays mended, and a little of it with every test run. The long form is `python -m tests.fuzz`."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable

import pytest

from hotline.machine import Plane
from tests.fuzz.every import EVERY, PARSERS
from tests.fuzz.machines import prepared, template
from tests.fuzz.mutation import mutated
from tests.fuzz.state import state
from tests.fuzz.targets import FOLDER, refused, replayed

COUNTS = {
    "charter": 10,
    "document": 10,
    "card": 20,
    "endpoint": 20,
    "drill-plan": 30,
    "drill-journal": 30,
    "operators": 15,
    "proposal": 20,
    "next-charter": 15,
    "conference": 12,
    "terminals": 12,
    "agreement": 100,
    "record-database": 30,
    "record-export": 30,
    "witness-http": 60,
} | dict.fromkeys(("endpoint-config", "relay-config", "witness-config", "release-policy", "addresses", "case-file"), 30)
"""Targets of which one execution takes milliseconds; the others get 150."""
MEMORY_PER_BYTE, MEMORY_FLOOR = 200, 2_000_000


@pytest.mark.parametrize("name", EVERY)
def test_nothing_but_refusals(name: str) -> None:
    """A file, a frame or a word of the peer would end a program instead of being refused (docs/protocol.md 3.3)."""
    target = EVERY[name]
    kept = [path.read_bytes() for path in replayed(name)]
    for data in kept:
        refused(target.run, data)
    for data in mutated([*target.seeds(), *kept], COUNTS.get(name, 150), 1, target.size, target.shape):
        refused(target.run, data)


@pytest.mark.parametrize("name", [name for name in PARSERS if name not in {"tile-path", "vkey"}])
def test_something_is_accepted(name: str) -> None:
    """The test above would only knock at closed doors."""
    target = PARSERS[name]
    inputs = [*target.seeds(), *(path.read_bytes() for path in replayed(name))]
    assert not all(refused(target.run, data) for data in inputs)


def test_every_kept_input_belongs_to_a_target() -> None:
    """An input that broke something would be replayed by nobody after a target got another name."""
    kept = {path.parent.name for kind in ("corpus", "regressions") for path in (FOLDER / kind).glob("*/*")}
    assert kept <= set(EVERY)
    assert sum(path.stat().st_size for path in (FOLDER / "corpus").glob("*/*")) < 2_000_000


def test_a_copy_shares_nothing_that_changes() -> None:
    """One input would find what another has left behind, and the copy would look into the tables of the original."""
    original, pair = prepared(), template().copy()
    before = state(original.alpha.endpoint)
    assert state(pair.alpha.endpoint) == before
    assert pair.bravo.submit("three").ok
    pair.run(1_500)
    inbox = pair.alpha.endpoint.context.inboxes[Plane.REAL]
    assert inbox._lookup(inbox.through) is not None
    assert inbox.through > original.alpha.endpoint.context.inboxes[Plane.REAL].through
    assert state(original.alpha.endpoint) == before


DEEP: dict[str, tuple[bytes, bytes]] = {
    "brackets": (b"", b"["),
    "objects": (b"", b'{"a":'),
    "arrays of TOML": (b"a = ", b"["),
    "dotted keys of TOML": (b"a", b".a"),
    "tables of TOML": (b"", b"[[a]]\n"),
    "groups": (b"", b"\x0b"),
    "messages in messages": (b"", b"\x0a\xff\xff\x03"),
    "empty entries": (b"", b"\x12\x00"),
    "empty members of a list": (b"", b"\x0a\x00"),
    "newlines": (b"", b"\n"),
    "signature lines": (b"x\n\n", "\u2014 a AAAAAAAA\n".encode()),
    "hashes": (b"old 1\n", b"A" * 43 + b"=\n"),
    "digits": (b"", b"9"),
    "numbers of JSON": (b'{"a":', b"9"),
    "base64": (b"", b"A"),
    "combining marks": (b"e", "\u0301".encode()),
    "joiners": (b"e", "\u200d".encode()),
    "words of a policy": (b"group ", b"w "),
    "zeros": (b"", b"\0"),
    "ones": (b"", b"\xff"),
}
"""A beginning and what is repeated after it: inputs that grow into trees, lists, numbers or work."""
LARGE = 12_000
SLOW = {"safe-text": 800} | dict.fromkeys(
    ("relay-config", "endpoint-config", "drill-plan", "witness-config", "checklist", "addresses", "next-charter"), 1_500
)
"""Those that take a call for every character, under a tracer: less of it."""


def grown(what: str, size: int) -> bytes:
    """One of them, of about `size` bytes."""
    begin, part = DEEP[what]
    return begin + part * (size // len(part))


@pytest.mark.parametrize("name", PARSERS)
def test_large_and_deep_inputs_take_memory_in_proportion(name: str) -> None:
    """One file or one message of a stranger would fill the memory, or overflow a stack that Python does not guard."""
    refused(PARSERS[name].run, b"")  # what is made once is not counted
    for what in DEEP:
        data = grown(what, SLOW.get(name, LARGE))
        tracemalloc.start()
        try:
            refused(PARSERS[name].run, data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < MEMORY_FLOOR + MEMORY_PER_BYTE * len(data), f"{what}: {peak} bytes for {len(data)}"


def steps(run: Callable[[bytes], object], data: bytes) -> int:
    """Calls that reading `data` takes, of Python and of C functions."""
    count = 0

    def called(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(called)
    try:
        refused(run, data)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", PARSERS)
def test_four_times_the_input_takes_no_more_than_about_four_times_the_work(name: str) -> None:
    """A file of some kilobytes could hold a daemon, or an auditor, for minutes."""
    run = PARSERS[name].run
    refused(run, b"")
    for what in DEEP:
        small, large = (steps(run, grown(what, size)) for size in (400, 1_600))
        assert large < 6 * small + 2_000, f"{what}: {small} calls for 400 bytes, {large} for 1600"
