"""An amendment as the text of a statement: what differs from the charter in force (docs/protocol.md 24.11)."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from hotline.charter.model import load_charter, load_draft, split
from hotline.errors import ConfigError, Malformed
from hotline.limits import CHARTER_BYTES_MAX, TEXT_BYTES_MAX

HEAD: Final = "hotline-charter/1"
_COPY: Final = re.compile(r"=([0-9]{1,6}),([0-9]{1,6})")


def to_text(note: bytes, base: bytes) -> str:
    """`note`, signed by whoever has signed it, as lines against the charter `base`.

    Raises ConfigError if it is too long, Malformed or Untrusted for what is no charter.
    """
    old, new = _lines(split(base)[0]), _lines(note)
    made = [f"{HEAD} {load_charter(base).hash.hex()} {load_draft(note).hash.hex()}"]
    for what, first, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            made.append(f"={first},{end - first}")
        else:
            made += [f"+{line}" for line in new[begin:stop]]
    text = "\n".join(made)
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise ConfigError(f"the amendment changes more than {TEXT_BYTES_MAX} bytes: carry the file by another way")
    return text


def from_text(text: str, base: bytes) -> bytes:
    """The note that such a text stands for; its signatures hold, as far as there are any.

    Raises ConfigError for a text against another charter, Malformed or Untrusted for one that stands for none.
    """
    head, *rest = text.split("\n")
    words = head.split(" ")
    if len(words) != 3 or words[0] != HEAD:
        raise ConfigError("this statement is no proposal of a charter")
    if words[1] != load_charter(base).hash.hex():
        raise ConfigError("the proposal is made against another charter than the one in force here")
    old, new, size = _lines(split(base)[0]), [], 0
    for line in rest:
        copied = _COPY.fullmatch(line)
        if copied is not None:
            first, count = int(copied[1]), int(copied[2])
            if first + count > len(old):
                raise Malformed("document", "a proposal that copies what is not there")
            part = old[first : first + count]
        elif line.startswith("+"):
            part = [line[1:]]
        else:
            raise Malformed("document", "a line of a proposal that says nothing")
        size += sum(len(one) + 1 for one in part)
        if size > CHARTER_BYTES_MAX:
            raise Malformed("document", f"a proposal of more than {CHARTER_BYTES_MAX} bytes")
        new += part
    note = "\n".join(new).encode()
    if load_draft(note).hash.hex() != words[2]:
        raise Malformed("document", "the proposal does not give the charter that it names")
    return note


def _lines(data: bytes) -> list[str]:
    return data.decode().split("\n")
