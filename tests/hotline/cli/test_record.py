"""`hotline audit` on records that somebody has changed: what is stored beside the entries excuses nothing."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter, Terminal
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.crypto.signing import SigningKey
from hotline.drill.rehearsal import rehearse
from hotline.files import read_secret
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519CosignatureVerifier, Ed25519Cosigner
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Signature, parse_note
from hotline.ledger.proof import parse_proof
from hotline.ledger.record import Leaf, _encode, parse_leaf
from hotline.ledger.tiles import bundled_leaves, stored_hashes
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.machine import Instant, Output, Record
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.store import EndpointStore
from tests.hotline.cli.conftest import Ran, Run

WALL = 1_764_000_000_000
VERIFIED, TAMPERED, UNDECIDED = 0, 6, 10


@dataclass(frozen=True, slots=True)
class Site:
    """A party of a rehearsed hotline of ALPHA and BRAVO, and its terminal's keys."""

    charter_path: Path
    charter: Charter
    terminal: Terminal
    key: SigningKey
    storage: bytes

    def store(self, folder: Path) -> EndpointStore:
        """Its store in `folder`, as its daemon opens it: it signs for itself alone."""

        def ledger(epoch: int, frontier: Frontier, last: int) -> Ledger:
            return Ledger(self.charter.log_base(self.terminal), self.key, epoch, frontier, last, os.urandom)

        return EndpointStore(folder, ledger, ContentKeys(folder / "keys", self.storage))

    def origin(self, epoch: int) -> str:
        return self.charter.log_origin(self.terminal, epoch)


def site_of(folder: Path, party: str) -> Site:
    charter = load_charter((folder / "charter.note").read_bytes())
    _, secret = decode_secret(TerminalSecret, read_secret(folder / party / "terminal.key"), None)
    terminal = charter.terminal(party, "main")
    return Site(folder / "charter.note", charter, terminal, SigningKey(secret.ledger), secret.storage)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """ALPHA's."""
    folder = tmp_path_factory.mktemp("site")
    rehearse(folder, [("relay-1", "127.0.0.1:7001")], sockets=folder)
    return site_of(folder, "ALPHA")


