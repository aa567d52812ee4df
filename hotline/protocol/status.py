"""The picture of everything for people, as plain values: schema hotline.status/1."""

from __future__ import annotations

from typing import Any

from hotline.civil import iso_utc
from hotline.limits import KEY_ELSEWHERE_SHOWN, PROMISES_SHOWN_MAX, WIRE_VERSION
from hotline.machine import Instant, Plane
from hotline.protocol.channeltests import ChannelTests
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.objectives import spoken
from hotline.protocol.paths import Path
from hotline.protocol.presence import presence_word
from hotline.protocol.promises import Promises, overdue
from hotline.wire.v1 import content_pb2


def status(endpoint: Endpoint, now: Instant) -> dict[str, Any]:
    """What an officer needs to see first: link, paths, queue, peer, keys, ledger, alarms that hold now."""
    ctx, front = endpoint.context, endpoint.context.front
    up = front.paths_up
    return {
        "schema": "hotline.status/1",
        "time": iso_utc(now.wall),
        "wire_version": WIRE_VERSION,
        "charter": endpoint.charters.hash.hex(),
        "charter_serial": endpoint.charters.serial,
        "charter_next": _next_charter(endpoint),
        "charter_peer": endpoint.charters.peer_serial or None,
        "notice_days": 0 if ctx.setup.standing is None else ctx.setup.standing.notice_days,
        "depositary": "" if ctx.setup.standing is None else ctx.setup.standing.depositary,
        "party": ctx.setup.local.party,
        "terminal": ctx.setup.local.name,
        "peer": _peer(endpoint, now),
        "link": "up" if up else "no-path",
        "paths": [_path(path, now) for path in front.paths.values()],
        "terminals": [_terminal(endpoint, number, now) for number in sorted(endpoint.standing.sides)],
        "planes": {plane.value: _plane(endpoint, plane) for plane in Plane},
        "keys": _keys(endpoint, now),
        "ledger": _ledger(endpoint),
        "presence": {
            "word": presence_word(endpoint.presence.word),
            "until": iso_utc(endpoint.presence.until) if endpoint.presence.until else None,
        },
        "promises": _promises(endpoint.promises),
        "tests": _tests(endpoint.tests, now),
        "alarms": _alarms(endpoint, up, now),
    }


def at_a_glance(party: str, endpoint: Endpoint, now: Instant) -> dict[str, Any]:
    """One other party among several: whether it is heard, and what each of the two has not acknowledged."""
    ctx = endpoint.context
    real = ctx.outboxes[Plane.REAL]
    unread, more = ctx.oldest_unread(Plane.REAL)
    return {
        "party": party,
        "verdict": _verdict(endpoint, now),
        "paths_up": ctx.paths_up,
        "sent_through": real.last_serial,
        "not_delivered": sorted(real.pending),
        "unread_here": unread,
        "unread_more": more,
        "alarms": [alarm["name"] for alarm in _alarms(endpoint, ctx.paths_up, now)],
    }


def _peer(endpoint: Endpoint, now: Instant) -> dict[str, Any]:
    ctx, said = endpoint.context.front, endpoint.context.peer
    peer = ctx.peer
    return {
        "party": ctx.setup.remote.party,
        "terminal": ctx.setup.remote.name,
        "heard_ms_ago": None if peer.heard_at is None else now.mono - peer.heard_at,
        "presence": presence_word(said.presence),
        "presence_until": iso_utc(said.presence_until) if said.presence_until else None,
        "verdict": _verdict(endpoint, now),
        "ledger_size": peer.log_size,
        "clock_offset_ms": peer.clock_offset_ms,
    }


def _next_charter(endpoint: Endpoint) -> dict[str, Any] | None:
    coming = endpoint.charters.next
    return None if coming is None else {"serial": coming.serial, "hash": coming.hash.hex()}


def _terminal(endpoint: Endpoint, number: int, now: Instant) -> dict[str, Any]:
    """One terminal of the charter: whether it speaks for its party, and whether it is heard here."""
    standing, ctx = endpoint.standing, endpoint.context
    side = standing.sides[number]
    line = next((line for line in endpoint.context.lines if line.setup.remote.number == number), None)
    heard_at = None if line is None else line.peer.heard_at
    return {
        "number": number,
        "party": side.party,
        "terminal": side.name,
        "here": line is None,
        "speaks": standing.active if line is None else standing.speaks(number),
        "term": standing.turns[side.party].term,
        "by_rule": standing.speaks(number) and standing.by_rule(side.party),
        "travels": _travels(ctx.setup.travels.get(number), now),
        "heard_ms_ago": None if heard_at is None else now.mono - heard_at,
        "paths_up": None if line is None else line.paths_up,
    }


