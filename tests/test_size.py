"""The trusted code stays small enough to be read before it is believed, and the count is an honest one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import size

ROOT = Path(__file__).resolve().parent.parent

COUNTED = '''"""A docstring
of two lines."""

import os  # a comment beside code counts with its line

# a comment alone
LIMIT = 3
"""What a limit is."""


def f(a, b):
    """Doc."""
    text = """one
two"""
    return (
        a,
        b,
    ), text
'''


def test_the_crypto_room_has_at_most_600_lines_of_code() -> None:
    """Nobody would review it as a whole any more."""
    assert size.excess({"crypto": size.measure("crypto")}) == []
    assert size.BOUNDS["crypto"] == 600


def test_code_is_counted_without_blank_lines_comments_and_docstrings() -> None:
    """The bound would be met by counting less, or missed by writing explanations."""
    # import, LIMIT, def, two lines of a text that is a value, four lines of the return
    assert size.code_lines(COUNTED) == 9
    assert size.code_lines('"""Only words."""\n\n# and more\n') == 0
    assert size.code_lines("a = 1; b = 2\n\\\n\n") == 1


def test_one_line_too_many_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The check would never turn red."""
    measured = size.measure("crypto")
    monkeypatch.setattr(size, "ZONES", {"crypto": size.ZONES["crypto"]})
    monkeypatch.setattr(sys, "argv", ["size.py", "--check"])
    for bound, answer in ((measured.code - 1, 1), (measured.code, 0)):
        monkeypatch.setattr(size, "BOUNDS", {"crypto": bound})
        assert size.main() == answer
        assert bool(capsys.readouterr().err) == bool(answer)


def test_every_written_file_is_in_exactly_one_zone() -> None:
    """Code could hide between the zones, or a zone could look small because another counts its files."""
    counted = [path.relative_to(ROOT).as_posix() for zone in size.ZONES for path in size.files_of(zone)]
    written = {
        path.relative_to(ROOT).as_posix() for room in ("hotline", "relay") for path in (ROOT / room).rglob("*.py")
    }
    written = {name for name in written if not name.startswith(size.GENERATED)} - {"hotline/__init__.py"}
    assert sorted(counted) == sorted(written)


def test_what_decides_depends_on_three_packages() -> None:
    """Each further package is code that nobody here has read, in the rooms that must be believed."""
    names = {zone: size.measure(zone).packages for zone in ("crypto", "token", "wire", "protocol", "ledger", "base")}
    assert names == {
        "crypto": {"cryptography", "nacl"},
        "token": {"pkcs11"},  # an extra, and reached by officers' commands only
        "wire": {"protobuf"},
        "protocol": set(),
        "ledger": set(),
        "base": set(),
    }
    assert size.packages("def f():\n    import nacl.bindings\nfrom google.protobuf import message\nimport os\n") == {
        "nacl",
        "protobuf",
    }
