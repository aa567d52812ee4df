"""What is handed in from a file, and what is said of a file that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotline.cli.textinput import read_text
from hotline.errors import TextError
from hotline.limits import TEXT_BYTES_MAX


def test_a_text_of_the_longest_is_taken_with_its_last_line_end(tmp_path: Path) -> None:
    """An editor's line end at the end is no part of what is said."""
    file = tmp_path / "said.txt"
    file.write_bytes(b"x" * TEXT_BYTES_MAX + b"\n")
    assert read_text(None, file) == "x" * TEXT_BYTES_MAX


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"x" * (TEXT_BYTES_MAX + 1), f"longer than {TEXT_BYTES_MAX} bytes; nothing was queued; send it in parts"),
        (b"x" * 200_000, f"longer than {TEXT_BYTES_MAX} bytes; nothing was queued; send it in parts"),
        (b"\xff" * 200_000, f"longer than {TEXT_BYTES_MAX} bytes; nothing was queued; send it in parts"),
        (b"good\xff", "not UTF-8 at byte 4; nothing was queued"),
        (None, "no such file; nothing was queued"),
    ],
)
def test_a_file_that_cannot_be_said_is_told_as_what_it_is(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """An officer would look for a fault that is not there: how long it is, or whether it is there at all."""
    file = tmp_path / "said.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TextError) as refused:
        read_text(None, file)
    assert str(refused.value) == f"{file}: {sentence}"


@pytest.mark.parametrize("path", [Path("/dev/null"), Path("/")])
def test_what_is_no_file_is_not_read(path: Path) -> None:
    """A device or a folder would be waited for, or read without end."""
    with pytest.raises(TextError, match="not a plain file"):
        read_text(None, path)
