"""Which terminal speaks for its party: terms, and the signed word that begins one (docs/protocol.md 23.1 to 23.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from hotline.crypto.signing import SIGNATURE_SIZE, SigningKey, verify
from hotline.errors import Malformed, Untrusted
from hotline.limits import TIME_MAX
from hotline.protocol.session import Side
from hotline.wire.codec import decode, encode
from hotline.wire.v1 import content_pb2

_LABEL: Final = "hotline/v1/activation"
_BODY_MAX: Final = 64
TERM_MAX: Final = 2**32 - 1
"""The last term that a word can name."""


class Turn(NamedTuple):
    """A term and the terminal that speaks in it. The higher one holds; of one term, that of the higher number."""

    term: int
    terminal: int

    @property
    def number(self) -> int:
        """As heartbeats have it: rises with the turn, 0 in term 0."""
        return (self.term << 16) + self.terminal if self.term else 0


class Standing:
    """What one terminal knows of who speaks, on both sides. Changed by signed words only, and only upwards."""

    def __init__(self, charter: bytes, local: Side, others: Iterable[Side]) -> None:
        self._charter = charter
        self.local = local
        self.sides = {side.number: side for side in (local, *others)}
        self.siblings = [number for number in self.terminals(local.party) if number != local.number]
        """The other terminals of our party."""
        parties = {side.party for side in self.sides.values()}
        self.turns = {party: Turn(0, min(self.terminals(party))) for party in parties}
        """In term 0 the first terminal of a party speaks: the one with the lowest number."""
        self.signed: dict[str, content_pb2.SignedActivation] = {}
        self.stood_down = False
        """By an operator's word, until one lets this terminal speak again."""
        self.asleep = False
        """This terminal travels and is not activated now (24.13)."""

    def terminals(self, party: str) -> list[int]:
        """The numbers of a party's terminals, lowest first."""
        return sorted(number for number, side in self.sides.items() if side.party == party)

    @property
    def several(self) -> bool:
        """Whether either party has more than one terminal."""
        return len(self.sides) > 2

    @property
    def turn(self) -> Turn:
        """Who speaks for our party."""
        return self.turns[self.local.party]

    @property
    def active(self) -> bool:
        """Whether this terminal speaks for its party."""
        return self.turn.terminal == self.local.number and not (self.stood_down or self.asleep)

    def speaks(self, number: int) -> bool:
        """Whether the terminal of this number is the one that speaks for its party, as far as is known."""
        return self.turns[self.sides[number].party].terminal == number

    def by_rule(self, party: str) -> bool:
        """Whether the terminal that speaks for this party says that no officer let it, but the charter's rule."""
        signed = self.signed.get(party)
        return signed is not None and decode(content_pb2.ActivationBody, signed.body, _BODY_MAX).by_rule

    def name(self, number: int) -> str:
        """`PARTY/terminal`, for people and records."""
        side = self.sides[number]
        return f"{side.party}/{side.name}"

    def begin(self, key: SigningKey, wall: int, *, by_rule: bool = False) -> content_pb2.SignedActivation:
        """The word by which this terminal speaks from now on, in a new term; it is taken at once."""
        turn = Turn(self.turn.term + 1, self.local.number)
        body = encode(content_pb2.ActivationBody(term=turn.term, terminal=turn.terminal, time_ms=wall, by_rule=by_rule))
        signature = key.sign(_LABEL, self._charter, self.local.number.to_bytes(2, "big"), body)
        signed = content_pb2.SignedActivation(body=body, signature=signature)
        self.turns[self.local.party], self.signed[self.local.party] = turn, signed
        self.stood_down = False
        return signed

    def hear(self, party: str, signed: content_pb2.SignedActivation) -> bool:
        """Take a word of a terminal of `party` if it begins a higher turn. Raises Malformed or Untrusted."""
        turn = self.check(party, signed)
        if turn is None:
            return False
        self.turns[party] = turn
        self.signed[party] = content_pb2.SignedActivation(body=signed.body, signature=signed.signature)
        return True

    def check(self, party: str, signed: content_pb2.SignedActivation) -> Turn | None:
        """The higher turn that a word of a terminal of `party` begins. Raises Malformed or Untrusted.

        A terminal that our charter does not name may be one that an amendment has retired, or that another one adds:
        its word is nothing to us, and no reason not to hear who passes it on.
        """
        body = decode(content_pb2.ActivationBody, signed.body, _BODY_MAX)
        side = self.sides.get(body.terminal)
        if not body.term or body.time_ms > TIME_MAX or (side is not None and side.party != party):
            raise Malformed("activation", f"term {body.term} of terminal {body.terminal}")
        if side is None:
            return None
        turn = Turn(body.term, body.terminal)
        if turn <= self.turns[party]:
            return None
        if len(signed.signature) != SIGNATURE_SIZE:
            raise Untrusted("signature", "activation")
        verify(side.signing, signed.signature, _LABEL, self._charter, body.terminal.to_bytes(2, "big"), signed.body)
        return turn
