"""Virtual time: nodes with disks and clocks, cables between them, one agenda. Deterministic for a seed."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hotline.charter.profiles import PROFILES, Profile
from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.conferences import ConferenceNode
from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.machine import Delivery
from hotline.protocol.context import EndpointSetup
from hotline.protocol.release import ReleasePolicy
from hotline.protocol.statements import PRECEDENCES

PARTIES: Final = ("ALPHA", "BRAVO")
STANDSTILL: Final = 20_000
"""So many things in one millisecond: a machine asks for a moment that has passed, for ever."""


@dataclass(slots=True)
class Weather:
    """What cables and disks do now. Probabilities per frame, times in milliseconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_min: int = 1
    delay_max: int = 5
    disk_max: int = 3


class World:
    """Parties, ALPHA and BRAVO unless others are named, and relays in one virtual time (milliseconds)."""

    def __init__(
        self,
        seed: int,
        relays: int = 3,
        profile: str = "satellite",
        *,
        profiles: Mapping[str, str] | None = None,
        timers: Mapping[str, Profile] = PROFILES,
        cable: type[Cable] = Cable,
        channel_test_ms: int = 0,
        objective_ms: Sequence[int] = (),
        ratchets: bool = False,
        alternates: Sequence[str] = (),
        parties: Sequence[str] = PARTIES,
    ) -> None:
        """`profiles` names relays with another link profile, `timers` are what each profile asks for. `ratchets`:
        terminals know what they have signed even after an old disk is put back. `alternates`: parties with a second
        terminal. More than two `parties` have a terminal each. Everything that is drawn comes from `seed`.
        """
        self.seed = seed
        self.channel_test_ms = channel_test_ms
        self.timers = timers
        self.release = ReleasePolicy()
        """Whose signatures the charter asks for; set it before the start."""
        self.stands: Callable[[EndpointNode, EndpointSetup], EndpointSetup] = lambda _, setup: setup
        """What a terminal is given at a start where there is a charter text to stand under (24.4)."""
        self.objective_ms: dict[int, int] = dict(zip(PRECEDENCES, objective_ms, strict=False))
        self.ratchets = ratchets
        self.rng = random.Random(seed)  # noqa: S311 - a history that can be repeated is the purpose
        # Apart from the weather: a machine that draws one key more must not change what happens to it.
        self.entropy = random.Random(f"entropy {seed}").randbytes  # noqa: S311
        self.time = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._history = hashlib.sha256()
        self.steps = 0
        self.decided = 0
        """Steps of machines; `steps` counts everything that happens."""
        self.weather = Weather()
        self.pairwise = self.rng.randbytes(32)
        self.on_delivery: Callable[[EndpointNode, Delivery], None] = lambda *_: None
        self.endpoints: dict[str, EndpointNode] = {}
        kind = EndpointNode if len(parties) == len(PARTIES) else ConferenceNode
        for number, party in enumerate(parties, 1):
            first = 2 if number == 1 else 1
            self.endpoints[party] = kind(self, party, number, parties[first - 1], first)
        for number, party in enumerate(alternates, 3):
            peer = self.endpoints["BRAVO" if party == "ALPHA" else "ALPHA"]
            self.endpoints[f"{party}-ALT"] = EndpointNode(self, f"{party}-ALT", number, peer.name, peer.number)
        named = {f"relay-{number}": profile for number in range(1, relays + 1)} | dict(profiles or {})
        self.relays = {
            name: RelayNode(self, name, number, timers[kind]) for number, (name, kind) in enumerate(named.items(), 1)
        }
        self.cables_by_link: dict[str, Cable] = {}
        self.cables = {
            (endpoint.name, relay.name): cable(self, endpoint, relay)
            for endpoint in self.endpoints.values()
            for relay in self.relays.values()
        }

    def secret(self, one: str, other: str) -> bytes:
        """What two parties share, and of several no third one has."""
        pair = " ".join(sorted((one, other)))
        return self.pairwise if pair == " ".join(PARTIES) else hashlib.sha256(self.pairwise + pair.encode()).digest()

    @property
    def nodes(self) -> list[EndpointNode | RelayNode]:
        """Everything that has a power switch."""
        return [*self.endpoints.values(), *self.relays.values()]

    @property
    def dialled(self) -> list[RelayNode]:
        """The relays that every terminal uses; for what lies at another one nobody need come."""
        return [
            relay for relay in self.relays.values() if all(one.dials(relay.name) for one in self.endpoints.values())
        ]

    def cables_of(self, name: str) -> list[Cable]:
        """The cables that end at a node."""
        return [cable for ends, cable in self.cables.items() if name in ends]

    def start(self) -> None:
        """Power on everywhere."""
        for relay in self.relays.values():
            relay.start()
        for endpoint in self.endpoints.values():
            endpoint.start()

    def at(self, time: int, action: Callable[[], None]) -> None:
        """Do something at a time, not before now. What is due together happens in the order in which it was asked."""
        self._order += 1
        heapq.heappush(self._agenda, (max(time, self.time), self._order, action))

    def after(self, delay: int, action: Callable[[], None]) -> None:
        """Do something in `delay` milliseconds."""
        self.at(self.time + delay, action)

    def carry(self, arrive: Callable[[], None], later: int = 0) -> None:
        """One frame over one cable, through the weather; `later` milliseconds are lost on the line itself."""
        weather, rng = self.weather, self.rng
        if rng.random() < weather.loss:
            return
        self.after(later + rng.randint(weather.delay_min, weather.delay_max), arrive)
        if rng.random() < weather.duplicate:
            self.after(later + rng.randint(weather.delay_min, weather.delay_max * 2), arrive)

    def run_until(self, time: int, check: Callable[[], None] | None = None) -> None:
        """Let time pass; `check` is called after everything that happens. Raises AssertionError on a standstill."""
        agenda, take = self._agenda, heapq.heappop
        begun = self.steps
        while agenda and agenda[0][0] <= time:
            if agenda[0][0] > self.time:
                begun = self.steps
            elif self.steps - begun > STANDSTILL:
                raise AssertionError(f"time stands still at {self.time} ms")
            self.time, _, action = take(agenda)
            self.steps += 1
            action()
            if check is not None:
                check()
        self.time = time

    def trace(self, *what: object) -> None:
        """Part of the history whose hash must be the same for the same seed."""
        self._history.update(repr((self.time, *what)).encode())

    def digest(self) -> str:
        """The hash of what has happened so far, hex."""
        return self._history.hexdigest()
