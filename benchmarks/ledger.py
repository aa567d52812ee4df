"""The ledger measured by itself: what an append, a proof, a check and a witness cost, and whether size matters."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hotline.crypto.signing import SigningKey
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.log import Ledger
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Note, parse_note
from hotline.ledger.policy import parse_policy, policy_text
from hotline.ledger.proof import make_proof, verify_cosigned
from hotline.ledger.tree import Frontier, consistency_proof, leaf_hash
from hotline.ledger.verify import Outcome, verify_log
from hotline.ledger.witness import AddCheckpoint, Witness
from hotline.machine import Instant, Output, Private, Record
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.recordfiles import open_record
from hotline.runtime.store import EndpointStore
from relay.witness import WitnessService, WitnessStore

BASE, KEY = "hotline/bench/ALPHA/main", SigningKey(b"b" * 32)
ORIGIN = f"{BASE}/1"
SMALL, LARGE, BATCH = 10_000, 1_000_000, 500
ONE_BY_ONE = 400
PROOFS = 200
WITNESSED = 600


def _make(epoch: int, frontier: Frontier, last_ms: int) -> Ledger:
    ledger = Ledger(BASE, KEY, epoch, frontier, last_ms, os.urandom)
    ledger.signing = True
    return ledger


@contextmanager
def _store(folder: Path) -> Iterator[EndpointStore]:
    store = EndpointStore(folder, _make, ContentKeys(folder / "keys", b"k" * 32))
    try:
        yield store
    finally:
        store.close()


def _record(number: int) -> Record:
    """An entry of the size of those that a statement leaves."""
    name = f"{number:064x}"
    return Record("msg.delivered", {"plane": "real", "serials": str(number), "receipt": name, "peer_root": name})


def _said(number: int) -> Record:
    """An entry with private values, as a statement leaves one at each end."""
    private = {"body": Private(b"x" * 1_024), "drafter": Private(b"duty-1"), "precedence": Private(b"FLASH")}
    return Record("msg.recv", {"plane": "real", "serial": number, "statement": f"{number:064x}"}, private)


def _p50(times: list[float]) -> float:
    return round(statistics.median(times) * 1_000, 4)


def _timed(work: Callable[[], Any], times: int) -> float:
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return _p50(spent)


def _disk(folder: Path) -> Callable[[], None]:
    """One write into a file that has its size, and one fdatasync: what any durable append must cost."""
    descriptor = os.open(folder / "floor", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(descriptor, bytes(1 << 20))
    os.fsync(descriptor)

    def write() -> None:
        os.pwrite(descriptor, bytes(512), 4_096)
        os.fdatasync(descriptor)

    return write


def _append(store: EndpointStore, make: Callable[[int], Record]) -> Callable[[], None]:
    def append() -> None:
        store.commit([Output(records=[make(store.head().size)])], Instant(0, time.time_ns() // 1_000_000))

    return append


def _fill(store: EndpointStore, size: int) -> float:
    """Entries per second while a log is filled in large transactions."""
    begun, first = time.perf_counter(), store.head().size
    while store.head().size < size:
        start = store.head().size
        records = [_record(start + offset) for offset in range(min(BATCH, size - start))]
        store.commit([Output(records=records)], Instant(0, time.time_ns() // 1_000_000))
    return round((size - first) / (time.perf_counter() - begun))


def _open(folder: Path) -> float:
    def work() -> None:
        with _store(folder):
            pass

    return _timed(work, 15)


def _proofs(folder: Path) -> dict[str, float]:
    """Making and checking a proof of one entry, at the size that the log has, with four cosignatures."""
    witnesses = [Ed25519Cosigner(f"witness.example/w{n}", SigningKey(bytes([n] * 32))) for n in range(1, 5)]
    named = "".join(f"witness w{n} {one.verifier.vkey()}\n" for n, one in enumerate(witnesses, 1))
    text = policy_text([Ed25519Verifier(ORIGIN, KEY.public)], named + "group most 3 w1 w2 w3 w4\nquorum most\n")
    policy = parse_policy(text.encode())
    with open_record(folder) as (log,):
        assert log.read is not None
        note = parse_note(log.notes[-1])
        size = int(note.text.split(b"\n")[1])
        whole = Note(note.text, (*note.signatures, *(one.cosign(note.text, 1) for one in witnesses))).encode()
        leaves = dict(zip(range(PROOFS), log.leaves(), strict=False))
        made = []
        making = []
        for index in range(PROOFS):
            begun = time.perf_counter()
            made.append(make_proof(index, whole, log.read).encode())
            making.append(time.perf_counter() - begun)
        checking = []
        for index, proof in enumerate(made):
            begun = time.perf_counter()
            verify_cosigned(proof, leaves[index], policy)
            checking.append(time.perf_counter() - begun)
        bare = make_proof(size // 3, log.notes[-1], log.read).encode()
    return {
        "proof_make_ms_p50": _p50(making),
        "proof_check_ms_p50": _p50(checking),
        "proof_bytes_bare": len(bare),
        "proof_bytes_four_cosignatures": len(made[-1]),
    }


def _check(folder: Path) -> float:
    """Seconds for the full check of a log, as `hotline audit verify` makes it."""
    with open_record(folder) as (log,):
        begun = time.perf_counter()
        verdict = verify_log(
            log.leaves(), log.notes[-1], Ed25519Verifier(ORIGIN, KEY.public), log.hashes.get, log.notes
        )
        assert verdict.outcome is Outcome.VERIFIED, verdict.text
        return round(time.perf_counter() - begun, 2)


def _witness(folder: Path) -> float:
    """Requests per second that one witness judges, stores and cosigns."""
    frontier, nodes, heads = Frontier(), {}, []
    for number in range(WITNESSED + 1):
        nodes.update({(node.level, node.position): node.hash for node in frontier.append(leaf_hash(b"%d" % number))})
        heads.append(Checkpoint(ORIGIN, frontier.size, frontier.root()))
    signer, requests = Ed25519Signer(ORIGIN, KEY), []
    for old, new in itertools.pairwise(heads):
        proof = consistency_proof(old.size, new.size, lambda level, position: nodes[level, position])
        requests.append(AddCheckpoint(old.size, tuple(proof), sign_checkpoint(new, signer)).encode())
    store = WitnessStore(folder)
    cosigner = Ed25519Cosigner("witness.example/w1", SigningKey(b"w" * 32))
    service = WitnessService(Witness(lambda _: Ed25519Verifier(ORIGIN, KEY.public), [cosigner]), store)
    service.add_checkpoint(AddCheckpoint(0, (), sign_checkpoint(heads[0], signer)).encode())
    begun = time.perf_counter()
    answers = {service.add_checkpoint(request)[0] for request in requests}
    spent = time.perf_counter() - begun
    store.close()
    assert answers == {200}
    return round(len(requests) / spent)


def measure(folder: Path) -> dict[str, Any]:
    """Everything under the key `ledger` of build/bench.json."""
    log = folder / "log"
    write = _disk(folder)
    floor: list[float] = []
    small: list[float] = []
    with _store(log) as store:
        _fill(store, SMALL)
        for _ in range(5):
            floor.append(_timed(write, ONE_BY_ONE // 5))
            small.append(_timed(_append(store, _record), ONE_BY_ONE // 5))
        private = _timed(_append(store, _said), ONE_BY_ONE)
    opened_small, proofs_small = _open(log), _proofs(log)
    with _store(log) as store:
        rate = _fill(store, LARGE)
        os.sync()
        _timed(_append(store, _record), 50)
        large = []
        for _ in range(5):
            floor.append(_timed(write, ONE_BY_ONE // 5))
            large.append(_timed(_append(store, _record), ONE_BY_ONE // 5))
    opened, proofs = _open(log), _proofs(log)
    p50, disk = statistics.median(small), statistics.median(floor)
    return {
        "fdatasync_ms_p50": round(disk, 4),
        "append_ms_p50": round(p50, 4),
        "append_ratio": round(p50 / disk, 2),
        "append_private_ms_p50": private,
        "append_growth": round(statistics.median(large) / p50, 2),
        "grouped_per_second": rate,
        "open_ms_p50": opened,
        "open_growth": round(opened / opened_small, 2),
        **proofs,
        "proof_growth": round(proofs["proof_make_ms_p50"] / proofs_small["proof_make_ms_p50"], 2),
        "check_all_seconds": _check(log),
        "entries": LARGE,
        "witness_per_second": _witness(folder / "witness"),
    }
