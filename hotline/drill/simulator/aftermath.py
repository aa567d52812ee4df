"""After a simulated drill: texts on relays' disks, and both ledgers by the checks of `hotline audit`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hotline.drill.simulator.nodes import EndpointNode, RelayNode
from hotline.drill.simulator.observer import Observer
from hotline.drill.simulator.world import World
from hotline.errors import Malformed
from hotline.ledger.comparison import Side, compare, roots_at
from hotline.ledger.note import Ed25519Verifier
from hotline.ledger.record import Leaf, parse_leaf
from hotline.ledger.verify import Outcome, Verdict, verify_log
from hotline.machine import Output, Put


class Search:
    """Looks for texts in everything that a relay ever puts on its disk."""

    def __init__(self, world: World, wanted: Iterable[bytes]) -> None:
        self._wanted = set(wanted)
        self.found: set[str] = set()
        for relay in world.relays.values():
            self._watch(relay)

    def _watch(self, relay: RelayNode) -> None:
        commit = relay.commit

        def watched(batch: list[Output]) -> None:
            rows = (change.row for output in batch for change in output.changes if isinstance(change, Put))
            if any(self._holds(value) for row in rows for value in row.values()):
                self.found.add(f"{relay.name}/store")
            commit(batch)

        relay.commit = watched  # type: ignore[method-assign]

    def _holds(self, value: object) -> bool:
        return isinstance(value, bytes) and any(needle in value for needle in self._wanted)


def verify_ledgers(world: World, observer: Observer) -> None:
    """One entry for each ledger, and one that says whether they agree.

    Roots are checked and not told: the names of envelopes enter a ledger, and what encapsulates their keys is drawn by
    the operating system, so that no two runs have the same root.
    """
    verdicts = {name: list(_verdicts(node)) for name, node in world.endpoints.items()}
    for name, found in verdicts.items():
        worst = next((one for one in found if one.outcome is not Outcome.VERIFIED), found[-1])
        observer.add(
            "ledger",
            by=name,
            size=found[-1].size,
            log_epoch=world.endpoints[name].disk.log.epoch,
            root="",
            verified=worst.outcome is Outcome.VERIFIED,
            text=worst.text,
        )
    sides = {name: _side(node) for name, node in world.endpoints.items()}
    whole = all(one.outcome is Outcome.VERIFIED for found in verdicts.values() for one in found)
    one, other = sides.values()
    roots = {name: _roots(world.endpoints[name], sides[world.endpoints[name].peer], verdicts[name]) for name in sides}
    findings = compare(one, other, roots)
    counts = " and ".join(f"{side.entries} of {side.name}" for side in sides.values())
    text = f"{counts}: they agree" if not findings else f"{counts}: {findings[0].text}"
    observer.add("agree", holds=whole and not findings, text=text)


def _verdicts(node: EndpointNode) -> Iterator[Verdict]:
    """One for each log epoch. An end that nobody vouched for and that another log followed was left behind."""
    log = node.disk.log
    for epoch, one in log.epochs.items():
        if not one.leaves:
            continue
        verifier = Ed25519Verifier(f"{node.log.base}/{epoch}", node.log.key)
        verdict = verify_log(one.leaves, one.notes[-1] if one.notes else None, verifier, None, one.notes)
        left = verdict.kind == "unvouched" and epoch != log.epoch
        yield (
            Verdict(Outcome.VERIFIED, "ok", verdict.text, verdict.size, b"", verdict.good_through) if left else verdict
        )


def _side(node: EndpointNode) -> Side:
    side = Side(node.name)
    for epoch, one in node.disk.log.epochs.items():
        for leaf in _lawful(one.leaves):
            side.read(epoch, leaf)
    return side


def _lawful(leaves: Iterable[bytes]) -> Iterator[Leaf]:
    for data in leaves:
        try:
            yield parse_leaf(data)
        except Malformed:
            return  # the verdict of the log itself says so


def _roots(node: EndpointNode, peer: Side, verdicts: list[Verdict]) -> dict[tuple[int, int], str]:
    """Roots of the logs of `node` wherever the peer has written one down; an end that nobody vouched for has none."""
    found: dict[tuple[int, int], str] = {}
    logs = [(epoch, one) for epoch, one in node.disk.log.epochs.items() if one.leaves]
    for (epoch, one), verdict in zip(logs, verdicts, strict=True):
        sizes = {size for at, size in peer.heads if at == epoch and size <= verdict.good_through}
        found |= {(epoch, size): root for size, root in roots_at(one.leaves, sizes).items()}
    return found