def _travels(span: tuple[int, int] | None, now: Instant) -> dict[str, Any] | None:
    if span is None:
        return None
    times = {"from": iso_utc(span[0]), "until": iso_utc(span[1])} if span[1] else {"from": None, "until": None}
    return {"active": span[0] <= now.wall < span[1], **times}


def _path(path: Path, now: Instant) -> dict[str, Any]:
    return {
        "name": path.setup.name,
        "profile": path.setup.profile.name,
        "state": path.state.value,
        "for_ms": None if path.since is None else now.mono - path.since,
        "heard_ms_ago": None if path.heard_at is None else now.mono - path.heard_at,
        "round_trip_ms": path.round_trip_ms,
    }


def _plane(endpoint: Endpoint, plane: Plane) -> dict[str, Any]:
    ctx = endpoint.context
    outbox, inbox = ctx.outboxes[plane], ctx.inboxes[plane]
    gap = ctx.gap(plane)
    unread, more = ctx.oldest_unread(plane)
    return {
        "sent_through": outbox.last_serial,
        "waiting": len(ctx.owed(plane)),
        "received_through": inbox.through,
        "held": len(inbox.ahead),
        "unread": unread,
        "unread_more": more,
        "missing": None if gap is None else list(gap),
    }


def _keys(endpoint: Endpoint, now: Instant) -> dict[str, Any]:
    ctx = endpoint.context.front
    newest, peers = ctx.prekeys.newest, ctx.session.peer_prekey
    return {
        "prekey_generation": None if newest is None else newest.generation,
        "peer_prekey_generation": None if peers is None else peers.generation,
        "can_seal": ctx.session.can_seal(now),
        "courier_usable": endpoint.courier.usable(now),
    }


def _ledger(endpoint: Endpoint) -> dict[str, Any]:
    own, peer, head = endpoint.own_log, endpoint.peer_log, endpoint.context.ledger.head()
    policy, known = endpoint.context.setup.policy, own.known_to(endpoint.context.setup.remote_log.base)
    return {
        "log_epoch": head.epoch,
        "size": head.size,
        "root": head.root.hex(),
        "vouched": own.vouched,
        "awaited": own.awaited,
        "peer_linked": known.linked,
        "peer_cosigned": known.cosigned,
        "witnessed": own.witnessed,
        "quorum": None if policy is None or not policy.quorum else not own.quorum_lost,
        "peer_log_epoch": None if peer.linked is None else peer.linked.epoch,
        "peer_size": None if peer.linked is None else peer.linked.size,
    }


def _tests(tests: ChannelTests, now: Instant) -> dict[str, Any]:
    kept = tests.kept
    sent = {"serial": kept.sent, "time": iso_utc(kept.sent_at), "outcome": tests.outcome()}
    return {
        "interval_ms": tests.interval,
        "sent": sent if kept.sent else None,
        "received": {"serial": kept.received, "time": iso_utc(kept.received_at)} if kept.received else None,
        "next_due": iso_utc(tests.next_due(now)) if tests.interval else None,
        "missed": kept.missed,
        "undelivered": kept.undelivered,
    }


_LATE = {
    "not-delivered": "has not been delivered",
    "not-read": "was delivered and has not been read",
    "unread": "has not been opened here",
}


