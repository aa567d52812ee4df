"""Who is hostile, as commands beside the weather (weather.py). What may break for each is said here; all else holds.

lie RELAY HOW SHARE for TIME          a relay treats one in SHARE envelopes so (hotline/drill/lies.py). Nothing breaks.
split NODE RELAY for TIME             a relay gives one terminal beats and withholds everything durable. Nothing.
babble NODE RELAY for TIME            a relay replays, flips, cuts and invents frames. Nothing.
flood NODE RELAY FRAMES               as many at once. Nothing; memory and ledger keep their bounds.
steal-stream NODE RELAY for TIME      a thief with the TLS key takes the terminal's place at one relay, and TAKENs all
                                      that comes. Nothing: every other path, and repetition, remain.
stray-charter NODE RELAY              a thief with the identity key has signed a charter with terminals of its own.
                                      Nothing: a running terminal keeps to the charter that it was started with.
forge NODE RELAY statement|receipt    a thief with the pairwise secret and no signing key. Nothing.
forge NODE RELAY key-request          a thief with the signing key and no pairwise secret has the peer seal to it.
                                      Nothing is read; the terminals find each other again.
clone NODE for TIME                   a thief runs a second terminal from a backup with all keys, and says something.
                                      It is believed. The peer or the terminal is alarmed; the peer's own statements
                                      are not harmed once the thief is gone; no key is used twice.
perjure NODE HOW for TIME             the peer's own terminal lies (perjury.py). Its own words are worth nothing; the
                                      other side keeps order, memory, ledger, and every word that it said itself.
rewrite NODE                          a thief rewrites the ledger of a running terminal. The peer is alarmed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from hotline.crypto.signing import SigningKey
from hotline.drill.lies import Lie, LyingRelay
from hotline.drill.simulator.cables import Cable
from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.drill.simulator.world import World
from hotline.limits import WIRE_VERSION
from hotline.machine import FramesReceived, LinkClosed, LinkOpened
from hotline.wire.codec import decode_frame, encode
from hotline.wire.envelope import envelope_id
from hotline.wire.inner import ContentType
from hotline.wire.v1 import frame_pb2
from relay.machine import Relay
from tests.simulator import forgery
from tests.simulator.clone import Clone
from tests.simulator.perjury import Perjurer
from tests.simulator.schedule import LIES, PERJURIES
from tests.simulator.weather import Storm

ADVERSARIES: Final = (
    *(f"lie-{how}" for how in LIES), "split", "babble", "flood", "steal-stream", "stray-charter", "forge-statement",
    "forge-receipt", "forge-key-request", "clone", "rewrite", *(f"perjure-{how}" for how in PERJURIES),
)  # fmt: skip
"""Every adversary that is counted; one that never acts in a campaign is a failure of the campaign."""
_CAPTURED_MAX: Final = 400


class Tap:
    """A relay's hand on one cable: what passes it is kept, and durable envelopes may be kept back."""

    def __init__(self, cable: Cable) -> None:
        self.cable = cable
        self.captured: list[bytes] = []
        self.blinding = False
        self.withheld = 0
        self._pass = cable.to_endpoint
        cable.to_endpoint = self._tapped  # type: ignore[method-assign]

    def _tapped(self, frame: bytes, link: str) -> None:
        self.captured.append(frame)
        del self.captured[:-_CAPTURED_MAX]
        if self.blinding and is_durable(frame):
            self.withheld += 1
        else:
            self._pass(frame, link)


def is_durable(frame: bytes) -> bool:
    """Whether a frame of an honest maker carries an envelope that a relay stores."""
    parsed = decode_frame(frame)
    return parsed.WhichOneof("body") == "envelope" and not parsed.envelope[1] & 0x02


