"""The relay daemon: configuration -> key, charters, store -> machine, driver, gRPC -> run."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import grpc.aio
import prometheus_client
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter, RelayEntry
from hotline.charter.secrets import RelaySecret, decode_secret
from hotline.charter.succession import check_follows
from hotline.crypto.signing import SigningKey
from hotline.errors import ConfigError, KeyFileError
from hotline.files import naming, read_public, read_secret, replace
from hotline.limits import RELAY_CONNECTIONS_MAX, RELAY_OTHER_FILES
from hotline.machine import Delivery
from hotline.runtime.credentials import OwnTls, server_credentials, server_options
from hotline.runtime.driver import Driver, settle_memory
from hotline.runtime.interrupts import to_end
from hotline.runtime.logs import get_logger
from hotline.runtime.notify import notify
from hotline.wire.v1 import relay_pb2_grpc
from relay.config import RelayConfig
from relay.machine import Closing, Hotline, Relay, RelayEvent
from relay.mailbox import Held
from relay.service import Links, RelayService, RelayWorld
from relay.store import SqliteMailboxStore

_CLOSE_SECONDS = 1.0
_WATCHDOG_SECONDS = 5.0
SERVICE_NAME = "hotline.wire.v1.RelayService"


@dataclass(frozen=True, slots=True)
class Materials:
    """What files give a relay, checked against each other."""

    secret: RelaySecret
    charters: tuple[Charter, ...]
    entries: tuple[RelayEntry, ...]


def load_materials(config: RelayConfig, passphrase: bytes | None = None) -> Materials:
    """Read and cross-check key and charters. Raises HotlineError naming the file."""
    _, secret = naming(config.key, lambda: decode_secret(RelaySecret, read_secret(config.key), passphrase))
    charters, entries = [], []
    for name in config.charters:
        charter, entry = naming(Path(name), partial(_entry, Path(name), config.name))
        if (entry.signing, entry.tls_certificate_der) != (
            SigningKey(secret.signing).public,
            secret.tls_certificate_der,
        ):
            raise KeyFileError(f"{config.key}: not the key that {name} names for {config.name}")
        charters.append(charter)
        entries.append(entry)
    if len({charter.hash for charter in charters}) != len(charters):
        raise ConfigError("charters: one charter is named twice")
    for older, newer in pairwise(sorted(charters, key=lambda charter: (charter.founding, charter.serial))):
        if older.founding == newer.founding:
            check_follows(newer, older)
    return Materials(secret, tuple(charters), tuple(entries))


def hotlines(charters: Iterable[Charter]) -> list[Hotline]:
    """Every hotline once: while one goes from one charter to the next, the terminals of both are let in."""
    found: dict[bytes, dict[str, int]] = {}
    for charter in charters:
        numbers = {terminal.tls_fingerprint: terminal.number for terminal in charter.terminals}
        found.setdefault(charter.founding, {}).update(numbers)
    return [Hotline(founding, numbers) for founding, numbers in found.items()]


def _entry(path: Path, name: str) -> tuple[Charter, RelayEntry]:
    charter = load_charter(read_public(path))
    return charter, charter.relay(name)


class Observer:
    """Log and metrics of a relay. Neither can hold content: the relay has none."""

    def __init__(self) -> None:
        self._log = get_logger("relay")
        self.registry = prometheus_client.CollectorRegistry()
        self._refused = prometheus_client.Counter(
            "hotline_relay_refused_total", "Frames refused", ["reason"], registry=self.registry
        )

    def told(self, delivery: Delivery) -> None:
        """Write one line."""
        if delivery.kind == "refused":
            count = delivery.fields.get("count")
            self._refused.labels(str(delivery.fields["reason"])).inc(count if isinstance(count, int) else 1)
            self._log.warning("refused", **delivery.fields)
        else:
            self._log.info(delivery.kind, **delivery.fields)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Offer one number, read when it is asked for."""
        prometheus_client.Gauge(name, text, registry=self.registry).set_function(value)


MakeRelay = Callable[[str, SigningKey, Iterable[Hotline], Iterable[tuple[bytes, int, Held]]], Relay]
"""As Relay is constructed: name, signing key, hotlines, what was stored."""


