"""An independent implementation of what docs/protocol.md says of bytes, on PyCryptodome and plain Python.

It follows the specification and shares no line with the product. It imports nothing of hotline or relay;
tests/test_oracle.py sees to that.

    python -m tests.oracle QUESTIONS ANSWERS      answer a folder of questions (docs/conformance.md)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.oracle import charter, content, ledger, notes, sealing, witness
from tests.oracle.primitives import Refused, pae

Json = dict[str, Any]


def _pae(given: Json, asked: Json) -> Json:
    """Clause 2.2."""
    return {"result": pae(asked["label"], *(bytes.fromhex(part) for part in asked["parts"])).hex()}


KINDS: dict[str, Callable[[Json, Json], Json]] = {
    "pae": _pae,
    "frame": sealing.frame,
    "parcel": sealing.parcel,
    "header": sealing.header,
    "inner": sealing.inner,
    "chain": sealing.chain,
    "epoch": sealing.epoch,
    "window": sealing.window,
    "envelope": sealing.envelope,
    "prekey": content.prekey,
    "courier-prekey": content.courier_prekey,
    "bundle": content.bundle,
    "statement": content.statement,
    "non-paper": content.non_paper,
    "receipt": content.receipt,
    "heartbeat": content.heartbeat,
    "custody": content.custody,
    "card": charter.card,
    "charter": charter.charter,
    "several-parties": charter.charter,
    "pairwise": charter.pairwise,
    "fingerprint": charter.fingerprint,
    "leaf": ledger.leaf,
    "opening": ledger.opening,
    "tree": ledger.tree,
    "inclusion": ledger.inclusion,
    "consistency": ledger.consistency,
    "checkpoint": notes.checkpoint,
    "cosignature": notes.cosignature,
    "policy": notes.policy,
    "proof": ledger.proof,
    "conviction": ledger.conviction,
    "witness": witness.witness,
}
"""Every kind of case, by the name of its file."""


def answer(kind: str, given: Json, asked: Json) -> Json:
    """The answer to one case: accepted with what was read, or refused with its word."""
    try:
        return {"accept": True, "output": KINDS[kind](given, asked)}
    except Refused as refused:
        return {"accept": False, "word": refused.word} if refused.word else {"accept": False}


def whole(value: Any) -> Any:
    """A value of a file with every byte string and text that it holds in pieces put together."""
    if isinstance(value, list):
        return [whole(item) for item in value]
    if not isinstance(value, dict):
        return value
    for name in ("hex", "text"):
        if set(value) == {name} and isinstance(value[name], list):
            return "".join(item if isinstance(item, str) else item["repeat"] * item["times"] for item in value[name])
    return {name: whole(item) for name, item in value.items()}


def answer_all(questions: Path, answers: Path) -> None:
    """Answer every file of questions in a folder."""
    answers.mkdir(parents=True, exist_ok=True)
    for path in sorted(questions.glob("*.json")):
        asked = whole(json.loads(path.read_text()))
        kind = asked["kind"]
        given = {case["id"]: answer(kind, asked["given"], case["input"]) for case in asked["cases"]}
        made = {"schema": "hotline.answers/1", "kind": kind, "answers": given}
        (answers / path.name).write_text(json.dumps(made, indent=1) + "\n")
