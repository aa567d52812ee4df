"""A drill of three parties: what may happen in one, and whom its promises are about (docs/protocol.md section 26)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotline.drill.injects import AMONG_SEVERAL, Fault, Say
from hotline.drill.patterns import CAPITALS, PARTIES
from hotline.drill.promises import Promise


def by_all(promise: Promise, capitals: Sequence[str]) -> Promise:
    """With every party for a side, unless the file names them."""
    if isinstance(getattr(promise, "by", None), list) and "by" not in promise.model_fields_set:
        return promise.model_copy(update={"by": list(capitals)})
    return promise


def sides_of(promise: Promise) -> list[str]:
    """The parties that a promise names."""
    by, sender = getattr(promise, "by", None), getattr(promise, "sender", None)
    return [one for one in (*(by if isinstance(by, list) else [by]), sender) if one in CAPITALS]


def wrong_among(parties: int, has: Sequence[str], injects: Sequence[Fault]) -> Iterator[str]:
    """What a drill of three parties cannot have yet. `has`: keys of its topology that are set."""
    if parties == len(PARTIES):
        return
    yield from (f"topology.{key}: a drill of three parties has none" for key in has)
    for number, inject in enumerate(injects):
        if not isinstance(inject, AMONG_SEVERAL):
            yield f"inject.{number}: {inject.fault} is not played among three parties"
        elif isinstance(inject, Say) and (inject.answers or inject.corrects or inject.retracts):
            yield f"inject.{number}: among three parties nothing is answered or corrected yet"
