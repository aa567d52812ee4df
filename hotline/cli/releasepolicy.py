"""`--release-policy`: who signs what is said, in a first charter and in one that amends it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from hotline.charter.body import ReleaseEntry, release_by_two
from hotline.charter.documents import lawful
from hotline.files import naming, read_public

_ENTRIES: Final[TypeAdapter[tuple[ReleaseEntry, ...]]] = TypeAdapter(tuple[ReleaseEntry, ...])
HELP: Final = "Who signs what is said: two (drafter and releaser, on the real plane), one (nobody), or a JSON file."


def read_release_policy(given: str) -> tuple[ReleaseEntry, ...]:
    """What was given: one, two or a file. Raises ConfigError, naming the file and every problem."""
    if given in ("one", "two"):
        return release_by_two() if given == "two" else ()
    path = Path(given)
    data = read_public(path)
    return naming(path, lambda: lawful(lambda: _ENTRIES.validate_json(data, strict=True)))
