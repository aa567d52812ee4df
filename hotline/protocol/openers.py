"""Epochs of which nothing has opened yet, and what each path may have us spend on them (docs/protocol.md 7.11).

Whoever knows a prekey, as every relay does, makes openers that hold, and names numbers far ahead in each; whoever knows
but its tag has us try every plane. What is tried is kept, and what comes over one path is paid for by that path.
"""

from __future__ import annotations

from collections.abc import Callable

from hotline.crypto.epochs import Binding, ReceivingEpoch
from hotline.errors import NotOpened
from hotline.limits import EPOCHS_KEPT_MAX, LOOK_AHEAD_MAX, OPENERS_TRIED_MAX
from hotline.machine import Instant, Plane
from hotline.protocol.allowance import Allowance
from hotline.protocol.prekeys import OwnPrekey


class Openers:
    """Opens the peer's epochs, of which the first envelope has yet to prove that the peer sealed them."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._tried: dict[tuple[bytes, Plane, bytes, bytes], ReceivingEpoch] = {}
        """Epochs whose opener holds, and of which no envelope has yet: a forged one has none opened anew."""
        self._ahead = Allowance(LOOK_AHEAD_MAX)
        self._tries = Allowance(OPENERS_TRIED_MAX)

    def keep(self, is_held: Callable[[bytes], bool]) -> None:
        """With a prekey secret goes what it opened, from memory too; `is_held` knows prekeys by name."""
        self._tried = {key: one for key, one in self._tried.items() if is_held(key[0])}

    def epoch(
        self, plane: Plane, epoch_id: bytes, prekey: OwnPrekey, opener: bytes, path: str, now: Instant
    ) -> ReceivingEpoch:
        """The epoch of an opener that came over `path`. Raises NotOpened."""
        key = (prekey.name, plane, epoch_id, opener)
        if key not in self._tried:
            if not self._tries.spend(path, 1, now):
                raise NotOpened("not-opened", f"one more opener over {path}")
            self._tried[key] = ReceivingEpoch(self._binding, plane, epoch_id, prekey.name, prekey.key, opener)
            while len(self._tried) > EPOCHS_KEPT_MAX:
                del self._tried[next(iter(self._tried))]
        return self._tried[key]

    def look_ahead(self, path: str, steps: int, now: Instant) -> None:
        """Before so many steps are taken. Raises NotOpened('too-far'); then a key request helps an honest sender."""
        if not self._ahead.spend(path, steps, now):
            raise NotOpened("too-far", f"{steps} more steps over {path}")

    def proven(self, epoch: ReceivingEpoch, path: str) -> None:
        """An envelope of it opened, and came over `path`: its opener and those tried before it were no waste."""
        self._tried = {key: one for key, one in self._tried.items() if one is not epoch}
        self._tries.renew(path)
