"""Errors that somebody could make, planted in the models: each must be found, with the shortest way to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotline.protocol.inbox import Verdict
from hotline.protocol.outbox import SentState
from hotline.protocol.paths import PathState
from tests.model import keys, takeover
from tests.model.delivery import NOBODY, Bounds, Delivery, Pending, Receipt, Receiver, Relay, Sender, State, Stmt
from tests.model.explorer import Model
from tests.model.kept import Kept
from tests.model.keys import Alpha, Beat, Bravo, Envelope, Epoch, Keys, Prekey, Request
from tests.model.takeover import Takeover, Terminal, Turn

ONE = {"lanes": (0,), "relays": 1}
TWO = {"lanes": (0, 0), "relays": 1}


def delivery(errors: dict[str, Callable[..., Any]], **bounds: Any) -> Model:
    """The model of delivery with rules replaced."""
    planted: Model = type("Planted", (Delivery,), errors)(Bounds("planted", **bounds))
    return planted


def _said_before_commit(self: Delivery, before: State, committed: State) -> State:
    return before._replace(said=committed.said, accepted=before.accepted | {before.said}, budget=committed.budget)


def _receipt_before_commit(self: Delivery, before: State, committed: State, receipt: Receipt) -> State:
    return self._answer(before, receipt)


def _repeat_in_silence(self: Delivery, receiver: Receiver, stmt: Stmt) -> tuple[Receiver, Receipt]:
    """What is known is not acknowledged once more: the receipt is one of nothing."""
    then, receipt = Delivery.receive(self, receiver, stmt)
    return then, Receipt(Stmt(0, 0, 0, NOBODY)) if then is receiver and not receipt.conflict else receipt


def _serial_alone(self: Delivery, receiver: Receiver, stmt: Stmt) -> Verdict:
    return Verdict.NEW if receiver.holds(stmt.serial) is None else Verdict.REPEAT


def _repeat_is_new(self: Delivery, receiver: Receiver, stmt: Stmt) -> tuple[Receiver, Receipt]:
    shown = (*receiver.shown, stmt.serial)
    return receiver._replace(received=receiver.received | {stmt}, shown=shown), Receipt(stmt)


def _shown_at_once(self: Delivery, receiver: Receiver) -> Receiver:
    new = sorted(stmt.serial for stmt in receiver.received if stmt.serial not in receiver.shown)
    return receiver._replace(shown=(*receiver.shown, *new))


def _dropped_on_custody(self: Delivery, sender: Sender, item: Pending) -> Sender:
    return sender._replace(pending=sender.pending - {item})


def _delivered_on_custody(self: Delivery, sender: Sender, item: Pending) -> Sender:
    return sender._replace(facts=sender.facts | {(item.stmt.serial, SentState.DELIVERED)})


def _expired_untold(self: Delivery, sender: Sender, item: Pending) -> Sender:
    void = Pending(item.stmt._replace(words=NOBODY), item.stmt)
    return sender._replace(pending=sender.pending - {item} | {void})


def _expired_without_void(self: Delivery, sender: Sender, item: Pending) -> Sender:
    fact = (item.stmt.serial, SentState.EXPIRED)
    return sender._replace(pending=sender.pending - {item}, facts=sender.facts | {fact})


def _original_forgotten(self: Delivery, sender: Sender, item: Pending) -> Sender:
    """A late receipt for what had expired finds nothing, and the VOID clashes for ever."""
    grown = Delivery.expire(self, sender, item)
    return grown._replace(pending=frozenset(one._replace(original=None) for one in grown.pending))


def _never_late(self: Delivery, sender: Sender, stmt: Stmt) -> Sender:
    return sender


def _never_doubts(self: Delivery, sender: Sender, receipt: Receipt) -> Sender:
    return sender


def _forgets_at_once(self: Delivery, sender: Sender, item: Pending, receipt: Receipt) -> Sender:
    return sender


def _believes_the_late(self: Delivery, sender: Sender, receipt: Receipt) -> bool:
    """A receipt counts whenever it was made."""
    return False


def _no_return(self: Delivery, sender: Sender, after: int) -> Sender:
    return sender


def _conflict_ignored(self: Delivery, state: State, receipt: Receipt) -> State:
    return state


def _conflict_is_delivery(self: Delivery, state: State, receipt: Receipt) -> State:
    item = state.sender.owed(receipt.stmt.serial)
    return state if item is None else self.deliver(state, item, item.stmt)


def _one_path(self: Delivery, relays: tuple[Relay, ...], stmt: Stmt) -> tuple[Relay, ...]:
    """Whichever path is open at our end first is believed in."""
    first = next((index for index, relay in enumerate(relays) if relay.near is not PathState.DOWN), None)
    return tuple(
        relay._replace(hold=relay.hold | {stmt}) if index == first else relay for index, relay in enumerate(relays)
    )


DELIVERY: dict[str, tuple[Model, str]] = {
    "the officer hears queued before the commit": (
        delivery({"cut_in_submit": _said_before_commit}, **ONE, cuts=1),
        "lost",
    ),
    "the receipt leaves before the commit": (
        delivery({"cut_in_receive": _receipt_before_commit}, **ONE, cuts=1),
        "not committed",
    ),
    "repeats are not known": (delivery({"receive": _repeat_is_new}, **ONE), "shown twice"),
    "repeats are passed over in silence": (delivery({"receive": _repeat_in_silence}, **ONE, losses=1), "stuck"),
    "a serial is a statement": (delivery({"judge": _serial_alone}, **TWO, restores_a=1), "not committed"),
    "shown as it comes": (delivery({"show": _shown_at_once}, **TWO), "out of order"),
    "custody is the end of it": (delivery({"custody": _dropped_on_custody}, **ONE, losses=1, custody=True), "lost"),
    "custody is delivery": (delivery({"custody": _delivered_on_custody}, **ONE, custody=True), "not committed"),
    "expiry is silent": (delivery({"expire": _expired_untold}, **ONE, expiries=1), "lost"),
    "an expired serial is left empty": (delivery({"expire": _expired_without_void}, **TWO, expiries=1), "stuck"),
    "a late receipt finds nothing": (delivery({"expire": _original_forgotten}, **ONE, expiries=1), "stuck"),
    "expired is the last word": (
        delivery({"deliver_late": _never_late}, **ONE, restores_b=1, expiries=1),
        "stuck",
    ),
    "what a restored peer lost stays lost": (delivery({"offer_again": _no_return}, **ONE, restores_b=1), "stuck"),
    "what is lost behind another stays lost": (
        delivery({"doubt": _never_doubts}, **TWO, twice=True),
        "stuck",
    ),
    "what the peer named before is forgotten": (
        delivery({"contest": _forgets_at_once}, **TWO, twice=True),
        "stuck",
    ),
    "what a relay held back is the last word": (
        Kept(delivery({"outdated": _believes_the_late}, lanes=(0, 0), relays=2, twice=True)),
        "stuck",
    ),
    "a conflict is ignored": (delivery({"conflict": _conflict_ignored}, **TWO, restores_a=1), "stuck"),
    "a conflict is taken for a receipt": (
        delivery({"conflict": _conflict_is_delivery}, **TWO, restores_a=1),
        "not committed",
    ),
    "one path is believed in": (delivery({"send": _one_path}, lanes=(0,), relays=2, closings=1), "stuck"),
}
"""Each error, the model that it is planted in, and a word of the complaint."""


def sealing(errors: dict[str, Callable[..., Any]], **bounds: Any) -> Model:
    """The model of keys with rules replaced."""
    planted: Model = type("Planted", (Keys,), errors)(keys.Bounds("planted", **bounds))
    return planted


def _chain_on_disk(self: Keys, alpha: Alpha) -> Alpha:
    return Alpha(alpha.held, alpha.owed, alpha.epoch, frozenset(), alpha.recent)


def _key_not_spent(self: Keys, state: keys.State, stmt: int) -> keys.State:
    """The chain moves on only when an epoch is acknowledged."""
    sealed = Keys.seal(self, state, stmt)
    epoch = sealed.alpha.epoch
    assert epoch is not None
    if not epoch.acknowledged:
        epoch = epoch._replace(next=epoch.next - 1)
    return sealed._replace(alpha=sealed.alpha._replace(epoch=epoch))


def _epoch_by_prekey(self: Keys, state: keys.State, stmt: int) -> keys.State:
    """The epoch id is made from the prekey and not drawn."""
    alpha = state.alpha
    if alpha.epoch is None or alpha.epoch.prekey != alpha.held:
        alpha = alpha._replace(epoch=Epoch(100 + alpha.held.secret, alpha.held))
    return Keys.seal(self, state._replace(alpha=alpha), stmt)


def _never_asks(self: Keys, bravo: Bravo, envelope: Envelope) -> str:
    return "not-opened" if Keys.reason(self, bravo, envelope) else ""


def _beats_without_prekeys(self: Keys, alpha: Alpha, beat: Beat) -> Alpha:
    return Keys.believe(self, alpha, beat._replace(prekey=alpha.held))


def _prekey_only(self: Keys, alpha: Alpha, request: Request) -> Alpha:
    """A key request is read for its prekey, and nothing is sealed again."""
    return self.offer(alpha, request.prekey, fresh=True)


def _never_older(self: Keys, alpha: Alpha, prekey: Prekey, *, fresh: bool) -> Alpha:
    return alpha if prekey.generation <= alpha.held.generation else alpha._replace(held=prekey)


def _named_by_generation(self: Keys, alpha: Alpha, prekey: Prekey, *, fresh: bool) -> Alpha:
    """What has a generation that we hold is what we hold."""
    if prekey.generation == alpha.held.generation:
        return alpha
    return Keys.offer(self, alpha, prekey, fresh=fresh)


def _every_opening_shown(self: Keys, state: keys.State, stmt: int) -> keys.State:
    """What opens is new: a used key opens nothing. (After a restart it does.)"""
    bravo = state.bravo
    return state._replace(bravo=bravo._replace(shown=(*bravo.shown, stmt)), back=state.back | {stmt})


def _no_seal_anew(self: Keys, state: keys.State, old: Envelope) -> keys.State:
    return state._replace(alpha=state.alpha._replace(sealed=state.alpha.sealed | {old}))


KEYS: dict[str, tuple[Model, str]] = {
    "a restored chain goes on": (
        sealing({"disk_of": _chain_on_disk}, statements=2, in_flight=1, rotations=0, restores_a=1),
        "sealed two",
    ),
    "a key is not spent at once": (
        sealing({"seal": _key_not_spent}, statements=2, in_flight=1, rotations=0),
        "sealed two",
    ),
    "an epoch is named after its prekey": (
        sealing({"seal": _epoch_by_prekey}, statements=2, in_flight=1, rotations=0, restarts_a=1),
        "sealed two",
    ),
    "nobody asks for a key, and beats bring none": (
        sealing({"reason": _never_asks, "believe": _beats_without_prekeys}, in_flight=1, rotations=0, restores_b=1),
        "stuck",
    ),
    "a key request brings only a prekey": (
        sealing(
            {"obey": _prekey_only, "reseal": _no_seal_anew}, statements=2, rotations=0, restores_b=1, hostile=False
        ),
        "stuck",
    ),
    "generations only rise": (
        sealing({"offer": _never_older}, in_flight=1, restores_b=1, clock_lies=True, hostile=False),
        "stuck",
    ),
    "a prekey is its generation": (
        sealing({"offer": _named_by_generation}, in_flight=1, restores_b=1, clock_lies=True, hostile=False),
        "stuck",
    ),
    "what opens is new": (sealing({"take": _every_opening_shown}, in_flight=1, rotations=0, restarts_b=1), "twice"),
}
"""The same for keys."""


def speaking(errors: dict[str, Callable[..., Any]], **bounds: Any) -> Model:
    """The model of takeovers with rules replaced."""
    planted: Model = type("Planted", (Takeover,), errors)(takeover.Bounds("planted", **bounds))
    return planted


def _speaks_unheard(self: Takeover, one: Terminal, number: int) -> bool:
    return one.turn[1] == number


def _speaks_beside(self: Takeover, one: Terminal, number: int) -> bool:
    return one.heard


def _term_alone(self: Takeover, turn: Turn) -> int:
    return turn[0]


def _never_late(self: Takeover, one: Terminal, number: int, stmt: takeover.Stmt) -> bool:
    return False


def _always_renumbers(self: Takeover, one: Terminal, number: int, waits: takeover.Stmt) -> bool:
    return True


def _refused_silently(self: Takeover, one: Terminal, waits: takeover.Stmt) -> Terminal:
    return one.without(waits)


def _refused_ignored(self: Takeover, one: Terminal, waits: takeover.Stmt) -> Terminal:
    return one


def _copy_is_delivery(self: Takeover, one: Terminal, stmt: takeover.Stmt) -> Terminal:
    return one.without(one.at(stmt.serial) or stmt, "delivered")


def _begins_empty(self: Takeover, one: Terminal, number: int) -> Terminal:
    return Takeover.take_over(self, one, number)._replace(pending=frozenset())


def _never_settles(self: Takeover, one: Terminal, stmt: takeover.Stmt, word: str) -> Terminal:
    return one


def _asks_nothing(self: Takeover, one: Terminal, other: Terminal, number: int) -> Terminal:
    return Takeover.meet(self, one, other, number)._replace(owed=one.owed)


TAKEOVER: dict[str, tuple[Model, str]] = {
    "who comes back does not ask": (speaking({"may_speak": _speaks_unheard}, crashes=1), "came back"),
    "who stands by speaks": (speaking({"may_speak": _speaks_beside}), "stands by speaks"),
    "of one term nobody is the higher": (speaking({"rank": _term_alone}, words=0, takeovers=2, again=True), "stuck"),
    "what is told late is taken as said": (speaking({"too_late": _never_late}), "after it"),
    "a sibling's late words are renumbered": (speaking({"renumbers": _always_renumbers}), "after it"),
    "the peer's conflict drops without a word": (speaking({"refused": _refused_silently}, words=2), "lost"),
    "the peer's conflict is ignored": (speaking({"refused": _refused_ignored}, words=2), "stuck"),
    "a sibling's receipt is the peer's": (speaking({"copied": _copy_is_delivery}), "has it not"),
    "what is pending ends with a takeover": (speaking({"take_over": _begins_empty}), "stuck"),
    "nobody is told what was settled": (speaking({"settled": _never_settles}), "stuck"),
    "the record is not asked for": (speaking({"meet": _asks_nothing}), "stuck"),
}
"""The same for takeovers."""
