"""Where two translations of one text into one language differ, word by word, readable without colour."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

CONTEXT_WORDS: Final = 4


class Difference(NamedTuple):
    """One place: the words before it that both have, and what each has there; an empty string for nothing."""

    after: str
    one: str
    other: str


def differences(one: str, other: str) -> list[Difference]:
    """Every place where the words of two texts differ, in order. Spellings that Unicode holds to be the same are."""
    words, others = (unicodedata.normalize("NFC", text).split() for text in (one, other))
    matcher = difflib.SequenceMatcher(None, words, others, autojunk=len(words) > 1_000)
    return [
        Difference(
            _joined(words[max(0, start - CONTEXT_WORDS) : start]),
            _joined(words[start:end]),
            _joined(others[first:last]),
        )
        for what, start, end, first, last in matcher.get_opcodes()
        if what != "equal"
    ]


def _joined(words: Sequence[str]) -> str:
    return " ".join(words)
