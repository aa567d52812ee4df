"""What a release by officers costs: a statement from its draft to DELIVERED, beside one that is sent, in turn.

`python -m benchmarks.release` measures this alone, in some seconds.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.product import TEXT, Product
from hotline.charter.body import ReleaseEntry
from hotline.crypto.signing import SigningKey
from hotline.crypto.vault import open_secret
from hotline.machine import Plane, Reply, RequestId
from hotline.protocol.events import MakeDraft, ReleaseDraft, SignDraft, Submit
from hotline.protocol.release import sign_release
from hotline.runtime.logs import set_up_logs
from hotline.wire.codec import decode
from hotline.wire.v1 import content_pb2, operator_pb2

ROUNDS = 5
PINGS = 20
SIGNERS: Final = (("duty-1", content_pb2.ROLE_DRAFTER), ("release-1", content_pb2.ROLE_RELEASER))
_FLASH_BY_TWO: Final = ReleaseEntry(plane="real", precedence="flash", roles=("drafter", "releaser"))
_WAIT_SECONDS: Final = 20.0


class Desk:
    """Officers at ALPHA's terminal; every step waits until it is durable, as their commands do."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._keys = {name: self._key(name) for name, _ in SIGNERS}

    def _key(self, name: str) -> SigningKey:
        path = self._product.stage.alpha.folder / f"ALPHA.{name}.officer.key"
        return SigningKey(open_secret(path.read_bytes(), "officer", None)[1])

    async def say(self, signers: Sequence[tuple[str, content_pb2.Role.ValueType]]) -> tuple[float, float]:
        """Milliseconds from the draft to DELIVERED, and from the release to DELIVERED."""
        product, ask = self._product, self._product.daemon.driver.ask
        begun = time.perf_counter()
        made = _done(await ask(lambda request: MakeDraft(request, 0, _said(request))))
        draft = decode(operator_pb2.Draft, bytes(made.fields["draft"]), 131_072)  # type: ignore[arg-type]
        statement = decode(content_pb2.Statement, draft.content, 131_072)
        number, charter = draft.number, product.daemon.endpoint.context.setup.charter
        for name, role in signers:
            at = time.time_ns() // 1_000_000
            signature = sign_release(self._keys[name], Plane.REAL, charter, statement, name, role, at)
            _done(await ask(lambda request, signature=signature: SignDraft(request, number, signature)))  # type: ignore[misc]
        delivered = product.expect()
        released = time.perf_counter()
        _done(await ask(lambda request: ReleaseDraft(request, "duty-1", number)))
        end = await asyncio.wait_for(delivered, _WAIT_SECONDS)
        return (end - begun) * 1_000, (end - released) * 1_000


def _said(request: RequestId) -> Submit:
    routine, ltr = content_pb2.PRECEDENCE_ROUTINE, content_pb2.DIRECTION_LTR
    return Submit(request, Plane.REAL, routine, "en", ltr, TEXT, "duty-1")


def _done(reply: Reply) -> Reply:
    assert reply.ok, reply.text
    return reply


async def measure(folder: Path) -> dict[str, Any]:
    """Medians: milliseconds, what is added to the plain send just before, and the ratio. ROUTINE needs no signature."""
    plain: list[float] = []
    unsigned: list[tuple[float, float]] = []
    signed: list[tuple[float, float]] = []
    async with Product(folder, 1, release=[_FLASH_BY_TWO]) as product:
        desk = Desk(product)
        for _ in range(ROUNDS):
            await product.latency(5)
            for _ in range(PINGS):
                plain += await product.latency(1)
                unsigned.append(await desk.say(()))
                signed.append(await desk.say(SIGNERS))
    base = statistics.median(plain)
    found: dict[str, Any] = {"plain_ms_p50": round(base, 3)}
    for name, taken in (("unsigned", unsigned), ("by_two", signed)):
        for at, what in enumerate(("draft", "release")):
            middle = statistics.median(one[at] for one in taken)
            found[f"{what}_to_delivered_{name}_ms_p50"] = round(middle, 3)
            found[f"{what}_to_delivered_{name}_added_ms"] = round(
                statistics.median(one[at] - sent for one, sent in zip(taken, plain, strict=True)), 3
            )
            found[f"{what}_to_delivered_{name}_ratio"] = round(middle / base, 2)
    return found


def main() -> int:
    """Measure and print."""
    set_up_logs("error", "json")
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as name:
        found = asyncio.run(measure(Path(name) / "release"))
    for key, value in found.items():
        print(f"{key:48}{value:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
