"""Two records held against each other: channel tests are statements, and their withdrawals withdrawals."""

from __future__ import annotations

import pytest

from hotline.errors import Malformed
from hotline.ledger.comparison import Side, compare, roots_at, serials
from hotline.ledger.record import make_entry, parse_leaf
from hotline.ledger.tree import EMPTY_ROOT, leaf_hash
from hotline.limits import ENTRY_SERIALS_MAX, FRAME_BYTES_MAX, INBOX_HELD_MAX, OUTBOX_MAX, RECEIPT_ITEMS_MAX
from hotline.machine import Private, Record


def side(name: str, *records: Record, counterpart: str = "") -> Side:
    """A side whose log holds these entries."""
    made = Side(name, counterpart)
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


DELIVERED = Record("msg.delivered", {"plane": "real", "serials": "1", "receipt": "cc"})
RESTORED = Record("log.open", {"log_epoch": 2, "reason": "restored"})


def test_a_receipt_for_what_never_arrived_is_found() -> None:
    """A capital could prove with a receipt that it said what the other never got."""
    sender = side("ALPHA", said("text", "msg.submit"), DELIVERED)
    assert findings(sender, side("BRAVO")) == ["unreceived"]
    assert findings(sender, side("BRAVO", said("text", "msg.recv"))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([RESTORED], [said("text", "msg.recv")]),
        ([said("text", "msg.submit"), RESTORED], [said("void", "msg.recv", "bb")]),
        ([said("text", "msg.submit"), RESTORED], [said("text", "msg.recv", "bb")]),
        ([said("text", "msg.submit"), DELIVERED], [RESTORED]),
    ],
)
def test_what_a_side_admits_to_have_lost_is_no_contradiction(one: list[Record], other: list[Record]) -> None:
    """An honest terminal would be accused for having been restored from a backup."""
    assert findings(side("ALPHA", *one), side("BRAVO", *other)) == []
    calendar = Record("log.open", {"log_epoch": 2, "reason": "calendar"})
    honest = [[calendar if record is RESTORED else record for record in records] for records in (one, other)]
    assert len(findings(side("ALPHA", *honest[0]), side("BRAVO", *honest[1]))) == 1


def test_a_renumbered_statement_may_be_withdrawn_and_goes_on_under_its_new_serial() -> None:
    """A loss of state would look like a forgery ever after (docs/protocol.md 12.6)."""
    body = {"body": Private(b"A text.", bytes(range(32)))}
    moved = Record("msg.renumbered", {"plane": "real", "serial": 1, "new": 2, "statement": "bb"}, body)
    got = Record("msg.recv", {"plane": "real", "serial": 2, "statement": "bb", "kind": "text"}, body)
    sender = side("ALPHA", said("text", "msg.submit"), moved)
    assert findings(sender, side("BRAVO", said("void", "msg.recv", "cc"), got)) == []


def head_of(size: int, root: str) -> Record:
    return Record("peer.log", {"log_epoch": 1, "size": size, "root": root})


def test_heads_that_the_other_side_never_had_are_found() -> None:
    """A log could be shown to the peer that its owner never kept (docs/protocol.md 13.6)."""
    leaves = [b"one", b"two"]
    roots = {(1, size): root for size, root in roots_at(leaves, {0, 2}).items()}
    assert roots == {(1, 0): EMPTY_ROOT.hex(), (1, 2): roots[1, 2]}
    true, false = head_of(2, roots[1, 2]), head_of(2, leaf_hash(b"x").hex())
    for record, wanted in ((true, ""), (false, "has another one"), (head_of(3, "dd"), "has no such log")):
        found = compare(side("ALPHA", record), side("BRAVO"), {"ALPHA": {}, "BRAVO": roots})
        assert [one.kind for one in found] == ["head"] * bool(wanted)
        assert all(wanted in one.text and (one.side, one.seq) == ("ALPHA", 0) for one in found)
    lost = compare(side("ALPHA", head_of(3, "dd")), side("BRAVO", RESTORED), {"ALPHA": {}, "BRAVO": roots})
    assert lost == [], "the other side says itself that it has lost it"