async def serve(config: RelayConfig, materials: Materials, make: MakeRelay = Relay) -> None:
    """Run until SIGTERM, SIGINT or SIGHUP. Raises what stopped the relay otherwise.

    `make` constructs the machine: a drill has one that does not do what it signs for.
    """
    log = get_logger("relay")
    async with contextlib.AsyncExitStack() as until:
        store = SqliteMailboxStore(config.store)
        until.callback(store.close)
        saved = store.load()
        if store.damaged:
            log.error("damaged", rows=store.damaged, meaning="dropped; their senders repeat them")
        machine = make(config.name, SigningKey(materials.secret.signing), hotlines(materials.charters), saved)
        observer, links = Observer(), Links()
        driver: Driver[RelayEvent] = Driver(machine, RelayWorld(store, links, observer))
        until.callback(driver.close)
        server, health, port = await _listen(config, materials, driver, links)
        until.push_async_callback(server.stop, 0.3)
        _offer_metrics(config, observer, machine)
        stopping = asyncio.Event()
        for number in to_end():
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        if config.port_file is not None:
            replace(config.port_file, f"{port}\n".encode())
        settle_memory()
        log.info("ready", name=config.name, port=port, held=machine.held)
        notify(f"READY=1\nSTATUS=listening on port {port}")
        waiting = asyncio.create_task(stopping.wait())
        try:
            while not waiting.done() and not driver.failed.done():
                await asyncio.wait(
                    (waiting, driver.failed), timeout=_WATCHDOG_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                notify("WATCHDOG=1")
        finally:
            waiting.cancel()
            notify("STOPPING=1")
            await health.set(SERVICE_NAME, health_pb2.HealthCheckResponse.NOT_SERVING)
            driver.post(Closing())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(driver.settled(), _CLOSE_SECONDS)
            links.hang_up_all()
    if driver.failed.done():
        error = driver.failed.result()
        log.error("stopped", reason=str(error))
        raise error
    log.info("stopped", reason="asked to")


def _connections() -> int:
    """How many connections there may be: RELAY_CONNECTIONS_MAX, or as many files as the system lets us have.

    A relay that ran out of files could not open its own store; so it raises its own limit, and stays below it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RELAY_CONNECTIONS_MAX + RELAY_OTHER_FILES
    files = wanted if hard == resource.RLIM_INFINITY else max(soft, min(hard, wanted))
    if files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return min(RELAY_CONNECTIONS_MAX, max(1, files - RELAY_OTHER_FILES))


async def _listen(
    config: RelayConfig, materials: Materials, driver: Driver[RelayEvent], links: Links
) -> tuple[grpc.aio.Server, health_aio.HealthServicer, int]:
    slow = any(entry.profile.name != "fibre" for entry in materials.entries)
    server = grpc.aio.server(options=server_options(slow, _connections()))
    terminals = [terminal for charter in materials.charters for terminal in charter.terminals]
    service = RelayService(driver, links, {terminal.tls_fingerprint for terminal in terminals})
    relay_pb2_grpc.add_RelayServiceServicer_to_server(service, server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    own = OwnTls(materials.secret.tls_private_pem, materials.secret.tls_certificate_der)
    clients = list(dict.fromkeys(terminal.tls_certificate_der for terminal in terminals))
    # The relay's own certificate is let in for `hotline-relay check --health`; it is no terminal and is not admitted.
    clients.append(own.certificate_der)
    try:
        port = server.add_secure_port(config.listen, server_credentials(own, clients))
    except RuntimeError as error:
        raise ConfigError(f"listen: {config.listen} cannot be listened on (is another relay running there?)") from error
    await server.start()
    for name in ("", SERVICE_NAME):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server, health, port


def _offer_metrics(config: RelayConfig, observer: Observer, machine: Relay) -> None:
    observer.gauge("hotline_relay_held_envelopes", "Envelopes held", lambda: machine.held)
    observer.gauge("hotline_relay_attached_terminals", "Terminals attached", lambda: machine.attached)
    observer.gauge(
        "hotline_relay_forwarded_envelopes", "Envelopes forwarded since the start", lambda: machine.forwarded
    )
    observer.gauge("hotline_relay_refusals", "Envelopes and frames refused since the start", lambda: machine.refused)
    observer.gauge("hotline_relay_stored_envelopes", "Envelopes stored since the start", lambda: machine.stored)
    if config.metrics.listen is not None:
        host, _, port = config.metrics.listen.rpartition(":")
        try:
            prometheus_client.start_http_server(int(port), host.strip("[]"), registry=observer.registry)
        except OSError as error:
            raise ConfigError(f"metrics.listen: {config.metrics.listen}: {error.strerror}") from error