class Thief:
    """Attached to one relay under the name of a terminal; takes everything, again and again."""

    def __init__(self, world: World, name: str, relay: RelayNode, number: int) -> None:
        self._world, self._name, self._relay, self._number = world, name, relay, number
        self.over = False
        self.stolen: list[bytes] = []
        self._streams = 0
        self._run = relay.run
        self._link = ""
        self._attach()

    def _attach(self) -> None:
        if self.over:
            return
        if self._link and self._run != self._relay.run:
            self.hang_up(self._link)
        if not self._link and self._relay.up:
            self._run = self._relay.run
            self._streams += 1
            self._link = f"thief/{self._name}/{self._relay.name}/{self._streams}"
            self._world.cables_by_link[self._link] = self  # type: ignore[assignment]
            self._relay.post(LinkOpened(self._link, self._name))
            hello = frame_pb2.Hello(version=WIRE_VERSION, charter=forgery.CHARTER, terminal=self._number)
            self._relay.post(FramesReceived(self._link, (encode(frame_pb2.Frame(hello=hello)),)))
        self._world.after(700, self._attach)

    def to_endpoint(self, frame: bytes, link: str) -> None:
        """The relay believes that this is the terminal."""
        if link == self._link and is_durable(frame):
            self.stolen.append(frame)
            identifier = envelope_id(decode_frame(frame).envelope)
            taken = encode(frame_pb2.Frame(taken=frame_pb2.Taken(envelope_id=[identifier])))
            self._world.after(1, lambda: self._relay.post(FramesReceived(link, (taken,))))

    def hang_up(self, link: str) -> None:
        """The terminal has come back, or the relay is gone."""
        if link == self._link:
            del self._world.cables_by_link[link]
            self._link = ""
            self._relay.post(LinkClosed(link, "thief gone"))

    def end(self) -> None:
        """Nobody believes it any longer."""
        self.over = True
        if self._link:
            self.hang_up(self._link)