def test_findings_come_in_the_order_of_the_entries() -> None:
    """A reader would not find the first contradiction, which is the one that matters."""
    records = [head_of(size, "dd") for size in (9, 8, 7)]
    found = compare(side("ALPHA", *records), side("BRAVO"), {"ALPHA": {}, "BRAVO": {}})
    assert [one.seq for one in found] == [0, 1, 2]


def test_ranges_are_read_as_they_are_written() -> None:
    """A receipt for three statements would count for two."""
    assert serials("3-5 8 10-10") == [3, 4, 5, 8, 10]
    assert serials("") == []


@pytest.mark.parametrize(
    "text",
    [
        *("x", "1-", "-1", "1-x", "1--2", "\u0661", "3-1", "1_0", "+1"),
        *(f"1-{2**40}", str(2**40 + 1), f"1-{ENTRY_SERIALS_MAX + 1}", f"1-{ENTRY_SERIALS_MAX} 5000", "9" * 3_000),
    ],
)
def test_a_list_of_serials_that_no_terminal_writes_is_refused(text: str) -> None:
    """One entry of the other side would fill an auditor's memory, or end his program (docs/protocol.md 13.13)."""
    with pytest.raises(Malformed):
        serials(text)
    with pytest.raises(Malformed):
        side("ALPHA", Record("msg.delivered", {"plane": "real", "serials": text, "receipt": "cc"}))


