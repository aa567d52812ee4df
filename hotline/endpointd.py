"""The endpoint daemon: configuration -> keys, charter, store -> machine, driver, streams, operator socket -> run.

The only module that knows both the protocol and the runtime.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from hotline import __version__
from hotline.charter.parts import Terminal
from hotline.charter.profiles import PROFILES
from hotline.config import EndpointConfig
from hotline.crypto.signing import SigningKey
from hotline.errors import ConfigError, HotlineError, StorageError
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.log import Ledger
from hotline.ledger.policy import PolicyWitness
from hotline.ledger.tree import Frontier
from hotline.machine import Machine
from hotline.materials import Materials, under_standing
from hotline.protocol.charters import kept_charter, path_of, terms_of
from hotline.protocol.conference import Conference, ConferenceEvent
from hotline.protocol.context import EndpointSetup, LogIdentity, Other
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.events import Audited, Closing, Started, Suspicion
from hotline.protocol.session import Side
from hotline.protocol.status import at_a_glance
from hotline.runtime.alarmcommand import AlarmCommand
from hotline.runtime.contentkeys import ContentKeys
from hotline.runtime.credentials import OwnTls, RelayTarget
from hotline.runtime.dialer import Dialer
from hotline.runtime.driver import Driver, settle_memory, system_clock
from hotline.runtime.gate import Gate
from hotline.runtime.interrupts import to_end
from hotline.runtime.logs import get_logger
from hotline.runtime.lookups import Lookups
from hotline.runtime.metrics import EndpointMetrics
from hotline.runtime.notify import notify
from hotline.runtime.operators import OperatorService
from hotline.runtime.ratchet import Ratchet, suspicion
from hotline.runtime.retention import Retention
from hotline.runtime.store import KEY_FOLDER, EndpointStore
from hotline.runtime.watchers import Watchers
from hotline.runtime.witnesses import Submitter
from hotline.runtime.world import EndpointWorld

_CLOSE_SECONDS = 1.5
_WATCHDOG_SECONDS = 5.0
_HOUSE_SECONDS = 1.0


class EndpointDaemon:
    """One running endpoint. `start`, then `wait`, then `stop`."""

    def __init__(self, config: EndpointConfig, materials: Materials) -> None:
        self._config = config
        peers = [remote.party for remote in materials.remotes]
        self.watchers = Watchers(peers if len(peers) > 1 else [""])
        self._ledger_key = SigningKey(materials.secret.ledger)
        self._log_identity = LogIdentity(materials.charter.log_base(materials.local), materials.local.ledger)
        keys = ContentKeys(config.store / KEY_FOLDER, materials.secret.storage)
        self.store = EndpointStore(config.store, self._make_ledger, keys)
        try:
            self._materials = under_standing(config, materials, kept_charter(self.store.rows("fact")))
        except HotlineError:
            self.store.close()
            raise
        self.retention = Retention(config.retention_months, keys)
        self.ratchet = Ratchet(config.ratchet or config.store.with_name(f"{config.store.name}.ratchet"))
        self._world = EndpointWorld(self.store, self.watchers)
        self._rows: dict[str, Lookups] = {}
        now = system_clock()
        self.members: dict[str, Endpoint] = {}
        """Where there are several other parties, what this terminal has with each; `endpoint` is the first."""
        if len(self._materials.remotes) > 1:
            conference = Conference(self._setups(), os.urandom, self._ports, self.store, now)
            self.members, self.endpoint = conference.members, conference.first
            self.driver: Driver[ConferenceEvent] = Driver(conference, self._world)
        else:
            self.endpoint = Endpoint(self._setups()[0], os.urandom, self.store, self.store, self.store, now)
            # Nobody names a party where there is one other.
            self.driver = Driver(cast("Machine[ConferenceEvent]", self.endpoint), self._world)
        self._world.metrics = EndpointMetrics(self.endpoint)
        self._dialing: dict[str, asyncio.Task[None]] = {}
        self._house: list[asyncio.Task[None]] = []
        self._witnesses: Sequence[PolicyWitness] = ()
        self.health = health_aio.HealthServicer()
        self._telling: set[asyncio.Task[None]] = set()
        officers = {officer.uid: officer.name for officer in config.operator.officer}
        socket = config.operator.socket
        windows = {"": socket} | {party: socket.with_name(f"{socket.name}.{party}") for party in self.members}
        self._gates = [
            Gate(path, officers, partial(self._make_service, party), self.health, is_named=self._is_named)
            for party, path in windows.items()
        ]
        self._strangers: set[str] = set()
        self._world.on_path = self._tell_health
        self._world.on_charter = self._stand

    def _is_named(self, officer: str) -> bool:
        """Whether he is an officer of our party by the charter in force."""
        charter = self.endpoint.context.setup.standing or self._materials.charter
        return any((one.party, one.name) == (self._config.party, officer) for one in charter.officers)

    def _tell_strangers(self) -> None:
        """Of officers who stand in the configuration alone, once for each charter that does not name them."""
        strangers = {one.name for one in self._config.operator.officer if not self._is_named(one.name)}
        for name in sorted(strangers - self._strangers):
            meaning = (
                "the charter in force does not name him: he may look, and neither send nor read (docs/protocol.md 14.1)"
            )
            get_logger("endpoint").warning("officer", name=name, meaning=meaning)
            for gate in self._gates:
                gate.turn_out(name)
        self._strangers = strangers

    def _tell_health(self) -> None:
        """The service `hotline.peer` serves while the peer answers on some path."""
        members = self.members.values() or (self.endpoint,)
        heard = all(any(line.peer_is_heard for line in member.context.peers) for member in members)
        answer = health_pb2.HealthCheckResponse.SERVING if heard else health_pb2.HealthCheckResponse.NOT_SERVING
        self._later(self.health.set("hotline.peer", answer))

    def _make_ledger(self, epoch: int, frontier: Frontier, last_timestamp_ms: int) -> Ledger:
        return Ledger(self._log_identity.base, self._ledger_key, epoch, frontier, last_timestamp_ms, os.urandom)

    def _suspicion(self) -> Suspicion | None:
        store = self.store
        self.ratchet.check()
        kept = self.ratchet.load(self._log_identity)
        return suspicion(store.head(), store.loaded.note, kept, self._log_identity, store.root_at)

    def _ports(self, party: str) -> tuple[Lookups, Lookups]:
        rows = self._rows[party] = self.store.of(party)
        return rows, rows

    def _make_service(self, party: str, officer: str | None) -> OperatorService:
        """What an officer sees at one window: all, or, of several other parties, what is about one of them."""
        window = party or next(iter(self.members), "")
        endpoint = self.members.get(window, self.endpoint)
        rows = self.store if endpoint is self.endpoint else self._rows[window]
        return OperatorService(self.driver, endpoint, rows, self.watchers, officer, self._extra_status, window)

    def _extra_status(self) -> Mapping[str, Any]:
        errors = {name: dialer.last_error for name, dialer in self._world.dialers.items() if dialer.last_error}
        now = system_clock()
        parties = [at_a_glance(party, member, now) for party, member in self.members.items()]
        alarms = self.retention.alarms(now)
        return {"version": __version__, "stream_errors": errors, "parties": parties, "alarms": alarms}

    def _setups(self) -> list[EndpointSetup]:
        """What an endpoint is given, for each other party."""
        remotes, log_of = self._materials.remotes, self._materials.charter.log_base
        logs = [LogIdentity(log_of(remote), remote.ledger) for remote in remotes]
        if len(remotes) == 1:
            return [self._setup(remotes[0])]
        return [
            replace(
                self._setup(remote),
                everyone=True,
                others=(),
                fellow_logs=tuple(log for log in logs if log.base != log_of(remote)),
            )
            for remote in remotes
        ]

    def _setup(self, remote: Terminal) -> EndpointSetup:
        materials, config = self._materials, self._config
        charter, local = materials.charter, materials.local
        profiles = {relay: PROFILES[name] for relay, name in config.profile.items()}
        return EndpointSetup(
            charter=charter.founding,
            local=Side(local.number, local.party, local.name, local.signing),
            remote=Side(remote.number, remote.party, remote.name, remote.signing),
            signing=SigningKey(materials.secret.signing),
            storage_key=materials.secret.storage,
            pairwise=materials.pairwise[remote.party],
            local_log=self._log_identity,
            remote_log=LogIdentity(charter.log_base(remote), remote.ledger),
            cosigner=Ed25519Cosigner(self._log_identity.base, SigningKey(materials.secret.ledger)),
            paths=tuple(path_of(relay, profiles) for relay in charter.relays),
            outbox_max=config.limits.outbox_max,
            version=__version__,
            config=hashlib.sha256(config.model_dump_json().encode()).hexdigest(),
            others=tuple(
                Other(
                    Side(other.number, other.party, other.name, other.signing),
                    LogIdentity(charter.log_base(other), other.ledger),
                )
                for other in charter.terminals
                if other.number not in (local.number, remote.number)
            ),
            profiles=profiles,
            **terms_of(charter, materials.note),
        )

    def _stand(self) -> None:
        """Dial the relays, and ask the witnesses, of the charter in force and of the next one; no others."""
        self._tell_strangers()
        own = OwnTls(self._materials.secret.tls_private_pem, self._materials.secret.tls_certificate_der)
        wanted = {}
        relays = self.endpoint.charters.relays
        for name, path in self.endpoint.context.paths.items():
            kept = self._world.dialers.get(name)
            relay = relays.get(name)
            if relay is None:  # retired; it stays until the peer stands under the same charter
                wanted[name] = kept.target if kept is not None else None
                continue
            address = self._config.relays.get(name, relay.address)
            wanted[name] = RelayTarget(name, address, relay.tls_certificate_der, path.setup.profile)
        for name in [name for name, dialer in self._world.dialers.items() if wanted.get(name) != dialer.target]:
            self._dialing.pop(name).cancel()
            del self._world.dialers[name]
        for name, target in wanted.items():
            if target is not None and name not in self._world.dialers:
                dialer = self._world.dialers[name] = Dialer(target, own, self.driver)
                self._dialing[name] = self._kept_up(dialer.run())
        self._witness()

    def _witness(self) -> None:
        policy = self.endpoint.context.setup.policy
        witnesses = () if policy is None else policy.witnesses
        if self._world.submitter is None or witnesses != self._witnesses:
            former, self._witnesses = self._world.submitter, witnesses
            driver, prove = self.driver, self.store.consistency_of
            submitter = Submitter(witnesses, self._log_identity.base, prove, driver.post, driver.fail)
            self._world.submitter = submitter
            if former is not None:
                self._later(former.close())
                submitter.ask_all(self.endpoint.own_log.epoch)

    def _kept_up(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the daemon; one that fails would be missed by nobody, so the daemon stops and says why."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.driver.fail(error)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._kept_up(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def start(self) -> None:
        """Open the operator socket and dial every relay. Raises ConfigError."""
        self._witness()
        command = AlarmCommand(self._config.alarm.command, self._config.party, self._config.terminal, self.driver.post)
        self._world.on_alarm = command.tell
        self.driver.post(Started(self._suspicion()))
        await self.driver.settled()
        if self.driver.failed.done():
            raise StorageError(str(self.driver.failed.result()))
        await self.health.set("", health_pb2.HealthCheckResponse.SERVING)
        await self.health.set("hotline.peer", health_pb2.HealthCheckResponse.NOT_SERVING)
        for gate in self._gates:
            await gate.open()
        if self._config.metrics.listen is not None and self._world.metrics is not None:
            try:
                self._world.metrics.listen(self._config.metrics.listen)
            except OSError as error:
                raise ConfigError(f"metrics.listen: {self._config.metrics.listen}: {error.strerror}") from error
        self._stand()
        self._house += [self._kept_up(one) for one in (self._keep_house(), command.run())]
        if self._world.submitter is not None:
            self._world.submitter.ask_all(self.endpoint.own_log.epoch)

    async def _keep_house(self) -> None:
        """Every second: the ratchet follows the log, readings of the record enter it, what is too old goes."""
        loop = asyncio.get_running_loop()
        seen = 0
        while True:
            await asyncio.sleep(_HOUSE_SECONDS)
            try:
                await loop.run_in_executor(None, self.ratchet.keep, self.store.head().note)
            except ConfigError as error:
                get_logger("endpoint").error("ratchet", reason=str(error))
            for request, kind, who, what in self.store.audit_requests():
                if request > seen:
                    seen = request
                    self.driver.post(Audited(kind, who, what, request))
            await self._destroy_old_keys()

    async def _destroy_old_keys(self) -> None:
        """Destroy the keys of months whose time is over; that it is done is in the ledger before it is."""
        due = self.retention.due(system_clock(), self.endpoint.own_log.others_time())
        for period in due:
            self.driver.post(Audited("destroy", "retention", period, 0))
        if due:
            await self.driver.settled()
        for period in due if not self.driver.failed.done() else ():
            try:
                self.store.keys.destroy(period)
            except StorageError as error:
                get_logger("endpoint").error("retention", reason=str(error))

    async def stop(self) -> None:
        """Tell the peer, finish what is decided, let frames leave, close everything. At most two seconds."""
        if not self.driver.failed.done():
            self.driver.post(Closing())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.driver.settled(), _CLOSE_SECONDS)
            await asyncio.sleep(0.05)  # the last frames are with gRPC; give its threads one turn
        await asyncio.gather(*(gate.close(0.2) for gate in self._gates))
        if self._world.submitter is not None:
            await self._world.submitter.close()
        for task in (tasks := [*self._dialing.values(), *self._house]):
            task.cancel()
        await asyncio.gather(*tasks, *self._telling, return_exceptions=True)
        self.driver.close()
        with contextlib.suppress(ConfigError):
            self.ratchet.keep(self.store.head().note)
        self.store.close()


async def serve(config: EndpointConfig, materials: Materials) -> None:
    """Run until SIGTERM, SIGINT or SIGHUP. Raises what stopped the daemon otherwise."""
    log = get_logger("endpoint")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in to_end():
        loop.add_signal_handler(number, stopping.set)
    daemon = EndpointDaemon(config, materials)
    try:
        await daemon.start()
        settle_memory()
        notify(f"READY=1\nSTATUS=serving {materials.local.party}/{materials.local.name}")
        log.info(
            "ready", party=materials.local.party, terminal=materials.local.name, socket=str(config.operator.socket)
        )
        waiting = asyncio.create_task(stopping.wait())
        while not waiting.done() and not daemon.driver.failed.done():
            await asyncio.wait(
                (waiting, daemon.driver.failed), timeout=_WATCHDOG_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            notify("WATCHDOG=1")
        waiting.cancel()
        notify("STOPPING=1")
    finally:
        await daemon.stop()
    if daemon.driver.failed.done():
        error = daemon.driver.failed.result()
        log.error("stopped", reason=str(error))
        raise error
    log.info("stopped", reason="asked to")
