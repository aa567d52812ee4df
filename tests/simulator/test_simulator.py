"""Twenty storms, each judged; the same seed gives the same history; and planted faults that the judges must see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from hotline.drill.simulator.power import Node
from hotline.errors import NotOpened, Untrusted
from hotline.machine import Output
from hotline.protocol.answers import Answers
from hotline.protocol.inbox import Inbox, Verdict
from hotline.protocol.outbox import Outbox
from hotline.protocol.receiving import Receiving
from hotline.protocol.sending import Sending
from hotline.protocol.session import KeyRequested, Session
from tests.simulator.run import run_seed


@pytest.mark.parametrize("seed", range(20))
def test_no_judge_complains(seed: int) -> None:
    """A statement would be lost, shown twice, forged or out of order when the weather is bad enough."""
    # docs/protocol.md 1.1 and 1.5
    result = run_seed(seed, idle_hour=seed == 3)
    assert not result.broken, f"seed {seed}: {result.broken}"
    assert result.accepted > 20


def test_the_same_seed_gives_the_same_history() -> None:
    """A failing seed could not be looked at again, and nobody could check our claim."""
    digests = set()
    for hash_seed in ("0", "4242"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from tests.simulator.run import run_seed; print(run_seed(7, storm_ms=60_000).digest)",
            ],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64


# --- mutants: each is a fault somebody could make; a judge must complain within a few seeds --------------------------


def _no_repeat(self: Sending, plane: Any, item: Any, now: Any) -> None:
    """Statements are never repeated."""


def _everything_new(self: Inbox, serial: int, statement: bytes) -> Verdict:
    return Verdict.NEW


def _any_order(self: Inbox, serial: int, ahead: Any) -> list[int]:
    self.ahead[serial] = ahead
    self._recent[serial] = ahead.hash
    while self.through + 1 in self.ahead:
        self.through += 1
        del self.ahead[self.through]
        self._released.append(self.through)
    return [serial]


def _never_asks(self: Session, unknown_epoch: bytes, now: Any) -> None:
    return None


def _obeys_nothing(self: Session, envelope: bytes, now: Any) -> KeyRequested:
    return KeyRequested([], b"", False)


def _drop_on_custody(self: Outbox, name: bytes, relay: str) -> None:
    item = self.pending.get(self._by_envelope.get(name, 0))
    if item is not None:
        self.remove(item.serial, 0)


def _act_before_commit(self: Node, event: Any) -> None:
    if not self.up:
        return
    output = self.step(event)
    self.transmit(output.express)
    self._perform([output])
    if output.durable:
        self._waiting.append(Output(records=output.records, changes=output.changes))
        self._begin_commit()
    self._arm()


def _no_conflict(self: Answers, plane: Any, receipt: Any, name: Any, now: Any) -> None:
    """Serials given out twice are not mended."""


def _never_again(self: Answers, plane: Any, after: int, now: Any) -> None:
    """What the peer lost is not offered again."""


def _read_once(self: Receiving, now: Any) -> None:
    """READ receipts are not sent, nor is anything waited for."""
    for item in self._ctx.reads.due(now.mono):
        item.retry_at = None


def _forgets_to_expire(self: Sending, plane: Any, item: Any, now: Any) -> None:
    """An expired statement leaves a hole in the sequence."""
    self._ctx.outboxes[plane].remove(item.serial, now.mono)


MUTANTS: list[tuple[str, type, str, Callable[..., Any]]] = [
    ("statements are not repeated", Sending, "_repeat", _no_repeat),
    ("repeats are shown again", Inbox, "judge", _everything_new),
    ("statements are shown in any order", Inbox, "accept", _any_order),
    ("nobody asks for a key", Session, "key_request", _never_asks),
    ("key requests are ignored", Session, "read_key_request", _obeys_nothing),
    ("custody counts as delivery", Outbox, "in_custody", _drop_on_custody),
    ("frames leave before the commit", Node, "post", _act_before_commit),
    ("serials given out twice stay", Answers, "conflict", _no_conflict),
    ("what a restored peer lost stays lost", Answers, "offer_again", _never_again),
    ("READ receipts are not repeated", Receiving, "due", _read_once),
    ("an expired statement leaves a hole", Sending, "_expire", _forgets_to_expire),
]

# Seeds whose storms hold a restore, a crash or a partition early enough to bring a fault to light.
_SEEDS = (3, 0, 4, 45, 43, 107, 131, 39, 5, 8)


@pytest.mark.parametrize(("name", "where", "method", "mutant"), MUTANTS, ids=[name for name, *_ in MUTANTS])
def test_a_planted_fault_is_seen(name: str, where: type, method: str, mutant: Callable[..., Any]) -> None:
    """Judges that cannot see this fault would let a real one pass."""
    with patch.object(where, method, mutant):
        for seed in _SEEDS:
            try:
                if run_seed(seed, storm_ms=120_000, calm_ms=0).broken:
                    return
            except (AssertionError, KeyError, NotOpened, Untrusted):
                return
    pytest.fail(f"no judge complained: {name}")
