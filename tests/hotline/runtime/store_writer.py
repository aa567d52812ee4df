"""A process that commits one statement after the other and says which are durable: run as `python -m ... FOLDER COUNT`.

With `--synchronous OFF` or `NORMAL` it commits without waiting for the disk: the controls that show that the tests can
see a loss. With `--size N` no file may grow past N bytes: a full disk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from hotline.crypto.signing import SigningKey
from hotline.errors import StorageError
from hotline.ledger.log import Ledger
from hotline.ledger.tree import Frontier
from hotline.machine import Instant, Output, Put, Record
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.store import EndpointStore

BASE = "hotline.example/ALPHA/main"
KEY = SigningKey(b"s" * 32)


def make_ledger(epoch: int, frontier: Frontier, last_timestamp_ms: int) -> Ledger:
    """The ledger of this test's terminal."""
    ledger = Ledger(BASE, KEY, epoch, frontier, last_timestamp_ms, os.urandom)
    ledger.signing = True
    return ledger


def open_store(folder: Path) -> EndpointStore:
    """The store in `folder`, opened as a daemon opens it."""
    return EndpointStore(folder, make_ledger, ContentKeys(folder / "keys", b"k" * 32))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[EndpointStore]:
    """The store, closed at the end as a daemon's stop closes it."""
    store = open_store(folder)
    try:
        yield store
    finally:
        store.close()


def statement(serial: int) -> Output:
    """What a step decides when statement `serial` is accepted."""
    row = {"plane": "real", "serial": serial, "content": b"c" * 400, "signature": b"s" * 64, "hash": bytes(32)}
    return Output(
        records=[Record("submitted", {"serial": serial})],
        changes=[Put("sent", row), Put("counter", {"name": "serial", "value": serial})],
    )


def stored_serial(store: EndpointStore) -> int:
    """The last serial in the store, after checking that tables and ledger tell the same."""
    counter = [row["value"] for row in store.rows("counter")]
    last = counter[0] if counter else 0
    assert isinstance(last, int)
    assert store.head().size == last, "ledger and tables disagree"
    assert [row[0] for row in store.query("SELECT serial FROM sent ORDER BY serial", ())] == list(range(1, last + 1))
    return last


def main() -> None:
    """Commit, say so, go on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--synchronous", choices=("FULL", "NORMAL", "OFF"), default="FULL")
    parser.add_argument("--size", type=int)
    given = parser.parse_args()
    if given.size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (given.size, given.size))
    store = open_store(given.folder)
    store._writer.execute(f"PRAGMA synchronous={given.synchronous}")
    first = store.head().size + 1
    os.write(1, b"ready\n")
    for serial in range(first, first + given.count):
        try:
            store.commit([statement(serial)], Instant(serial, 1_700_000_000_000 + serial))
        except StorageError:
            os.write(1, b"storage-error\n")
            return
        os.write(1, b"ack %d\n" % serial)
    os.write(1, b"done\n")


if __name__ == "__main__":
    main()