@pytest.fixture(scope="module")
def peer(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of BRAVO."""
    bravo = site_of(site.charter_path.parent, "BRAVO")
    return make(bravo, tmp_path_factory.mktemp("peer") / "store", [VOUCHED, said(1)])


START, VOUCHED = Record("start", {"n": 0}), Record("log.vouched", {"by": "BRAVO/main"})


def said(number: int) -> Record:
    return Record("said", {"n": number})


def make(site: Site, folder: Path, *commits: list[Record]) -> Path:
    """A store with these transactions, closed; its ratchet beside it, as it is after each clean stop."""
    store = site.store(folder)
    for number, records in enumerate(commits):
        store.commit([Output(records=records)], Instant(number, WALL + number))
    if store.head().note:
        folder.with_name(f"{folder.name}.ratchet").write_bytes(store.head().note)
    store.close()
    (folder / "lock").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def honest(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of four entries: the first signed for itself alone, the others under its own name."""
    return make(site, tmp_path_factory.mktemp("honest") / "store", [START], [VOUCHED, said(1)], [said(2)])


NEXT = [Record("log.freeze", {"reason": "quarter"}), Record("log.open", {"log_epoch": 2, "reason": "quarter"})]


@pytest.fixture(scope="module")
def quarters(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that was closed in good order, and the one that followed it."""
    return make(site, tmp_path_factory.mktemp("quarters") / "store", [VOUCHED, said(1), said(2)], NEXT, [said(3)])


def spoilt(store: Path, tmp_path: Path, sql: str = "", *, ratchet: bool = True) -> Path:
    """A copy on which `sql` ran: what whoever may write the file can do, without a key."""
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    if ratchet:
        shutil.copy(store.with_name("store.ratchet"), tmp_path)
    with closing(sqlite3.connect(copy / "ledger.db")) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.executescript(sql)
    return copy


def signed_anew(site: Site, store: Path, table: str, epoch: int, edit: Callable[[Leaf], Leaf]) -> None:
    """What a thief of the ledger key does: every entry edited, the tree made over them, every head signed again."""
    frontier = Frontier()
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        for seq, leaf, note in database.execute(f"SELECT seq, leaf, note FROM {table} ORDER BY seq").fetchall():
            data = _encode(edit(parse_leaf(leaf)))
            nodes = b"".join(node.hash for node in frontier.append(leaf_hash(data)))
            head = Checkpoint(site.origin(epoch), frontier.size, frontier.root())
            again = sign_checkpoint(head, Ed25519Signer(head.origin, site.key)) if note else None
            row = (data, nodes, again, seq)
            database.execute(f"UPDATE {table} SET leaf = ?, nodes = ?, note = ? WHERE seq = ?", row)
        database.commit()


def verify(run: Run, site: Site, store: Path, *more: str | Path) -> Ran:
    return run("audit", "verify", "--store", store, "--charter", site.charter_path, "--party", "ALPHA", *more)


CUT = "DELETE FROM entry WHERE seq = 3;"


def test_the_honest_records_stand(run: Run, site: Site, honest: Path, quarters: Path) -> None:
    """Every check below would cry wolf."""
    for store in (honest, quarters):
        assert verify(run, site, store).code == VERIFIED


# --- what vouches -----------------------------------------------------------------------------------------------------


def row(store: Path, seq: int, size: int) -> str:
    """SQL that files the signature of the head behind entry `seq` as a cosignature over `size` entries."""
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        (note,) = database.execute("SELECT note FROM entry WHERE seq = ?", (seq,)).fetchone()
    line = parse_note(note).signatures[0].line()
    return f"INSERT INTO cosignature (epoch, name, hour, size, line) VALUES (1, 'x', 1, {size}, '{line}');"


def test_a_cosignature_of_no_head_of_this_log_excuses_nothing(
    run: Run, site: Site, honest: Path, tmp_path: Path
) -> None:
    """One row that points at a head signed for itself alone would make a cut record a good one (13.5, 13.19)."""
    more = row(honest, 0, 1)
    found = verify(run, site, spoilt(honest, tmp_path / "cut", CUT))
    assert (found.code, "entries 3 to 3 are missing" in found.out) == (TAMPERED, True)
    found = verify(run, site, spoilt(honest, tmp_path / "excused", CUT + more))
    assert (found.code, "entries 3 to 3 are missing" in found.out) == (TAMPERED, True)
    odd = spoilt(honest, tmp_path / "odd", more)
    assert verify(run, site, odd).code == VERIFIED
    asked = run("audit", "witness-status", "--store", odd, "--charter", site.charter_path, "--party", "ALPHA")
    assert (asked.code, "BRAVO/main               has cosigned nothing" in asked.out) == (UNDECIDED, True)
    assert not (export(run, odd, tmp_path / "export") / "1" / "cosigned").exists()


def test_a_cosignature_that_does_not_hold_hides_no_altered_entry(
    run: Run, site: Site, honest: Path, tmp_path: Path
) -> None:
    """The first bad entry would be named no more, once a second thing is wrong (docs/protocol.md 13.9)."""
    base = site.charter.log_base(site.charter.terminal("BRAVO", "main"))
    voter = site.charter.terminal("BRAVO", "main").ledger
    line = Signature(base, Ed25519CosignatureVerifier(base, voter).key_id, bytes(72)).line()
    false = f"INSERT INTO cosignature (epoch, name, hour, size, line) VALUES (1, '{base}', 1, 3, '{line}');"
    found = verify(run, site, spoilt(honest, tmp_path / "false", false))
    assert (found.code, "a cosignature of this log does not hold" in found.out) == (TAMPERED, True)
    found = verify(run, site, spoilt(honest, tmp_path / "both", false + CUT))
    assert (found.code, "entries 3 to 3 are missing" in found.out) == (TAMPERED, True)


# --- one log and the next ---------------------------------------------------------------------------------------------


def test_a_closed_log_is_the_one_that_the_next_one_names(run: Run, site: Site, quarters: Path, tmp_path: Path) -> None:
    """Whoever has the ledger key could write another past behind the entry that names it (docs/protocol.md 13.5)."""
    store = spoilt(quarters, tmp_path)

    def edit(leaf: Leaf) -> Leaf:
        return leaf._replace(fields={"n": 99}) if leaf.fields.get("n") == 2 else leaf

    signed_anew(site, store, "entry_1", 1, edit)
    found = verify(run, site, store)
    assert (found.code, f"{site.origin(1)} held other entries" in found.out) == (TAMPERED, True)


def test_a_log_that_is_not_there_is_missed(run: Run, site: Site, quarters: Path, peer: Path, tmp_path: Path) -> None:
    """A quarter could be dropped whole, the first or the last one, by whoever may write the file (13.19)."""
    first = "DROP TABLE entry_1; DELETE FROM log WHERE epoch = 1;"
    found = verify(run, site, spoilt(quarters, tmp_path / "first", first, ratchet=False))
    assert (found.code, f"follows {site.origin(1)}, which is not here" in found.out) == (TAMPERED, True)
    last = "DROP TABLE entry; ALTER TABLE entry_1 RENAME TO entry; DELETE FROM log WHERE epoch = 2;"
    found = verify(run, site, spoilt(quarters, tmp_path / "last", last))
    assert (found.code, "it is of log epoch 2, which is not here" in found.out) == (TAMPERED, True)
    emptied = spoilt(quarters, tmp_path / "emptied", "DELETE FROM entry_1;")
    found = verify(run, site, emptied)
    assert (found.code, f"{site.origin(1)} had 4 entries, not 0" in found.out) == (TAMPERED, True)
    compared = run("audit", "compare", emptied, peer, "--charter", site.charter_path)
    assert (compared.code, f"{site.origin(1)} had 4 entries, not 0" in compared.err) == (TAMPERED, True)


def test_a_ratchet_may_lie_anywhere(run: Run, site: Site, honest: Path, tmp_path: Path) -> None:
    """Where the units put it, on another disk, a tail that was cut off would not be missed (docs/protocol.md 13.19)."""
    cut = spoilt(honest, tmp_path, CUT, ratchet=False)
    kept = tmp_path / "other-disk" / "head"
    kept.parent.mkdir()
    assert verify(run, site, cut).code == VERIFIED, "as far as the file itself can tell"
    missing = verify(run, site, cut, "--ratchet", kept)
    assert (missing.code, str(kept) in missing.err) == (1, True)
    shutil.copy(honest.with_name("store.ratchet"), kept)
    for store in (cut, cut / "ledger.db"):
        found = verify(run, site, store, "--ratchet", kept)
        assert (found.code, "missing" in found.out) == (TAMPERED, True)
    assert verify(run, site, honest, "--ratchet", kept).code == VERIFIED


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"size": 3}, "had 3 entries, not 4"),
        ({"size": "4"}, "does not say where"),
        ({"size": None}, "does not say where"),
        ({"root": 7}, "does not say where"),
        ({"previous": "hotline/other/ALPHA/main/1"}, "does not begin where"),
    ],
)
def test_the_opening_of_a_log_may_hold_anything(
    run: Run, site: Site, quarters: Path, tmp_path: Path, fields: dict[str, str | int | None], text: str
) -> None:
    """A record that its own terminal signed would end its auditor's program (docs/protocol.md 13.18, 13.19)."""
    store = spoilt(quarters, tmp_path, ratchet=False)

    def edit(leaf: Leaf) -> Leaf:
        if leaf.type != "log.open":
            return leaf
        other = {**leaf.fields, **fields}
        return leaf._replace(fields={name: value for name, value in other.items() if value is not None})

    signed_anew(site, store, "entry", 2, edit)
    found = verify(run, site, store)
    assert (found.code, text in found.out) == (TAMPERED, True), found


def test_the_log_of_another_key_accuses_nobody(
    run: Run, site: Site, quarters: Path, peer: Path, tmp_path: Path
) -> None:
    """A terminal with a new key would be called a forger for its old log, whose key no charter has any more (13.5)."""
    store = spoilt(quarters, tmp_path)
    signed_anew(replace(site, key=SigningKey(bytes(32))), store, "entry_1", 1, lambda leaf: leaf)
    found = verify(run, site, store)
    assert (found.code, "is it the right log?" in found.out, "TAMPERED" in found.out) == (UNDECIDED, True, False)
    compared = run("audit", "compare", store, peer, "--charter", site.charter_path)
    assert (compared.code, "is it the right log?" in compared.err) == (UNDECIDED, True)
    assert "in this order" not in compared.err


def test_a_log_that_was_lost_whole_and_left_is_no_fault(run: Run, site: Site, tmp_path: Path) -> None:
    """A terminal that began anew beside its ratchet could never again be called honest (docs/protocol.md 13.5)."""
    opened = [Record("log.open", {"log_epoch": 4, "reason": "restored"}), START]
    store = make(site, tmp_path / "store", opened, [VOUCHED])
    found = verify(run, site, store)
    assert (found.code, "a log without entries, left for another" in found.out) == (VERIFIED, True), found
    assert verify(run, site, export(run, store, tmp_path / "export")).code == VERIFIED
    assert verify(run, site, make(site, tmp_path / "new")).code == UNDECIDED, "nothing to check is never good"


# --- while nobody vouches ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def silent(site: Site, honest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The honest record after a start since which nobody has vouched for it: entry 4 is signed for itself alone."""
    folder = spoilt(honest, tmp_path_factory.mktemp("silent"), ratchet=False)
    return make(site, folder, [START])


def test_an_entry_is_proved_though_nobody_vouches_any_more(run: Run, site: Site, silent: Path, tmp_path: Path) -> None:
    """Against a peer that falls silent nothing could be shown that it had vouched for (docs/protocol.md 13.18)."""
    whose = ("--store", silent, "--charter", site.charter_path, "--party", "ALPHA", "--out", tmp_path)
    assert run("audit", "prove", 2, *whose).code == VERIFIED
    policy = tmp_path / "policy"
    policy.write_text(run("charter", "policy", site.charter_path).out)
    checked = run(
        "audit", "verify-proof", tmp_path / "1-2.tlog-proof", "--policy", policy, "--leaf", tmp_path / "1-2.leaf"
    )
    assert (checked.code, "entry 2, said" in checked.out, "PROVED" in checked.out) == (VERIFIED, True, True), checked
    refused = run("audit", "prove", 4, *whose)
    assert (refused.code, "no head that others may be shown covers entry 4" in refused.err) == (1, True)


def test_an_entry_is_proved_under_the_head_that_most_have_signed(
    run: Run, site: Site, honest: Path, tmp_path: Path
) -> None:
    """A proof would rest on the terminal's own word, where others stand in for the entry (docs/protocol.md 13.18)."""
    bravo = site_of(site.charter_path.parent, "BRAVO")
    with closing(sqlite3.connect(honest / "ledger.db")) as database:
        (note,) = database.execute("SELECT note FROM entry WHERE seq = 2").fetchone()
    line = Ed25519Cosigner(site.charter.log_base(bravo.terminal), bravo.key).cosign(
        parse_note(note).text, WALL // 1_000
    )
    sql = f"INSERT INTO cosignature (epoch, name, hour, size, line) VALUES (1, 'x', 1, 3, '{line.line()}');"
    store = spoilt(honest, tmp_path, sql)
    for seq, size in ((2, 3), (3, 4)):
        whose = ("--store", store, "--charter", site.charter_path, "--party", "ALPHA", "--out", tmp_path)
        assert run("audit", "prove", seq, *whose).code == VERIFIED
        note = parse_proof((tmp_path / f"1-{seq}.tlog-proof").read_bytes()).note
        assert parse_checkpoint(parse_note(note).text).size == size
        assert len(parse_note(note).signatures) == (2 if size == 3 else 1)


def export(run: Run, store: Path, folder: Path) -> Path:
    assert run("audit", "export", "--store", store, "--tiles", folder).code == VERIFIED
    return folder


def test_an_export_says_what_its_store_says(
    run: Run, site: Site, honest: Path, quarters: Path, silent: Path, tmp_path: Path
) -> None:
    """What others vouched for would pass for what nobody did, once it is given away (docs/protocol.md 13.18)."""
    for store in (honest, quarters, silent):
        exported = export(run, store, tmp_path / store.parent.name)
        own, given = (verify(run, site, one) for one in (store, exported))
        told = [re.findall("^ +entries .*", one.out, re.MULTILINE) for one in (own, given)]
        assert (own.code, told[0]) == (given.code, told[1])
        assert told[0]


def test_an_export_that_fails_leaves_nothing(run: Run, honest: Path, tmp_path: Path) -> None:
    """Half of it would be in the way of the next one, and be called cut off (docs/protocol.md 13.18)."""
    store = spoilt(honest, tmp_path, "UPDATE entry SET leaf = zeroblob(70000) WHERE seq = 2;")
    assert run("audit", "export", "--store", store, "--tiles", tmp_path / "tiles").code not in (0, 70)
    assert not (tmp_path / "tiles").exists()


def test_an_export_is_one_for_other_programs_whoever_vouches(
    run: Run, site: Site, silent: Path, tmp_path: Path
) -> None:
    """Its head would be of no log that anybody knows, and tell of no tile that is there (docs/protocol.md 13.18)."""
    folder = export(run, silent, tmp_path / "export") / "1"
    head = open_checkpoint(
        (folder / "checkpoint").read_bytes(), site.origin(1), Ed25519Verifier(site.origin(1), site.terminal.ledger)
    )
    assert head.size == 4

    def read(name: str) -> bytes:
        return (folder / name).read_bytes()

    frontier = Frontier()
    for leaf, hash_ in zip(bundled_leaves(4, read), stored_hashes(4, read), strict=True):
        frontier.append(leaf_hash(leaf))
        assert leaf_hash(leaf) == hash_
    assert frontier.root() == head.root
    assert (folder / "unvouched").read_bytes().startswith(f"{site.origin(1)}/unvouched\n5\n".encode())


def test_an_export_of_what_was_restored_and_left_holds(run: Run, site: Site, silent: Path, tmp_path: Path) -> None:
    """A log that a restored terminal left with an end of its own would be called cut off (docs/protocol.md 13.18)."""
    store = spoilt(silent, tmp_path, ratchet=False)
    make(site, store, [Record("log.open", {"log_epoch": 3, "reason": "restored"}), START], [VOUCHED])
    assert verify(run, site, store).code == VERIFIED
    folder = export(run, store, tmp_path / "export")
    assert verify(run, site, folder).code == VERIFIED
    (folder / "1" / "unvouched").unlink()
    found = verify(run, site, folder)
    assert (found.code, "had 5 entries, not 4" in found.out) == (TAMPERED, True)


def test_an_export_is_held_against_all_of_its_heads(run: Run, site: Site, honest: Path, tmp_path: Path) -> None:
    """What a witness had cosigned would vouch for entries that are others, signed anew (docs/protocol.md 13.19)."""
    before = export(run, honest, tmp_path / "before") / "1"
    store = spoilt(honest, tmp_path, ratchet=False)
    signed_anew(site, store, "entry", 1, lambda leaf: leaf._replace(fields={"n": 99}) if leaf.seq else leaf)
    folder = export(run, store, tmp_path / "after")
    assert verify(run, site, folder).code == VERIFIED
    shutil.copy(before / "checkpoint", folder / "1" / "cosigned")
    assert verify(run, site, folder).code == TAMPERED


def test_a_ratchet_that_is_no_head_is_refused(run: Run, site: Site, honest: Path, tmp_path: Path) -> None:
    """A damaged ratchet would pass for one that bears the record out (docs/protocol.md 13.5)."""
    store = spoilt(honest, tmp_path)
    (tmp_path / "store.ratchet").write_bytes(b"\x00\xff nothing")
    found = verify(run, site, store)
    assert (found.code, "not the head of a log" in found.err) == (1, True)


def test_an_export_is_told_that_it_has_no_tables(run: Run, honest: Path, tmp_path: Path) -> None:
    """Whoever named an export was told to name a store, a copy, or an export."""
    folder = export(run, honest, tmp_path / "export")
    refused = run("audit", "fsck", "--store", folder)
    assert refused.code == 1
    assert refused.err == f"{folder}: an export, which has no tables; name a store folder, or a copy of its ledger.db\n"


# --- two records ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        Record("msg.delivered", {"plane": "real", "serials": f"1-{2**40}", "receipt": "cc"}),
        Record("msg.delivered", {"plane": "real", "serials": "x", "receipt": "cc"}),
        Record("peer.log", {}),
    ],
)
def test_an_entry_that_no_terminal_writes_is_a_fault_of_its_log(
    run: Run, site: Site, peer: Path, tmp_path: Path, record: Record
) -> None:
    """A party could keep the other one's auditor from any result, with its own signature (docs/protocol.md 13.18)."""
    store = make(site, tmp_path / "store", [VOUCHED, record])
    assert verify(run, site, store).code == VERIFIED, "it is the one that was signed"
    compared = run("audit", "compare", store, peer, "--charter", site.charter_path)
    assert (compared.code, "entry 1/1 of ALPHA is not a lawful one" in compared.err) == (TAMPERED, True), compared
    checked = run("audit", "fsck", "--store", store)
    assert checked.code == (TAMPERED if "serials" in record.fields else VERIFIED), checked


def test_a_record_that_does_not_hold_is_compared_with_nothing(
    run: Run, site: Site, honest: Path, peer: Path, tmp_path: Path
) -> None:
    """The other side would be accused of what an altered record no longer says (docs/protocol.md 13.18)."""
    agreed = run("audit", "compare", honest, peer, "--charter", site.charter_path)
    assert (agreed.code, "they agree" in agreed.out) == (VERIFIED, True)
    cut = spoilt(honest, tmp_path, CUT)
    compared = run("audit", "compare", cut, peer, "--charter", site.charter_path)
    assert (compared.code, compared.out) == (TAMPERED, "")
    assert "entries 3 to 3 are missing" in compared.err
    assert "nothing was compared" in compared.err


def test_what_is_no_record_of_the_party_is_not_read_as_one(run: Run, site: Site, peer: Path, tmp_path: Path) -> None:
    """Two files given in the wrong order would be called tampered with (docs/protocol.md 13.18)."""
    odd = make(site, tmp_path / "store", [VOUCHED, Record("peer.log", {})])
    compared = run("audit", "compare", peer, odd, "--charter", site.charter_path)
    assert (compared.code, "in this order" in compared.err) == (UNDECIDED, True)
