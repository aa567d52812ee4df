"""Two parties with a main and an alternate terminal each, over relays that only pass on."""

from __future__ import annotations

from dataclasses import replace

from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.machine import FramesReceived, Output, RequestId
from hotline.protocol.context import EndpointSetup, LogIdentity, Other
from hotline.protocol.events import SetTerminal
from hotline.protocol.session import Side
from hotline.wire.v1 import content_pb2
from tests.hotline.protocol.pair import CHARTER, DAY, Pair, Party


class Terminal(Party):
    """One of the four."""

    pair: Quartet

    def __init__(self, pair: Quartet, name: str, number: int, terminal: str) -> None:
        self.terminal = terminal
        self.on = False
        super().__init__(pair, name, number)

    @property
    def log(self) -> LogIdentity:
        return LogIdentity(f"hotline/test/{self.name}/{self.terminal}", self.ledger_key.public)

    @property
    def side(self) -> Side:
        return Side(self.number, self.name, self.terminal, self.signing.public)

    def prepare(self, **changes: object) -> None:
        four = self.pair
        remote = four.bravo if self.name == "ALPHA" else four.alpha
        assert isinstance(remote, Terminal)
        others = [one for one in four.all if one not in (self, remote)]
        setup = EndpointSetup(
            charter=CHARTER,
            local=self.side,
            remote=remote.side,
            signing=self.signing,
            storage_key=self.storage_key,
            pairwise=four.pairwise,
            local_log=self.log,
            remote_log=remote.log,
            cosigner=Ed25519Cosigner(self.log.base, self.ledger_key),
            policy=None,
            paths=four.paths,
            validity_ms=dict.fromkeys(content_pb2.Precedence.values(), DAY),
            text_bytes_max=32_768,
            outbox_max=1_000,
            version="test",
            others=tuple(Other(one.side, one.log) for one in others),
        )
        self.setup = replace(setup, **changes)  # type: ignore[arg-type]

    def start(self) -> None:
        self.on = True
        super().start()

    def kill(self) -> None:
        """Power off, at once."""
        self.on = False

    def hear(self, relay: str, *frames: bytes) -> Output:
        return self.step(FramesReceived(relay, frames)) if self.on else Output()

    def speak(self, *, speak: bool = True) -> bool:
        """An officer lets it speak for its party, or stand by."""
        request = RequestId(len(self.replies) + 1)
        self.step(SetTerminal(request, "watch", speak))
        return self.replies[request].ok

    def said(self) -> dict[int, str]:
        """Serial to text of what this record holds of its own party."""
        rows = self.memory.tables.get("sent", {}).values()
        return {int(str(row["serial"])): _text(row["content"]) for row in rows}

    def got(self) -> dict[int, str]:
        """Serial to text of what this record holds of the peer."""
        rows = self.memory.tables.get("received", {}).values()
        return {int(str(row["serial"])): _text(row["content"]) for row in rows}


def _text(content: object) -> str:
    assert isinstance(content, bytes)
    return content_pb2.Statement.FromString(content).text


class Quartet(Pair):
    """ALPHA/main, ALPHA/alt, BRAVO/main and BRAVO/alt. `blocked` names pairs of numbers that nothing passes between."""

    alpha: Terminal
    bravo: Terminal

    def __init__(self, seed: int = 1, **setup: object) -> None:
        self.blocked: set[frozenset[int]] = set()
        super().__init__(seed, 1, **setup)  # type: ignore[arg-type]

    def sides(self) -> tuple[Party, Party]:
        main, alt = Terminal(self, "ALPHA", 1, "main"), Terminal(self, "ALPHA", 2, "alt")
        there, beside = Terminal(self, "BRAVO", 3, "main"), Terminal(self, "BRAVO", 4, "alt")
        self.all = [main, alt, there, beside]
        self.alpha, self.bravo = main, there
        for one in self.all:
            one.prepare()
        return main, there

    @property
    def alt(self) -> Terminal:
        return self.all[1]

    @property
    def beside(self) -> Terminal:
        """BRAVO's alternate."""
        return self.all[3]

    def running(self) -> tuple[Terminal, ...]:
        return tuple(one for one in self.all if one.on)

    def receiver(self, sender: Party, envelope: bytes) -> Terminal | None:
        number = int.from_bytes(envelope[2:4], "big")
        blocked = frozenset((sender.number, number)) in self.blocked
        return None if blocked else next(one for one in self.all if one.number == number)

    def part(self, *pairs: tuple[Terminal, Terminal]) -> None:
        """Nothing passes between these any more."""
        self.blocked |= {frozenset((one.number, other.number)) for one, other in pairs}

    def meet(self) -> None:
        """Everything passes again."""
        self.blocked.clear()

    def open(self, settle_ms: int = 4_000) -> Quartet:
        for one in self.all:
            one.start()
        self.run(settle_ms)
        return self
