"""What makes virtual time faster and changes nothing in it; and how fast it went, for each kind of timers apart."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Final
from unittest.mock import patch

from nacl.bindings import crypto_sign, crypto_sign_open

from hotline.charter import cards
from hotline.crypto.identity import verify_composite
from hotline.crypto.sealing import derive_message_key, next_chain_key
from hotline.crypto.signing import check_public_key
from hotline.crypto.tls import check_certificate
from hotline.ledger.note import parse_note
from hotline.protocol.heads import open_head, place_of
from tests.simulator.timers import LIGHT, SHARES

_ONCE: Final = {
    "hotline.charter.documents.verify_composite": verify_composite,
    "hotline.charter.cards.check_public_key": check_public_key,
    "hotline.charter.model.check_certificate": check_certificate,
    "hotline.charter.model.open_terminal_card": cards.open_terminal_card,
    "hotline.charter.model.open_officer_card": cards.open_officer_card,
    "hotline.charter.model.open_relay_card": cards.open_relay_card,
    "hotline.charter.model.identity_key": cards.identity_key,
}
"""What charters are read with: each says the same of the same bytes, and only what held is remembered."""
_TWICE: Final = {
    "hotline.crypto.epochs.derive_message_key": derive_message_key,
    "hotline.crypto.epochs.next_chain_key": next_chain_key,
    "hotline.protocol.heads.place_of": place_of,
    "hotline.protocol.ownlog.open_head": open_head,
    "hotline.protocol.ownlog.parse_note": parse_note,
    "hotline.protocol.peerlog.open_head": open_head,
    "hotline.protocol.peerlog.parse_note": parse_note,
    "hotline.protocol.peerlog.place_of": place_of,
}
"""What both ends of a line compute of the same bytes, one soon after the other."""
_REMEMBERED: Final = {
    **{where: lru_cache(maxsize=4_096)(what) for where, what in _ONCE.items()},
    **{where: lru_cache(maxsize=256)(what) for where, what in _TWICE.items()},
}


@contextmanager
def read_once() -> Iterator[None]:
    """Cards and signatures of charters that were read before hold without being computed again; and what both ends do.

    A schedule's charters are signed, amended and loaded a dozen times over, of which the officers' cards are the same
    in all schedules.
    """
    with ExitStack() as patches:
        for where, what in _REMEMBERED.items():
            patches.enter_context(patch(where, what))
        yield


@contextmanager
def hastened() -> Iterator[None]:
    """Signatures that were made in here hold without being computed again.

    Ed25519 signatures by one key over one message are the same bytes each time and do hold: only what was not made in
    here, forged or altered, need go to the verifier.
    """
    made: set[tuple[bytes, bytes]] = set()

    def sign(message: bytes, secret: bytes) -> bytes:
        signed = crypto_sign(message, secret)
        made.add((secret[32:], signed))
        return signed

    def look(signed: bytes, public: bytes) -> bytes:
        return signed[64:] if (public, signed) in made else crypto_sign_open(signed, public)

    with patch("hotline.crypto.signing.crypto_sign", sign), patch("hotline.crypto.signing.crypto_sign_open", look):
        yield


@contextmanager
def unswept() -> Iterator[None]:
    """No garbage is looked for while a world lives: it is made of few cycles, and gone with its seed."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
            gc.collect()


class Paces:
    """Virtual time, steps of machines and CPU time of a campaign."""

    def __init__(self) -> None:
        self.seeds: Counter[str] = Counter()
        self.virtual_ms: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.cpu_ms: Counter[str] = Counter()

    def add(self, kind: str, virtual_ms: int, steps: int, cpu_ms: int) -> None:
        """One schedule more; one whose CPU time nobody has written down does not count."""
        if cpu_ms:
            self.seeds[kind] += 1
            self.virtual_ms[kind] += virtual_ms
            self.steps[kind] += steps
            self.cpu_ms[kind] += cpu_ms

    def lines(self) -> Iterator[str]:
        """For people: each kind of timers, and all of them."""
        kinds = [(f"{kind} timers", [kind]) for kind in (*SHARES, LIGHT) if self.seeds[kind]]
        for name, summed in [*kinds, ("in all", [kind for _, (kind,) in kinds])]:
            seeds, virtual, steps, cpu = (
                sum(counter[kind] for kind in summed)
                for counter in (self.seeds, self.virtual_ms, self.steps, self.cpu_ms)
            )
            if cpu:
                yield (
                    f"{name}: {seeds} schedules, {virtual / 3_600_000:.1f} virtual hours, {cpu / 1_000:.0f} CPU s:"
                    f" {virtual / cpu:.0f} virtual seconds and {1_000 * steps / cpu:.0f} steps of machines to each"
                )
