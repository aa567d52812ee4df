"""What must hold of disks and memories once everything is settled: an oracle beside the code that wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotline.drill.simulator.nodes import CHARTER, EndpointNode, RelayNode
from hotline.drill.simulator.world import World
from hotline.ledger.checkpoint import parse_checkpoint
from hotline.ledger.note import parse_note
from hotline.ledger.record import parse_leaf
from hotline.ledger.tree import Frontier, leaf_hash
from hotline.limits import DURABLE_SKIP_MAX, EPOCHS_KEPT_MAX, INBOX_HELD_MAX, OUTBOX_MAX, TRANSIENT_KEYS_KEPT
from hotline.machine import Plane
from hotline.protocol.context import Context
from hotline.protocol.heads import open_head
from hotline.protocol.nonpapers import is_sealed
from hotline.protocol.statements import Ends, decode_statement, statement_hash, verify_content
from hotline.protocol.tables import Row
from hotline.wire.inner import ContentType, Inner
from tests.simulator.stored import statement_of
from tests.simulator.timers import unlinked

OFFERED_MAX = 2 * OUTBOX_MAX
"""Statements pending: those accepted, and those offered again to a peer that has lost them."""
UNDER_WAY = 1_000
"""How long an envelope may lie in a mailbox whose recipient is attached under a clear sky."""


def audit(
    world: World,
    restored: frozenset[str],
    forgers: frozenset[str] = frozenset(),
    liars: frozenset[str] = frozenset(),
) -> str:
    """The first thing that is wrong, or nothing.

    `restored` names terminals that lost state, `forgers` those with a rewritten ledger, `liars` those that are not
    looked at and whose peers may be left with unfinished work.
    """
    for node in world.endpoints.values():
        if node.name in liars or not node.up:
            continue
        lied_to = node.peer in liars
        wrong = (
            received_is_signed(world, node)
            or (node.name not in forgers and ledger_is_whole(node))
            or (node.peer not in forgers and not lied_to and _peer_head(world, node, restored))
            or memory_is_disk(node)
            or caches_are_bounded(node)
            or (not lied_to and _nothing_is_left(node))
        )
        if wrong:
            return f"{node.name}: {wrong}"
    for relay in world.dialled:
        wrong = "" if liars else _relay(relay)
        if wrong:
            return f"{relay.name}: {wrong}"
    return ""


def received_is_signed(world: World, node: EndpointNode) -> str:
    """Every statement kept was signed by the peer, and is kept under its own name and serial."""
    peer = world.endpoints[node.peer]
    ends = Ends(CHARTER, peer.number, node.number)
    for (plane_name, serial), row in node.disk.tables.get("received", {}).items():
        content, signature = row["content"], row["signature"]
        assert isinstance(content, bytes)
        assert isinstance(signature, bytes)
        plane = Plane(str(plane_name))
        if is_sealed(content):
            said = statement_of(node, "received", row)
            if not said.kind and not _destroyed(node, plane, serial):
                return (
                    f"#{serial}, said without prejudice, cannot be opened, and no entry says that its key was destroyed"
                )
            if signature or (said.kind and (said.serial, said.body_salt) != (serial, row["hash"])):
                return f"#{serial}, said without prejudice, is kept as what it is not"
            continue
        verify_content(peer.signing.public, Inner(ContentType.STATEMENT, content, signature), plane, ends)
        if decode_statement(content).serial != serial or statement_hash(plane, ends, content) != row["hash"]:
            return f"#{serial} is kept under a name that is not its own"
    return ""


def _destroyed(node: EndpointNode, plane: Plane, serial: object) -> bool:
    """Whether the ledger has it that the text of a non-paper of the peer is gone for good (docs/protocol.md 22.7)."""
    gone = {"way": "received", "plane": plane.value, "serial": serial}
    leaves = (leaf for one in node.disk.log.epochs.values() for leaf in one.leaves if b"nonpaper.destroyed" in leaf)
    return any(gone.items() <= parse_leaf(leaf).fields.items() for leaf in leaves)


def ledger_is_whole(node: EndpointNode) -> str:
    """Leaves are whole and in order, and their root is the one that was signed for others."""
    log = node.disk.log
    wrong = leaves_are_whole(node)
    if wrong:
        return wrong
    if not log.note:
        return "nobody has vouched for the log"
    signed = open_head(log.note, node.log)
    if (signed.epoch, signed.size, signed.root) != (log.epoch, log.frontier.size, log.frontier.root()):
        return "the ledger does not give its signed head"
    return ""


def leaves_are_whole(node: EndpointNode) -> str:
    """Leaves are whole and in order, and give the head that was signed last, if only for the terminal itself."""
    log = node.disk.log
    for epoch, one in log.epochs.items():
        frontier = Frontier()
        before = ""
        for leaf in one.leaves:
            entry = parse_leaf(leaf)
            if entry.seq != frontier.size or entry.ts < before:
                return f"entry {frontier.size} of log {epoch} is out of order"
            before = entry.ts
            frontier.append(leaf_hash(leaf))
        if epoch == log.epoch and (frontier.size, frontier.root()) != (log.frontier.size, log.frontier.root()):
            return f"the leaves of log {epoch} do not give its tree"
        if one.notes:
            head = parse_checkpoint(parse_note(one.notes[-1]).text)
            if (head.size, head.root) != (frontier.size, frontier.root()):
                return f"the leaves of log {epoch} do not give the head that was signed last"
    return ""


def _peer_head(world: World, node: EndpointNode, restored: frozenset[str]) -> str:
    """The newest heads that we hold of the peer are of its current log, and beginnings of what it has now."""
    peer = world.endpoints[node.peer]
    rows = node.disk.tables.get("peer_head", {})
    for (_, epoch), row in rows.items():
        for note in (row["linked"], row["claimed"]):
            assert isinstance(note, bytes)
            signed = open_head(note, peer.log)
            one = peer.disk.log.epochs.get(signed.epoch)
            if signed.epoch != epoch:
                return "a head of the peer is kept under another log epoch than was signed"
            if one is None or signed.epoch != peer.disk.log.epoch:
                if peer.name not in restored:
                    return "the peer's head is of a log that it does not have"
                continue  # of a time that the peer has lost
            frontier = Frontier()
            for leaf in one.leaves[: signed.size]:
                frontier.append(leaf_hash(leaf))
            if (frontier.size, frontier.root()) != (signed.size, signed.root):
                return "the peer's head is no beginning of the peer's ledger"
    assert node.machine is not None
    linked = node.machine.peer_log.linked
    paths = node.machine.context.paths.values()
    slow = any(path.narrow for path in paths)
    most = unlinked(path.setup.profile for path in paths)
    if not slow and linked is not None and linked.size < peer.disk.log.frontier.size - most:
        return f"only {linked.size} of the peer's {peer.disk.log.frontier.size} entries are linked"
    if not rows or max(epoch for _, epoch in rows) != peer.disk.log.epoch:  # type: ignore[type-var]
        return "the peer's current log is not known"
    return ""


def memory_is_disk(node: EndpointNode) -> str:
    """A restart now would find what the running terminal believes."""
    assert node.machine is not None
    return memory_is_tables(node.machine.context, node.disk.tables)


def memory_is_tables(ctx: Context, tables: Mapping[str, Mapping[Any, Row]]) -> str:
    """The same of one endpoint and its tables."""
    counters = {name: row["value"] for (name,), row in tables.get("counter", {}).items()}
    for plane in Plane:
        unread = {serial: row["hash"] for (where, serial), row in tables.get("unread", {}).items() if where == plane}
        if unread != ctx.unread[plane]:
            return f"{len(unread)} unread on disk, {len(ctx.unread[plane])} in memory"
        if counters.get(f"sent:{plane}", 0) != ctx.outboxes[plane].last_serial:
            return f"the last serial is {ctx.outboxes[plane].last_serial} in memory only"
        if counters.get(f"through:{plane}", 0) != ctx.inboxes[plane].through:
            return f"received through {ctx.inboxes[plane].through} in memory only"
        for serial in range(1, ctx.inboxes[plane].through + 1):
            if (plane.value, serial) not in tables.get("received", {}):
                return f"#{serial} counts as received and is not there"
            if (plane.value, serial, "shown") not in tables.get("received_fact", {}):
                return f"#{serial} was received and never shown"
    return ""


def caches_are_bounded(node: EndpointNode) -> str:
    """Nothing grows without a bound."""
    assert node.machine is not None
    return memory_is_bounded(node.machine.context)


def memory_is_bounded(ctx: Context) -> str:
    """The same of one endpoint."""
    session = ctx.session
    if len(session._receiving) > EPOCHS_KEPT_MAX or len(session._saved_openers) > EPOCHS_KEPT_MAX:
        return "more epochs than it may keep"
    for epoch in session._receiving.values():
        if len(epoch._transient.kept) > TRANSIENT_KEYS_KEPT or len(epoch._durable.kept) > DURABLE_SKIP_MAX:
            return "more skipped keys than it may keep"
    if len(ctx._refusals) > 2 * len(ctx.paths) + 2:
        return f"refusals of {len(ctx._refusals)} minutes are counted"
    if any(len(inbox.ahead) > 2 * INBOX_HELD_MAX for inbox in ctx.inboxes.values()):
        return "more statements are held back than may be"
    for plane in Plane:
        outbox = ctx.outboxes[plane]
        if len(outbox.pending) > OFFERED_MAX or len(outbox._by_envelope) > len(outbox.pending):
            return f"{len(outbox.pending)} pending, {len(outbox._by_envelope)} envelopes"
    return ""


def _nothing_is_left(node: EndpointNode) -> str:
    """An outbox that is empty costs nothing."""
    assert node.machine is not None
    for outbox in node.machine.context.outboxes.values():
        if outbox._by_envelope:
            return f"{len(outbox._by_envelope)} envelopes of an empty outbox are remembered"
        if len(outbox._retries) > 5_000 or len(outbox._waiting) > 5_000:
            return "retries of an empty outbox pile up"
    return ""


def _relay(relay: RelayNode) -> str:
    """Mailboxes are empty but for what is just under way, and count their bytes rightly."""
    assert relay.machine is not None
    for mailbox in relay.machine.mailboxes.values():
        if mailbox.size != sum(len(held.frame) for held in mailbox):
            return f"{len(mailbox)} envelopes are counted as {mailbox.size} bytes"
        left = [held for held in mailbox if relay.now().wall - held.stored_at > UNDER_WAY]
        if left:
            return f"{len(left)} envelopes, {mailbox.size} bytes in an empty mailbox"
    return ""
