"""A peer whose own terminal lies, with its own keys: everything it says holds but for its being true.

through     beats claim that it has received and sent other numbers than it has
time        beats claim another time
receipt     DELIVERED for statements that do not exist, and twice for those that do
read        READ without a person
conflict    CONFLICT for what is under way
two-texts   a second statement under a serial that is taken
head        a head of its ledger with another root, in statements, receipts and beats
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from hotline.drill.simulator.nodes import EndpointNode
from hotline.drill.simulator.world import World
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from hotline.ledger.note import Ed25519Signer, parse_note
from hotline.limits import TIME_MAX
from hotline.machine import Output, Plane
from hotline.protocol.statements import decode_receipt, decode_statement
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType, Inner
from hotline.wire.v1 import content_pb2

PERJURED_TEXT: Final = "real statement that is another"


class Perjurer:
    """Lies in one way from now until `end`, or until its terminal is started anew."""

    def __init__(self, world: World, liar: EndpointNode, how: str) -> None:
        assert liar.machine is not None
        self._world, self._liar, self._how = world, liar, how
        self.forked_beats = 0
        """Heads of another ledger in beats, where a proof has to come with them."""
        self._session = liar.machine.context.session
        self._sign = self._session.sign
        self._rng = random.Random(f"perjury {world.seed}")
        self._run = liar.run
        self.told = 0
        self._over = False
        self._session.sign = self._altered  # type: ignore[method-assign]
        self._aloud()

    @property
    def liar(self) -> str:
        """Whose word it is."""
        return self._liar.name

    def end(self) -> None:
        """It tells the truth again."""
        self._over = True
        self._session.sign = self._sign  # type: ignore[method-assign]

    # --- what it says anyway -----------------------------------------------------------------------------------------

    def _altered(self, kind: ContentType, plane: Plane, content: bytes) -> Inner:
        if kind is ContentType.HEARTBEAT and self._how in ("through", "time", "head"):
            heartbeat = content_pb2.Heartbeat.FromString(content)
            self._beat(heartbeat)
            content = encode(heartbeat)
        elif kind is ContentType.RECEIPT and self._how == "head":
            receipt = decode_receipt(content)
            receipt.checkpoint = self._fork(receipt.checkpoint)
            content = encode(receipt)
        return self._sign(kind, plane, content)

    def _beat(self, heartbeat: content_pb2.Heartbeat) -> None:
        rng = self._rng
        if self._how == "through":
            heartbeat.received_through = max(0, heartbeat.received_through + rng.choice((-3, 2, 40)))
            heartbeat.sent_through = max(0, heartbeat.sent_through + rng.choice((-3, 2, 1_000)))
        elif self._how == "time":
            heartbeat.time_ms = rng.choice((0, 1, TIME_MAX))
        elif heartbeat.log.checkpoint:
            heartbeat.log.checkpoint = self._fork(heartbeat.log.checkpoint)
            self.forked_beats += 1
            return
        else:
            return
        self.told += 1

    def _fork(self, note: bytes) -> bytes:
        """The head of another ledger, of the same size and signed by the same key."""
        if not note:
            return note
        self.told += 1
        head = parse_checkpoint(parse_note(note).text)
        signer = Ed25519Signer(head.origin, self._liar.ledger_key)
        return sign_checkpoint(Checkpoint(head.origin, head.size, bytes(32)), signer)

    # --- what it says of its own accord ------------------------------------------------------------------------------

    def _aloud(self) -> None:
        if self._over or self._run != self._liar.run or not self._liar.up:
            return
        say: dict[str, Callable[[], None]] = {
            "receipt": self._receipt,
            "read": self._read,
            "conflict": self._conflict,
            "two-texts": self._twin,
        }
        if self._how in say and not self._liar.frozen:
            say[self._how]()
            self._world.after(self._rng.randint(200, 2_000), self._aloud)

    def _send(self, kind: ContentType, content: bytes) -> None:
        assert self._liar.machine is not None
        ctx = self._liar.machine.context
        before, ctx.out = ctx.out, Output()
        if ctx.send_content(Plane.REAL, kind, content, self._liar.now(), transient=False, urgent=True):
            self.told += 1
            self._liar.transmit(ctx.out.transmit)
        ctx.out = before

    def _receipt(self) -> None:
        rows = self._liar.disk.tables.get("received", {})
        known = [(serial, row["hash"]) for (plane, serial), row in rows.items() if plane == Plane.REAL]
        items = [content_pb2.ReceiptItem(serial=serial, statement=name) for serial, name in known[-3:]]  # type: ignore[arg-type]
        items.append(content_pb2.ReceiptItem(serial=self._rng.randint(1, 300), statement=self._world.entropy(32)))
        self._send(
            ContentType.RECEIPT, encode(content_pb2.Receipt(stage=content_pb2.STAGE_DELIVERED, item=items, time_ms=1))
        )

    def _read(self) -> None:
        rows = self._liar.disk.tables.get("received", {})
        known = [(serial, row["hash"]) for (plane, serial), row in rows.items() if plane == Plane.REAL]
        for serial, name in known[-3:]:
            item = content_pb2.ReceiptItem(serial=serial, statement=name)  # type: ignore[arg-type]
            receipt = content_pb2.Receipt(stage=content_pb2.STAGE_READ, item=[item], officer="nobody", time_ms=1)
            self._send(ContentType.RECEIPT, encode(receipt))

    def _conflict(self) -> None:
        serial = self._rng.randint(1, 60)
        item = content_pb2.ReceiptItem(serial=serial, statement=self._world.entropy(32))
        through = serial + self._rng.choice((0, 5, 500))
        receipt = content_pb2.Receipt(
            stage=content_pb2.STAGE_CONFLICT, item=[item], time_ms=1, received_through=through
        )
        self._send(ContentType.RECEIPT, encode(receipt))

    def _twin(self) -> None:
        rows = self._liar.disk.tables.get("sent", {})
        mine = [row["content"] for (plane, _), row in rows.items() if plane == Plane.REAL and row["signature"]]
        if not mine:
            return
        assert isinstance(mine[-1], bytes)
        twin = decode_statement(mine[-1])
        if twin.kind == content_pb2.STATEMENT_KIND_TEXT:
            twin.text = f"{PERJURED_TEXT} {self._rng.randrange(10**6)}"
            self._send(ContentType.STATEMENT, encode(twin))