def test_as_many_serials_as_an_entry_may_name_are_read() -> None:
    """An honest record would be refused for the fullest frame (docs/protocol.md 13.13)."""
    assert len(serials(f"1-{ENTRY_SERIALS_MAX}")) == ENTRY_SERIALS_MAX
    assert serials(str(2**40)) == [2**40]
    assert max(OUTBOX_MAX, INBOX_HELD_MAX + 1, RECEIPT_ITEMS_MAX, FRAME_BYTES_MAX // 32) < ENTRY_SERIALS_MAX


@pytest.mark.parametrize("wrong", [("log_epoch", "1"), ("size", "2"), ("root", 3), ("log_epoch",), ("size",)])
@pytest.mark.parametrize(("kind", "prefix"), [("peer.log", ""), ("hb.summary", "peer_")])
def test_a_head_of_other_types_is_refused(kind: str, prefix: str, wrong: tuple[str, str | int] | tuple[str]) -> None:
    """An entry that its own terminal signed would end the program of whoever compares (docs/protocol.md 13.18)."""
    fields: dict[str, str | int] = {f"{prefix}log_epoch": 1, f"{prefix}size": 2, f"{prefix}root": "dd"}
    assert side("ALPHA", Record(kind, fields)).heads == {(1, 2): ("dd", 1, 0)}
    del fields[prefix + wrong[0]]
    if len(wrong) == 2:
        fields[prefix + wrong[0]] = wrong[1]
    with pytest.raises(Malformed):
        side("ALPHA", Record(kind, fields))


@pytest.mark.parametrize("kind", ["msg.recv", "msg.delivered", "hb.summary"])
def test_heads_are_read_wherever_they_are_written_down(kind: str) -> None:
    """A head that came with a statement would be held against nothing (docs/protocol.md 13.6)."""
    head = {"peer_log_epoch": 1, "peer_size": 2, "peer_root": "dd"}
    fields = {"plane": "real", "serials": "", "serial": 0} if kind != "hb.summary" else {"beats": ""}
    made = side("ALPHA", Record(kind, fields | head), Record(kind, fields | head))
    assert made.heads == {(1, 2): ("dd", 1, 0)}, "at the first entry that tells of it"


def test_what_is_told_of_a_third_terminal_is_not_held_against_the_second() -> None:
    """With an alternate, honest records would be called evidence of tampering (docs/protocol.md 23.12)."""
    roots = {"ALPHA": {}, "BRAVO": {(1, 2): "cc"}}
    other, same = (
        {"peer_log_epoch": 1, "peer_size": 2, "peer_root": "dd", "other": f"BRAVO/{n}"} for n in ("alt", "main")
    )
    for fields, wanted in ((other, []), (same, ["head"])):
        one = side("ALPHA", Record("hb.summary", {"beats": "", **fields}), counterpart="BRAVO/main")
        assert [found.kind for found in compare(one, side("BRAVO"), roots)] == wanted
        log = {"log_epoch": 1, "size": 2, "root": "dd", "other": fields["other"]}
        one = side("ALPHA", Record("peer.log", log), counterpart="BRAVO/main")
        assert [found.kind for found in compare(one, side("BRAVO"), roots)] == wanted
    for terminal, wanted in (("alt", []), ("main", ["unreceived"])):
        receipt = Record("msg.delivered", {**DELIVERED.fields, "other": f"BRAVO/{terminal}"})
        one = side("ALPHA", said("text", "msg.submit"), receipt, counterpart="BRAVO/main")
        assert findings(one, side("BRAVO")) == wanted


def test_what_a_sibling_said_is_said() -> None:
    """What the alternate said after a takeover would be a statement of which its party knows nothing (23.12)."""
    mirrored, received = said("text", "msg.mirrored"), said("text", "msg.recv")
    assert findings(side("ALPHA", mirrored), side("BRAVO", received)) == []
    assert findings(side("ALPHA", said("text", "msg.mirrored", "bb")), side("BRAVO", received)) == ["mismatch"]
    own = side("ALPHA", said("text", "msg.submit"), said("text", "msg.mirrored", "bb"))
    assert findings(own, side("BRAVO", received)) == [], "the own word holds"


VOICE = Record("msg.voice", {"plane": "real", "serial": 1, "other": "ALPHA/alt", "term": 1})
EXPIRED = Record("msg.expired", {"plane": "real", "serial": 1, "reason": "not said"})


@pytest.mark.parametrize(
    ("own", "kind", "wanted"),
    [
        ([], "text", []),
        ([said("text", "msg.submit"), EXPIRED], "text", []),
        ([said("text", "msg.submit"), EXPIRED, said("text", "msg.mirrored", "bb")], "text", []),
        ([said("text", "msg.submit"), said("text", "msg.mirrored", "cc")], "text", ["mismatch"]),
        ([said("text", "msg.mirrored", "cc")], "text", ["mismatch"]),
        ([said("text", "msg.submit")], "void", []),
        ([said("text", "msg.mirrored")], "void", []),
    ],
)
def test_what_another_terminal_said_is_held_against_what_was_mirrored(
    own: list[Record], kind: str, wanted: list[str]
) -> None:
    """A main terminal that was killed with #1 in its record would be called a forger for the #1 that its alternate said
    (docs/protocol.md 23.12)."""
    receiver = side("BRAVO", said(kind, "msg.recv", "bb"), VOICE, counterpart="ALPHA/main")
    assert findings(side("ALPHA", *own), receiver) == wanted


@pytest.mark.parametrize("statement", ["aa", "bb"])
def test_what_the_terminal_itself_said_is_held_against_it(statement: str) -> None:
    """Else the word of an alternate would excuse the main one for whatever it said under that serial."""
    voice = Record("msg.voice", {**VOICE.fields, "other": "ALPHA/main"})
    receiver = side("BRAVO", said("text", "msg.recv", statement), voice, counterpart="ALPHA/main")
    wanted = [] if statement == "aa" else ["mismatch"]
    assert findings(side("ALPHA", said("text", "msg.submit"), said("text", "msg.mirrored", "bb")), receiver) == wanted


def about(party: str, record: Record) -> Record:
    """The same entry, of one other party among several."""
    return Record(record.kind, {**record.fields, "party": party}, record.private)


def test_two_words_of_a_third_party_are_found_in_two_records() -> None:
    """A capital that told two others different things would be found by neither (docs/protocol.md 26.13)."""

    def readers(kind: str, statement: str) -> tuple[Side, Side]:
        one = side("BRAVO", about("ALPHA", said("text", "msg.recv")), counterpart="CHARLIE/main")
        there = about("ALPHA", said(kind, "msg.recv", statement))
        return one, side("CHARLIE", there, counterpart="BRAVO/main")

    assert findings(*readers("text", "aa")) == []
    assert findings(*readers("text", "bb")) == ["two-words"]
    assert findings(*readers("void", "bb")) == [], "what expired for one was said to the other"
    assert findings(side("BRAVO", counterpart="CHARLIE/main"), readers("text", "bb")[1]) == []


def test_what_is_about_a_third_party_is_not_held_against_the_second() -> None:
    """Two honest parties would contradict each other in what concerns neither (docs/protocol.md 26.13)."""
    said_to_both = [about(party, said("text", "msg.submit")) for party in ("BRAVO", "CHARLIE")]
    expired = about("CHARLIE", Record("msg.expired", {"plane": "real", "serial": 1, "reason": "no relay took it"}))
    sender = side("ALPHA", *said_to_both, expired, counterpart="BRAVO/main")
    receiver = side("BRAVO", about("ALPHA", said("text", "msg.recv")), counterpart="ALPHA/main")
    assert findings(sender, receiver) == []
    withdrawn = side("BRAVO", about("ALPHA", said("void", "msg.recv", "bb")), counterpart="ALPHA/main")
    assert findings(sender, withdrawn) == ["withdrawn"], "it expired for CHARLIE alone"


def quiet(way: str, serial: int = 1, **more: int) -> Record:
    """One entry about something that was said without prejudice."""
    return Record(f"nonpaper.{way}", {"plane": "real", "serial": serial, "size": 512, **more})


def test_what_was_said_without_prejudice_is_said_in_both_ledgers_or_in_neither() -> None:
    """A capital could enter a non-paper that never was, or a text that was one (docs/protocol.md 22.5)."""
    assert findings(side("ALPHA", quiet("submit")), side("BRAVO", quiet("recv"))) == []
    assert findings(side("ALPHA"), side("BRAVO", quiet("recv"))) == ["unsaid"]
    assert findings(side("ALPHA", quiet("submit")), side("BRAVO", said("text", "msg.recv"))) == ["mismatch"]
    moved = side("ALPHA", quiet("submit"), quiet("renumbered", new=2))
    assert findings(moved, side("BRAVO", quiet("recv", 2), said("void", "msg.recv", "bb"))) == []
    assert findings(moved, side("BRAVO", quiet("recv", 3))) == ["unsaid"]
    assert moved.entries == 2


def test_each_finding_stands_where_it_was_found() -> None:
    """An auditor would open another entry, or another log (docs/protocol.md 13.9)."""
    start = Record("daemon.start", {})
    sender = side("ALPHA", start, said("text", "msg.submit"))
    (found,) = compare(sender, side("BRAVO", start, start, said("text", "msg.recv", "bb")), {"ALPHA": {}, "BRAVO": {}})
    assert (found.side, found.log_epoch, found.seq, found.kind) == ("BRAVO", 1, 2, "mismatch")
    (found,) = compare(side("ALPHA", start, DELIVERED), side("BRAVO"), {"ALPHA": {}, "BRAVO": {}})
    assert (found.side, found.log_epoch, found.seq, found.kind) == ("ALPHA", 1, 1, "unreceived")
    assert "#1 (real)" in found.text
    receipt = Record("msg.delivered", {"plane": "exercise", "serials": "3 5-6", "receipt": "cc"})
    found_all = compare(side("ALPHA", receipt), side("BRAVO"), {"ALPHA": {}, "BRAVO": {}})
    assert [one.text.split()[5] for one in found_all] == ["#3", "#5", "#6"]
