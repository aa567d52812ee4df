"""Two records held against each other: channel tests are statements, and their withdrawals withdrawals."""

from __future__ import annotations

import pytest

from hotline.ledger.comparison import Side, compare
from hotline.ledger.record import make_entry, parse_leaf
from hotline.machine import Private, Record


def side(name: str, *records: Record) -> Side:
    """A side whose log holds these entries."""
    made = Side(name)
    for seq, record in enumerate(records):
        made.read(1, parse_leaf(make_entry(seq, 1_795_000_000_000, 1, record, bytes).leaf))
    return made


def said(kind: str, entry: str, statement: str = "aa") -> Record:
    """One entry about statement #1."""
    body = {"body": Private(b"A text.", bytes(range(32)))}
    return Record(entry, {"plane": "real", "serial": 1, "statement": statement, "kind": kind}, body)


def findings(one: Side, other: Side) -> list[str]:
    """The kinds of what is found."""
    return [found.kind for found in compare(one, other, {one.name: {}, other.name: {}})]


@pytest.mark.parametrize("kind", ["text", "test"])
def test_a_statement_that_nobody_said_is_found(kind: str) -> None:
    """A terminal could enter tests of its peer that never came, and prove a line that was dead."""
    assert findings(side("ALPHA"), side("BRAVO", said(kind, "msg.recv"))) == ["unsaid"]
    assert findings(side("ALPHA", said(kind, "msg.submit")), side("BRAVO", said(kind, "msg.recv"))) == []
    other = side("BRAVO", said(kind, "msg.recv", "bb"))
    assert findings(side("ALPHA", said(kind, "msg.submit")), other) == ["mismatch"]


@pytest.mark.parametrize(("original", "empty"), [("text", "void"), ("test", "test-void")])
def test_a_withdrawal_must_be_the_senders(original: str, empty: str) -> None:
    """An honest pair would be accused for every test that expired, or a withdrawal that never was believed."""
    expired = Record("msg.expired", {"plane": "real", "serial": 1, "reason": "no relay took it"})
    submitted, received = said(original, "msg.submit"), said(empty, "msg.recv", "bb")
    assert findings(side("ALPHA", submitted, expired), side("BRAVO", received)) == []
    assert findings(side("ALPHA", submitted), side("BRAVO", received)) == ["withdrawn"]
