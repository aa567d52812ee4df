"""Attacks on a real record, made by real daemons, and who notices: its own check, the peer's ledger, a witness.

The store is copied for each attack. A thief has the terminal's ledger key and may write every file of it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hotline.charter.model import load_charter
from hotline.charter.secrets import TerminalSecret, decode_secret
from hotline.crypto.signing import SigningKey
from hotline.drill.stage import Stage, operator, paths_up, short_folder, status_of, wait_until
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.ledger.witness import AddCheckpoint, Status
from hotline.runtime.recordfiles import open_record
from hotline.runtime.witnesses import WitnessClient
from hotline.wire.v1 import operator_pb2
from tests.process.conftest import program
from tests.schemas import printed

pytestmark = pytest.mark.process

SAID = "The exercise at the northern sector ends on Friday."
PRIVATE = (SAID, "BRAVO heard it.", "duty-1", "duty-2")
DONE, TAMPERED, UNDECIDED = 0, 6, 10
LONG = 60.0
"""Seconds: heads are exchanged every ten, and this machine may be busy."""


@dataclass
class Site:
    """A hotline that has spoken and stopped; its witnesses still answer."""

    stage: Stage
    old: Path
    """ALPHA's store as it was before its last statements, with a lawful head of its own."""

    @property
    def folder(self) -> Path:
        return self.stage.folder


def say(stage: Stage, text: str) -> None:
    with operator(stage.alpha) as stub:
        request = operator_pb2.SubmitRequest(precedence=3, language="en", direction=1, text=text)
        serial = stub.Submit(request).serial
    with operator(stage.bravo) as stub:
        wait_until(
            lambda: bool(stub.ListStatements(operator_pb2.ListStatementsRequest(serial=serial)).statement), text, LONG
        )


