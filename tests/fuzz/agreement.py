"""The product against the independent decoder of tests/oracle: on any bytes both accept or both refuse.

tests/differential.py alters whole cases, and signs some anew; here bytes are altered, and Atheris chooses among them.
"""

from __future__ import annotations

from typing import Final

from hotline.conformance.answers import answer
from hotline.conformance.kit import Json
from hotline.errors import ConfigError
from tests import oracle
from tests.fuzz.forms import after, documents, lines, messages
from tests.fuzz.mutation import Shape
from tests.fuzz.targets import Target, holds, published

FIELDS: Final = {
    **dict.fromkeys(("frame", "parcel", "header", "inner", "bundle"), "bytes"),
    **dict.fromkeys(("statement", "receipt", "heartbeat"), "content"),
    **dict.fromkeys(("prekey", "custody"), "body"),
    "leaf": "leaf",
    **dict.fromkeys(("checkpoint", "cosignature", "card"), "note"),
    "policy": "policy",
    "proof": "proof",
    "witness": "request",
}
"""Kind of case to the field of its question that is altered."""
KINDS: Final = tuple(FIELDS)
TEXTS: Final = frozenset({"leaf", "checkpoint", "cosignature", "card", "policy", "proof", "witness"})
"""Their bytes are written as text, or in hexadecimal behind `hex:`."""


def question(kind: str, number: int, data: bytes) -> tuple[Json, Json]:
    """What is given, and the question of one published case with these bytes in it."""
    cases = published()[kind].cases
    asked = {**cases[number % len(cases)].asked, FIELDS[kind]: f"hex:{data.hex()}" if kind in TEXTS else data.hex()}
    return dict(published()[kind].given), asked


def agreement(data: bytes) -> object:
    """A kind, the number of a case, and other bytes for it."""
    if len(data) < 2:
        raise ConfigError("no question")
    kind = KINDS[data[0] % len(KINDS)]
    given, asked = question(kind, data[1], data[2:])
    ours, theirs = answer(kind, given, asked), oracle.answer(kind, given, asked)
    holds(
        ours["accept"] == theirs["accept"], f"{kind}: {ours.get('word', 'accepted')}, {theirs.get('word', 'accepted')}"
    )
    holds(not ours["accept"] or ours["output"] == theirs["output"], f"{kind}: read otherwise")
    if not ours["accept"]:
        raise ConfigError(ours["word"])
    return ours


def agreement_seeds() -> list[bytes]:
    """The published cases that are not long."""
    found = []
    for place, kind in enumerate(KINDS):
        for number, case in enumerate(published()[kind].cases[:256]):
            asked = case.asked[FIELDS[kind]]
            is_text = kind in TEXTS and not asked.startswith("hex:")
            part = asked.encode() if is_text else bytes.fromhex(asked.removeprefix("hex:"))
            if len(part) <= 4_000:
                found.append(bytes((place, number)) + part)
    return found


def _shape(kind: int) -> Shape:
    """Texts are changed line by line, leaves and cards as JSON, messages field by field."""
    name = KINDS[kind % len(KINDS)]
    if name in {"card", "leaf"}:
        return documents
    return lines if name in TEXTS else messages


AGREEMENT: dict[str, Target] = {"agreement": Target(agreement, agreement_seeds, 4_096, after(2, _shape))}
"""Name to target, as in `targets.TARGETS`."""