class Hostile(Storm):
    """Weather and adversaries."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._taps: dict[tuple[str, str], Tap] = {}
        self._thieves: list[Thief] = []
        self.clones: list[Clone] = []
        self.perjurers: list[Perjurer] = []
        self.lied_to: dict[str, int] = dict.fromkeys(world.endpoints, 0)
        """Altered, cut or invented frames that were given to a terminal."""
        self.on_rewrite: Callable[[EndpointNode], bool] = lambda node: False
        self.on_clone: Callable[[EndpointNode], None] = lambda node: None
        self.on_perjury: Callable[[EndpointNode, str], None] = lambda node, how: None
        self._rng = random.Random(f"adversary {world.seed}")
        for relay in world.relays.values():
            relay.make = LyingRelay

    def be_honest(self) -> None:
        """Relays that cannot lie: the machines of the daemons as they are."""
        for relay in self.world.relays.values():
            relay.make = Relay

    def _terminal(self, name: str) -> EndpointNode:
        return self.world.endpoints[name.upper()]

    def _tap(self, node: str, relay: str) -> Tap:
        place = (node.upper(), relay)
        if place not in self._taps:
            self._taps[place] = Tap(self.world.cables[place])
        return self._taps[place]

    # --- relays ------------------------------------------------------------------------------------------------------

    def _lie(self, name: str, how: str, share: str) -> Callable[[], None] | None:
        liar = self.world.relays[name].machine
        if not isinstance(liar, LyingRelay):
            return None
        liar.tell(Lie(how, int(share)))  # type: ignore[arg-type]

        def undo() -> None:
            liar.tell(Lie())
            self.played[f"lie-{how}"] += liar.told[how]
            liar.told[how] = 0

        return undo

    def _split(self, node: str, relay: str) -> Callable[[], None]:
        tap = self._tap(node, relay)
        tap.blinding, before = True, tap.withheld

        def undo() -> None:
            tap.blinding = False
            self.played["split"] += tap.withheld > before

        return undo

    def _babble(self, node: str, relay: str) -> Callable[[], None]:
        tap, over = self._tap(node, relay), False

        def say() -> None:
            if over:
                return
            if tap.captured and tap.cable.link:
                self._give(tap, self._trick(tap))
                self.played["babble"] += 1
            self.world.after(self._rng.randint(5, 400), say)

        def undo() -> None:
            nonlocal over
            over = True

        say()
        return undo

    def _trick(self, tap: Tap) -> bytes:
        rng = self._rng
        frame = rng.choice(tap.captured)
        match rng.choice(("replay", "flip", "cut", "noise")):
            case "flip":
                at = rng.randrange(len(frame))
                return frame[:at] + bytes([frame[at] ^ (1 << rng.randrange(8))]) + frame[at + 1 :]
            case "cut":
                return frame[: rng.randrange(len(frame))]
            case "noise":
                return rng.randbytes(rng.randint(0, 300))
        return frame

    def _give(self, tap: Tap, *frames: bytes) -> None:
        node = tap.cable.endpoint
        if node.up and not node.frozen:
            self.lied_to[node.name] += sum(frame not in tap.captured for frame in frames)
        node.post(FramesReceived(tap.cable.relay.name, frames))

    def _flood(self, node: str, relay: str, frames: str) -> None:
        tap = self._tap(node, relay)
        if tap.captured and tap.cable.link:
            self.played["flood"] += 1
            for number in range(int(frames) // 20):
                parcel = tuple(self._trick(tap) for _ in range(20))
                self.world.after(number * 10, lambda parcel=parcel: self._give(tap, *parcel))  # type: ignore[misc]

    # --- thieves -----------------------------------------------------------------------------------------------------

    def _steal_stream(self, node: str, relay: str) -> Callable[[], None]:
        victim = self._terminal(node)
        thief = Thief(self.world, victim.name, self.world.relays[relay], victim.number)
        self._thieves.append(thief)

        def undo() -> None:
            thief.end()
            self.played["steal-stream"] += bool(thief.stolen)

        return undo

    def _stray_charter(self, node: str, relay: str) -> None:
        sender, stranger = self._terminal(node), SigningKey(self.world.entropy(32))
        link = f"stranger/{self.world.time}"
        post = self.world.relays[relay].post
        post(LinkOpened(link, "a certificate of the stray charter"))
        hello = frame_pb2.Hello(version=WIRE_VERSION, charter=forgery.OTHER_CHARTER, terminal=sender.number)
        post(FramesReceived(link, (encode(frame_pb2.Frame(hello=hello)),)))
        if self.world.endpoints[sender.peer].machine is None:
            return
        content = forgery.statement(self.world, sender, "real statement under a stray charter")
        for charter in (forgery.OTHER_CHARTER, forgery.CHARTER):
            kind = ContentType.STATEMENT
            frame = forgery.sealed(self.world, sender, kind, content, stranger, charter=charter)
            self._inject("stray-charter", sender, relay, frame)

    def _forge(self, node: str, relay: str, what: str) -> None:
        sender, stranger = self._terminal(node), SigningKey(self.world.entropy(32))
        frame: bytes | None = None
        if what == "key-request":
            frame = forgery.key_request(self.world, sender)
        elif self.world.endpoints[sender.peer].machine is not None:
            kind = ContentType.STATEMENT if what == "statement" else ContentType.RECEIPT
            content = (
                forgery.statement(self.world, sender, "real statement that nobody made")
                if what == "statement"
                else forgery.receipt(self.world, sender)
            )
            frame = content and forgery.sealed(self.world, sender, kind, content, stranger)
        self._inject(f"forge-{what}", sender, relay, frame)

    def _inject(self, what: str, sender: EndpointNode, relay: str, frame: bytes | None) -> None:
        victim = self.world.endpoints[sender.peer]
        if frame is not None and victim.up and not victim.frozen and self.world.cables[victim.name, relay].link:
            self.played[what] += 1
            self.lied_to[victim.name] += what != "forge-key-request"
            victim.post(FramesReceived(relay, (frame,)))

    def _clone(self, node: str) -> Callable[[], None] | None:
        victim = self._terminal(node)
        backup = self.backups.get(victim.name)
        if backup is None:
            return None
        self.on_clone(victim)
        clone = Clone(self.world, victim, backup.copy())
        self.clones.append(clone)

        def undo() -> None:
            clone.end()
            self.played["clone"] += clone.heard

        return undo

    def _rewrite(self, node: str) -> None:
        self.played["rewrite"] += self.on_rewrite(self._terminal(node))

    # --- a peer that lies --------------------------------------------------------------------------------------------

    def _perjure(self, node: str, how: str) -> Callable[[], None] | None:
        liar = self._terminal(node)
        if liar.machine is None:
            return None
        self.on_perjury(liar, how)
        perjurer = Perjurer(self.world, liar, how)
        self.perjurers.append(perjurer)

        def undo() -> None:
            perjurer.end()
            self.played[f"perjure-{how}"] += perjurer.told

        return undo

    # --- the end -----------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        for tap in self._taps.values():
            tap.blinding = False
        for thief in self._thieves:
            thief.end()
        for clone in self.clones:
            clone.end()
        for perjurer in self.perjurers:
            perjurer.end()
        for relay in self.world.relays.values():
            if isinstance(relay.machine, LyingRelay):
                relay.machine.tell(Lie())
        super()._clear()
