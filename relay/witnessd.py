"""The witness daemon: configuration -> key, charters, store -> HTTP -> run until it is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hotline.charter.model import load_charter
from hotline.charter.parts import Charter
from hotline.charter.secrets import WitnessSecret, decode_secret
from hotline.crypto.mldsa44 import PostQuantumKey
from hotline.crypto.signing import SigningKey
from hotline.errors import StorageError
from hotline.files import naming, read_public, read_secret, replace
from hotline.ledger.cosignature import Cosigner, Ed25519Cosigner, MlDsa44Cosigner
from hotline.ledger.log import split_origin
from hotline.ledger.note import Ed25519Verifier, Verifier
from hotline.ledger.witness import Witness
from hotline.runtime.interrupts import to_end
from hotline.runtime.logs import get_logger
from hotline.runtime.notify import notify
from relay.config import ServerConfig, load_server_config
from relay.witness import WitnessServer, WitnessService, WitnessStore

_POLL_SECONDS: Final = 0.2


class WitnessConfig(ServerConfig):
    """The configuration of one witness."""

    post_quantum: bool = False


def load_witness_config(path: Path) -> WitnessConfig:
    """Read and check a witness's configuration. Raises ConfigError with every problem."""
    return load_server_config(path, WitnessConfig, {"HOTLINE_WITNESS_STORE": "store", "HOTLINE_WITNESS_KEY": "key"})


@dataclass(frozen=True, slots=True)
class WitnessMaterials:
    """What files give a witness."""

    name: str
    cosigners: tuple[Cosigner, ...]
    charters: tuple[Charter, ...]


def load_witness_materials(config: WitnessConfig, passphrase: bytes | None = None) -> WitnessMaterials:
    """Read key and charters. Raises HotlineError naming the file."""
    name, secret = naming(config.key, lambda: decode_secret(WitnessSecret, read_secret(config.key), passphrase))
    cosigners: list[Cosigner] = [Ed25519Cosigner(name, SigningKey(secret.signing))]
    if config.post_quantum:
        cosigners.append(MlDsa44Cosigner(name, PostQuantumKey(secret.post_quantum)))
    charters = [naming(Path(path), lambda path=path: load_charter(read_public(Path(path)))) for path in config.charters]  # type: ignore[misc]
    return WitnessMaterials(name, tuple(cosigners), tuple(charters))


def pinned(charters: tuple[Charter, ...]) -> Callable[[str], Verifier | None]:
    """Keys of the logs of the terminals in `charters`, in every log epoch; of no other log."""
    keys = {charter.log_base(terminal): terminal.ledger for charter in charters for terminal in charter.terminals}

    def find(origin: str) -> Verifier | None:
        found = split_origin(origin)
        if found is None or found[0] not in keys:
            return None
        return Ed25519Verifier(origin, keys[found[0]])

    return find


def serve(config: WitnessConfig, materials: WitnessMaterials) -> None:
    """Run until SIGTERM, SIGINT or SIGHUP. Raises what stopped the witness otherwise."""
    log = get_logger("witness")
    stopping = threading.Event()
    for number in to_end():
        signal.signal(number, lambda *_: stopping.set())
    store = WitnessStore(config.store)
    service = WitnessService(Witness(pinned(materials.charters), materials.cosigners), store)
    server = WitnessServer(config.listen, service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_SECONDS}, daemon=True)
    thread.start()
    port = server.server_address[1]
    try:
        if config.port_file is not None:
            replace(config.port_file, f"{port}\n".encode())
        notify(f"READY=1\nSTATUS=witnessing on port {port}")
        log.info("ready", name=materials.name, port=port)
        while not stopping.wait(_POLL_SECONDS) and not service.failed.is_set():
            notify("WATCHDOG=1")
    finally:
        notify("STOPPING=1")
        server.shutdown()
        server.server_close()
        thread.join()
        store.close()
    if service.failed.is_set():
        log.error("stopped", reason=service.reason)
        raise StorageError(service.reason)
    log.info("stopped", reason="asked to")