def copy_store(source: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    shutil.copytree(source / "keys", target / "keys")
    with (
        closing(sqlite3.connect(source / "ledger.db")) as database,
        closing(sqlite3.connect(target / "ledger.db")) as copy,
    ):
        database.backup(copy)
    (target / "ledger.db").chmod(0o600)
    return target


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    folder = short_folder()
    try:
        with Stage(folder, relays=1, witnesses=1) as stage:
            stage.start_witness(stage.witnesses[0])
            stage.start_relay(stage.relays[0])
            for terminal in (stage.alpha, stage.bravo):
                stage.start_endpoint(terminal)
            wait_until(lambda: paths_up(stage.alpha) == paths_up(stage.bravo) == 1, "both to hear each other", LONG)
            say(stage, SAID)
            old = copy_store(stage.alpha.folder / "store", folder / "old")
            say(stage, "And it begins again on Monday.")
            with operator(stage.bravo) as stub:
                stub.Read(operator_pb2.ReadRequest(serial=1))
            with operator(stage.bravo) as stub:
                stub.Submit(
                    operator_pb2.SubmitRequest(precedence=1, language="en", direction=1, text="BRAVO heard it.")
                )
            size = status_of(stage.alpha)["ledger"]["size"]
            for what in ("witnessed", "peer_cosigned"):
                wait_until(lambda what=what: status_of(stage.alpha)["ledger"][what] >= size, f"all to be {what}", LONG)  # type: ignore[misc]
            say(stage, "Said after the last exchange of heads.")
            for terminal in (stage.alpha, stage.bravo):
                stage.stop(terminal.party)
            yield Site(stage, old)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def store(site: Site, tmp_path: Path) -> Path:
    """A copy of ALPHA's store, to be spoilt. No ratchet file beside it."""
    return copy_store(site.stage.alpha.folder / "store", tmp_path / "store")


def hotline(*arguments: object) -> tuple[int, str]:
    ran = program("hotline", *arguments)
    if "--json" in arguments:
        printed(ran.stdout)
    return ran.returncode, ran.stdout + ran.stderr


def own(site: Site, store: Path) -> tuple[int, dict[str, Any]]:
    """The record's own check."""
    charter = site.stage.rehearsal.charter
    code, said = hotline("audit", "verify", "--store", store, "--charter", charter, "--party", "ALPHA", "--json")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return code, found


def peer(site: Site, store: Path) -> tuple[int, list[str]]:
    """Held against BRAVO's record: the kinds of contradiction, in order."""
    bravo = site.stage.bravo.folder / "store"
    code, said = hotline("audit", "compare", store, bravo, "--charter", site.stage.rehearsal.charter, "--json")
    return code, [json.loads(line)["kind"] for line in said.splitlines() if line.startswith("{")]


def witness(site: Site, store: Path) -> int:
    """What the witness answers to the newest head of this store, with whatever proof it can make."""
    with open_record(store) as (log,):
        note = log.notes[-1]
        size = int(note.split(b"\n")[1])
        client = WitnessClient(f"http://{site.stage.witnesses[0].address}")
        held = client.latest(note.split(b"\n")[0].decode())
        old = int(held.split(b"\n")[1])
        proof: list[bytes] = []
        if 0 < old < size and log.read is not None:
            from hotline.ledger.tree import consistency_proof

            proof = consistency_proof(old, size, log.read)
        return client.add_checkpoint(AddCheckpoint(min(old, size), tuple(proof), note).encode()).status


def alter(store: Path, *statements: str) -> None:
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        database.executescript("DROP TRIGGER entry_keep_1; DROP TRIGGER entry_hold_1;" + ";".join(statements))


def rewrite(site: Site, store: Path, edit: Callable[[list[dict[str, Any]]], None]) -> None:
    """What a thief with the key does: change entries, rebuild the tree over them, and sign every head anew."""
    secret = decode_secret(TerminalSecret, (site.stage.alpha.folder / "terminal.key").read_bytes(), None)[1]
    key = SigningKey(secret.ledger)
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        rows = database.execute("SELECT leaf, note FROM entry ORDER BY seq").fetchall()
        leaves = [json.loads(leaf) for leaf, _ in rows]
        signed = {
            index: bytes(note).split(b"\n")[0].decode() for index, (_, note) in enumerate(rows) if note is not None
        }
        edit(leaves)
        database.executescript("DROP TRIGGER entry_keep_1; DROP TRIGGER entry_hold_1; DELETE FROM entry;")
        frontier = Frontier()
        for index, leaf in enumerate(leaves):
            leaf["seq"] = index
            data = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode()
            nodes = b"".join(node.hash for node in frontier.append(leaf_hash(data)))
            note = None
            if index in signed or index == len(leaves) - 1:
                origin = signed.get(index, "hotline/rehearsal/ALPHA/main/1")
                note = sign_checkpoint(Checkpoint(origin, frontier.size, frontier.root()), Ed25519Signer(origin, key))
            database.execute(
                "INSERT INTO entry (seq, leaf, nodes, note) VALUES (?, ?, ?, ?)", (index, data, nodes, note)
            )
        database.execute("DELETE FROM cosignature")  # they would convict at once
        database.commit()


def first(leaves: list[dict[str, Any]], kind: str) -> int:
    return next(index for index, leaf in enumerate(leaves) if leaf["type"] == kind)


# --- the honest record ------------------------------------------------------------------------------------------------


def test_the_honest_record_stands(site: Site, store: Path) -> None:
    """Every check below would cry wolf."""
    code, found = own(site, store)
    assert (code, found["outcome"]) == (DONE, "verified")
    assert {voucher["by"] for voucher in found["vouched"]} == {"BRAVO/main", "witness-1"}
    assert peer(site, store) == (DONE, [])
    assert witness(site, store) in (Status.OK, Status.CONFLICT)
    for terminal in (site.stage.alpha, site.stage.bravo):
        assert hotline("audit", "fsck", "--store", terminal.folder / "store", "--json")[0] == DONE


# --- the table of attacks: own check, peer, witness -------------------------------------------------------------------


def test_a_cut_tail(site: Site, store: Path) -> None:
    """The last words would be deniable. Own check: by the ratchet file only. Peer: yes."""
    alter(
        store,
        "DELETE FROM entry WHERE seq > (SELECT seq FROM entry WHERE note IS NOT NULL ORDER BY seq LIMIT 1 OFFSET 8)",
    )
    assert own(site, store)[0] in (DONE, TAMPERED)
    assert peer(site, store)[0] == TAMPERED
    shutil.copy(site.stage.alpha.folder / "store.ratchet", store.with_name("store.ratchet"))
    code, found = own(site, store)
    assert (code, found["kind"]) == (TAMPERED, "truncated")


def test_a_tail_cut_within_a_transaction(site: Site, store: Path) -> None:
    """An entry whose head is gone would pass as unsigned. Own check: yes."""
    alter(store, "DELETE FROM entry WHERE seq=(SELECT MAX(seq) FROM entry)")
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        (last,) = database.execute("SELECT MAX(seq) FROM entry").fetchone()
        (note,) = database.execute("SELECT note FROM entry WHERE seq=?", (last,)).fetchone()
    assert own(site, store)[0] == (DONE if note is not None else TAMPERED)
    assert peer(site, store)[0] in (DONE, TAMPERED)


def test_an_entry_deleted_from_the_middle(site: Site, store: Path) -> None:
    """One statement would be missing. Own check: yes, by its number. Peer: yes."""
    alter(store, "DELETE FROM entry WHERE seq=12")
    code, found = own(site, store)
    assert (code, found["first_bad"]) == (TAMPERED, 12)
    assert peer(site, store)[0] == TAMPERED


def test_a_leaf_altered_in_place(site: Site, store: Path) -> None:
    """One word would be another. Own check: yes, by its number."""
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        leaf = json.loads(database.execute("SELECT leaf FROM entry WHERE seq=10").fetchone()[0])
    leaf["rnd"] = "0" * 32
    data = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode().hex()
    alter(store, f"UPDATE entry SET leaf=x'{data}' WHERE seq=10")
    code, found = own(site, store)
    assert (code, found["first_bad"], found["kind"]) == (TAMPERED, 10, "altered")


def test_an_old_snapshot_with_its_own_good_signature(site: Site) -> None:
    """A restored backup would pass for the record. Own check: no. Peer: yes. Witness: yes."""
    assert own(site, site.old)[0] == DONE
    code, kinds = peer(site, site.old)
    assert code == TAMPERED
    assert "unsaid" in kinds
    assert witness(site, site.old) != Status.OK


def test_a_statement_rewritten_and_everything_signed_anew(site: Site, store: Path) -> None:
    """A thief with the key would put other words into our mouth. Own check: no. Peer: yes. Witness: yes."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        leaves[first(leaves, "msg.submit")]["commit"]["body"] = "0" * 64

    rewrite(site, store, edit)
    assert own(site, store)[0] == DONE
    code, kinds = peer(site, store)
    assert code == TAMPERED
    assert {"mismatch", "head"} <= set(kinds)
    assert witness(site, store) == Status.UNPROCESSABLE


def test_two_entries_exchanged_and_signed_anew(site: Site, store: Path) -> None:
    """The order of what was said would be another. Own check: no. Peer: yes. Witness: yes."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        one = first(leaves, "msg.submit")
        leaves[one], leaves[one + 1] = leaves[one + 1], leaves[one]
        leaves[one]["ts"], leaves[one + 1]["ts"] = leaves[one + 1]["ts"], leaves[one]["ts"]

    rewrite(site, store, edit)
    assert own(site, store)[0] == DONE
    assert peer(site, store) == (TAMPERED, ["head"] * len(peer(site, store)[1]))
    assert witness(site, store) == Status.UNPROCESSABLE


def test_a_statement_inserted_and_signed_anew(site: Site, store: Path) -> None:
    """Words would be made up that were never sent. Own check: no. Peer: yes. Witness: yes."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        made = json.loads(json.dumps(leaves[first(leaves, "msg.delivered")]))
        made["fields"]["serials"] = "77"
        leaves.insert(first(leaves, "msg.delivered") + 1, made)

    rewrite(site, store, edit)
    assert own(site, store)[0] == DONE
    assert "unreceived" in peer(site, store)[1]
    assert witness(site, store) == Status.UNPROCESSABLE


def test_a_statement_after_the_last_exchange_of_heads_rewritten(site: Site, store: Path) -> None:
    """What no head had covered yet would be deniable. Own check and witness: no. Peer: yes, by the statement."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        last = max(index for index, leaf in enumerate(leaves) if leaf["type"] == "msg.submit")
        leaves[last]["fields"]["statement"] = "0" * 64

    rewrite(site, store, edit)
    assert own(site, store)[0] == DONE
    code, kinds = peer(site, store)
    assert (code, kinds) == (TAMPERED, ["mismatch"])


def test_a_backdated_entry_at_the_end(site: Site, store: Path) -> None:
    """An order could be made to look older than the event that it answers. Own check: yes."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        leaves.append({**leaves[-1], "ts": "2026-01-01T00:00:00.000Z"})

    rewrite(site, store, edit)
    code, found = own(site, store)
    assert (code, found["kind"]) == (TAMPERED, "time")


def test_an_entry_behind_the_end_of_a_closed_log(site: Site, store: Path) -> None:
    """A key kept from a closed log would go on writing into it. Own check: yes."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        leaves.insert(len(leaves) - 1, {**leaves[-1], "type": "log.freeze", "fields": {"reason": "calendar"}})

    rewrite(site, store, edit)
    code, found = own(site, store)
    assert (code, found["kind"]) == (TAMPERED, "frozen")


def test_an_entry_of_another_log_epoch(site: Site, store: Path) -> None:
    """Entries could be carried from one log into another. Own check: yes."""

    def edit(leaves: list[dict[str, Any]]) -> None:
        leaves[5]["epoch"] = 2

    rewrite(site, store, edit)
    code, found = own(site, store)
    assert (code, found["kind"], found["first_bad"]) == (TAMPERED, "epoch", 5)


def test_a_cosignature_altered_or_moved(site: Site, store: Path) -> None:
    """A witness could be made to have said what it never said. Own check: yes."""
    with closing(sqlite3.connect(store / "ledger.db")) as database:
        rows = database.execute("SELECT size, line FROM cosignature WHERE name NOT LIKE 'hotline/%'").fetchall()
        database.execute("UPDATE cosignature SET size=(SELECT MIN(seq)+1 FROM entry WHERE note IS NOT NULL AND seq>8)")
        database.commit()
    assert rows
    code, found = own(site, store)
    assert (code, found["kind"]) == (TAMPERED, "cosignature")


def test_a_table_that_says_otherwise_than_the_ledger(site: Site, store: Path) -> None:
    """Officers would be shown something else than the record holds."""
    for sql in (
        "DELETE FROM sent WHERE serial=1",
        "UPDATE received SET hash=zeroblob(32)",
        "DELETE FROM sent_fact WHERE stage='read'",
        "INSERT INTO sent_fact VALUES ('real', 3, 'expired', 0, '', NULL)",
        "UPDATE counter SET value=0 WHERE name='through:real'",
        "DELETE FROM custody",
        "INSERT INTO unread VALUES ('real', 9, x'00')",
    ):
        copy = copy_store(store, store.with_name("spoilt"))
        with closing(sqlite3.connect(copy / "ledger.db")) as database:
            changed = database.execute(sql).rowcount
            database.commit()
        code, _ = hotline("audit", "fsck", "--store", copy, "--json")
        assert (code == TAMPERED) == bool(changed), sql
        shutil.rmtree(copy)


# --- what cannot be decided -------------------------------------------------------------------------------------------


def test_nothing_to_check_is_never_good(site: Site, store: Path, tmp_path: Path) -> None:
    """An empty, partial or foreign record would be called verified."""
    charter = site.stage.rehearsal.charter
    code, _ = hotline("audit", "verify", "--store", store, "--charter", charter, "--party", "BRAVO")
    assert code == UNDECIDED, "the other party's key"
    assert hotline("audit", "verify", "--store", tmp_path / "no", "--charter", charter, "--party", "ALPHA")[0] not in (
        0,
        6,
    )
    (tmp_path / "empty.db").write_bytes(b"")
    assert (
        hotline("audit", "verify", "--store", tmp_path / "empty.db", "--charter", charter, "--party", "ALPHA")[0] != 0
    )
    bravo = site.stage.bravo.folder / "store"
    code, said = hotline("audit", "compare", bravo, store, "--charter", charter)
    assert (code, "in this order" in said) == (UNDECIDED, True), "exchanged by mistake: nobody is accused"
    assert hotline("audit", "export", "--store", store, "--tiles", tmp_path)[0] == 1
    export = tmp_path / "export"
    assert hotline("audit", "export", "--store", store, "--tiles", export)[0] == 0
    assert own(site, export)[0] == DONE
    assert peer(site, export) == (DONE, [])
    (bundle,) = (export / "1/tile/entries").glob("000.p/*")
    data = bundle.read_bytes()
    bundle.write_bytes(data[:-1])
    assert hotline("audit", "verify", "--store", export, "--charter", charter, "--party", "ALPHA")[0] == UNDECIDED
    bundle.unlink()
    assert hotline("audit", "verify", "--store", export, "--charter", charter, "--party", "ALPHA")[0] == UNDECIDED
    altered = bytearray(data)
    altered[data.index(b'"rnd":"') + 8] ^= 1
    bundle.write_bytes(bytes(altered))
    assert hotline("audit", "verify", "--store", export, "--charter", charter, "--party", "ALPHA")[0] == TAMPERED


# --- one entry for a third party --------------------------------------------------------------------------------------


def test_one_entry_is_proved_disclosed_and_checked_by_others(site: Site, tmp_path: Path) -> None:
    """A capital could not show one statement without showing all, or could show one that was never made."""
    stage = site.stage
    policy = tmp_path / "policy.txt"
    policy.write_text(hotline("charter", "policy", stage.rehearsal.charter)[1])
    with open_record(stage.alpha.folder / "store") as (log,):
        seq = next(index for index, leaf in enumerate(log.leaves()) if b'"type":"msg.submit"' in leaf)
    config, case = stage.alpha.config, tmp_path / "case"
    assert hotline("audit", "disclose", seq, "--fields", "body", "--config", config, "--out", case)[0] == DONE
    files = [case / f"1-{seq}.{kind}" for kind in ("leaf", "tlog-proof", "opening")]
    arguments = ["--policy", policy, "--leaf", files[0], "--opening", files[2], files[1], "--json"]
    code, said = hotline("audit", "verify-proof", *arguments)
    assert (code, json.loads(said)["opened"]) == (DONE, {"body": SAID})
    assert "duty-1" not in files[2].read_text()
    files[2].write_text(files[2].read_text().replace("Friday", "Sunday"))
    assert hotline("audit", "verify-proof", *arguments)[0] == TAMPERED
    policy.write_text(policy.read_text().replace("log hotline/rehearsal/ALPHA", "# log hotline/rehearsal/ALPHA"))
    assert hotline("audit", "verify-proof", *arguments)[0] == UNDECIDED
    charter = load_charter(stage.rehearsal.charter.read_bytes())
    assert "quorum" in charter.witnesses_text
    with closing(sqlite3.connect(stage.alpha.folder / "store" / "ledger.db")) as database:
        kinds = [row[0] for row in database.execute("SELECT kind FROM audit_request")]
    assert "disclose" in kinds


def test_two_forms_of_one_log_convict_it(site: Site, store: Path, tmp_path: Path) -> None:
    """A split view would be known and could not be shown to anybody."""
    policy = tmp_path / "policy.txt"
    policy.write_text(hotline("charter", "policy", site.stage.rehearsal.charter)[1])

    def edit(leaves: list[dict[str, Any]]) -> None:
        leaves[first(leaves, "msg.submit")]["commit"]["body"] = "0" * 64

    with open_record(store) as (log,):
        (tmp_path / "one").write_bytes(log.notes[-1])
    rewrite(site, store, edit)
    with open_record(store) as (log,):
        (tmp_path / "other").write_bytes(log.notes[-1])
    arguments = ("audit", "conviction", tmp_path / "one", tmp_path / "other", "--policy", policy, "--json")
    code, said = hotline(*arguments)
    assert (code, json.loads(said)["kind"]) == (TAMPERED, "FORK-SIZE")
    code, said = hotline("audit", "conviction", tmp_path / "one", tmp_path / "one", "--policy", policy, "--json")
    assert (code, json.loads(said)["kind"]) == (DONE, None)
    (tmp_path / "other").write_bytes(b"nothing")
    assert hotline(*arguments)[0] == UNDECIDED


# --- who learns what --------------------------------------------------------------------------------------------------


def test_relay_and_witness_hold_no_word_of_it(site: Site) -> None:
    """Whoever takes a relay or a witness would read what was said, or who was on duty (docs/protocol.md 1.3)."""
    stage = site.stage
    folders = [stage.relays[0].folder / "store", stage.witnesses[0].folder / "store"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        data = path.read_bytes()
        assert not [word for word in PRIVATE if word.encode() in data], path


def test_the_record_at_rest_holds_no_word_of_it(site: Site) -> None:
    """A stolen disk, or an old backup of it, would tell what was to be destroyed."""
    for name in ("ledger.db", "ledger.db-wal"):
        path = site.stage.alpha.folder / "store" / name
        data = path.read_bytes() if path.exists() else b""
        assert SAID.encode() not in data
        assert b"BRAVO heard it." not in data


# --- last: it starts daemons again ------------------------------------------------------------------------------------


def test_a_restored_terminal_begins_a_new_log_and_goes_on(site: Site) -> None:
    """An honest mistake would convict its capital, or stop the line until somebody comes."""
    stage = site.stage
    live = stage.alpha.folder / "store"
    shutil.rmtree(live)
    copy_store(site.old, live)
    (stage.alpha.folder / "store.ratchet").unlink()
    for terminal in (stage.alpha, stage.bravo):
        stage.start_endpoint(terminal)
    wait_until(lambda: status_of(stage.alpha).get("ledger", {}).get("log_epoch") == 2, "a new log", LONG)
    wait_until(lambda: bool(status_of(stage.alpha)["ledger"]["vouched"]), "somebody to vouch for it", LONG)
    say(stage, "The line goes on.")
    wait_until(lambda: status_of(stage.bravo)["ledger"]["peer_log_epoch"] == 2, "BRAVO to know of it", LONG)
    ratchet = stage.alpha.folder / "store.ratchet"
    wait_until(lambda: ratchet.exists() and b"/2\n" in ratchet.read_bytes(), "the ratchet to follow", LONG)
    for terminal in (stage.alpha, stage.bravo):
        stage.stop(terminal.party)
    code, found = own(site, live)
    assert (code, found["log_epoch"], found["outcome"]) == (DONE, 2, "verified")
    assert peer(site, live) == (DONE, [])
    cut = copy_store(live, site.folder / "cut")
    with closing(sqlite3.connect(cut / "ledger.db")) as database:
        lost = "(SELECT seq FROM entry_1 WHERE note IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET 1)"
        database.executescript(f"DROP TRIGGER entry_hold_1; DELETE FROM entry_1 WHERE seq > {lost}")
    code, found = own(site, cut)
    assert (code, found["kind"]) == (TAMPERED, "chain"), "the new log says how the old one ended"
    # And once more: now the ratchet alone knows, and the peer is silent.
    shutil.rmtree(live)
    copy_store(site.old, live)
    stage.start_endpoint(stage.alpha)
    wait_until(lambda: status_of(stage.alpha).get("ledger", {}).get("log_epoch") == 3, "the ratchet to be obeyed", LONG)
    stage.stop("ALPHA")