def _verdict(endpoint: Endpoint, now: Instant) -> dict[str, str]:
    """Fault, refusal or silence of people, with what it rests on (docs/protocol.md 20.11)."""
    ctx, peer = endpoint.context, endpoint.context.peer
    last = ctx.speaking.peer.heard_wall
    if last is not None and peer.presence == content_pb2.PRESENCE_CLOSING and not ctx.speaking.peer_is_heard:
        return {"word": "closed", "text": f"stopped in good order, heard last {iso_utc(last)}"}
    if not ctx.front.peer_is_heard:
        last = max([line.peer.heard_wall for line in ctx.peers if line.peer.heard_wall is not None], default=None)
        if last is None:
            return {"word": "fault", "text": "not heard on any path since this terminal started: fault"}
        return {"word": "fault", "text": f"silent since {iso_utc(last)} on all paths: fault"}
    name = presence_word(peer.presence)
    until = f" until {iso_utc(peer.presence_until)}" if peer.presence_until else ""
    said = f" by word of {iso_utc(peer.presence_at)}" if peer.presence != content_pb2.PRESENCE_ALIVE else ""
    text = f"present, {name.upper()}{until}{said}"
    word = "declined" if peer.presence == content_pb2.PRESENCE_DECLINED else "present"
    pending = endpoint.objectives.late(now).get(("not-delivered", Plane.REAL))
    unread = endpoint.objectives.oldest_unread_there(now)
    if pending is not None:
        text += f"; #{pending[0]} not delivered for {spoken(pending[1])} all the same"
        word = "undelivered" if word == "present" else word
    elif unread is not None:
        text += f"; #{unread[0]} delivered, unread for {spoken(unread[1])}"
        word = "unread" if word == "present" else word
    return {"word": word, "text": text}


def _promises(promises: Promises) -> list[dict[str, Any]]:
    """Those that fall due first."""
    first = sorted((promise.until, key) for key, promise in promises.open.items())[:PROMISES_SHOWN_MAX]
    return [
        {
            "way": way,
            "plane": plane.value,
            "serial": serial,
            "until": iso_utc(until),
            "overdue": promises.open[way, plane, serial].overdue,
        }
        for until, (way, plane, serial) in first
    ]


def _alarms(endpoint: Endpoint, up: int, now: Instant) -> list[dict[str, str]]:
    ctx = endpoint.context
    found = []
    if endpoint.standing.asleep:
        found.append({"name": "inactive", "text": "this terminal travels, and is not activated: nothing comes or goes"})
    elif up == 0:
        found.append({"name": "no-path", "text": "the peer is not heard on any path; statements are queued"})
    elif up == 1 and len(ctx.paths) > 1:
        found.append({"name": "single-path", "text": "only one path is left"})
    replaced = [path.replaced_at for path in ctx.paths.values() if path.replaced_at is not None]
    if replaced and now.mono - max(replaced) < KEY_ELSEWHERE_SHOWN:
        text = "another holder of this terminal's key had our place at a relay: stolen, used twice, or the relay lies"
        found.append({"name": "key-elsewhere", "text": text})
    for plane, inbox in ctx.inboxes.items():
        if inbox.gap_reported is not None:
            first, last = inbox.gap_reported
            text = f"{plane.value}: the peer has sent #{first} to #{last}, which have not arrived"
            found.append({"name": "gap", "text": text})
    if endpoint.tests.kept.missed:
        text = f"{endpoint.tests.kept.missed} channel tests of the peer have not come: look at the line"
        found.append({"name": "test-missed", "text": text})
    if endpoint.tests.kept.undelivered:
        text = f"{endpoint.tests.kept.undelivered} channel tests of ours had no receipt in time: look at the line"
        found.append({"name": "test-undelivered", "text": text})
    late = sorted(key for key, promise in endpoint.promises.open.items() if promise.overdue)
    for way, plane, serial in late[:PROMISES_SHOWN_MAX]:
        promise = endpoint.promises.open[way, plane, serial]
        text = f"{plane.value}: {overdue(way, serial)} ({iso_utc(promise.until)})"
        found.append({"name": "promise-overdue", "text": text})
    if endpoint.charters.differ(now):
        text = f"here charter {endpoint.charters.serial} is in force, at the peer {endpoint.charters.peer_serial}"
        found.append({"name": "charter-differs", "text": text})
    for (name, plane), (serial, waited, count) in sorted(endpoint.objectives.late(now).items()):
        more = f" and {count - 1} more" if count > 1 else ""
        found.append({"name": name, "text": f"{plane.value}: #{serial}{more} {_LATE[name]} for {spoken(waited)}"})
    if endpoint.own_log.quorum_lost:
        text = f"no quorum of witnesses; {endpoint.own_log.witnessed} entries are witnessed; messages go on"
        found.append({"name": "no-quorum", "text": text})
    clocks = [line.peer.clock_offset_ms for line in ctx.peers if line.peer.clock_alarmed]
    if clocks:
        found.append({"name": "clock", "text": f"the peer's clock differs by {clocks[0]} ms"})
    return found
