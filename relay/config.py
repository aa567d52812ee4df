"""The configuration of a relay daemon, and what it shares with that of a witness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from hotline.config import Address, FilePath, LogSettings, MetricsSettings, Settings, load_toml


class ServerConfig(Settings):
    """What a relay and a witness are both told. Relative paths are taken from the file's folder."""

    config: Literal[1]
    key: FilePath
    charters: list[str] = Field(min_length=1)
    store: FilePath
    listen: Address
    port_file: FilePath | None = None
    log: LogSettings = LogSettings()


class RelayConfig(ServerConfig):
    """The configuration of one relay."""

    name: str = Field(min_length=1, max_length=32)
    metrics: MetricsSettings = MetricsSettings()


ServerT = TypeVar("ServerT", bound=ServerConfig)


def load_server_config(path: Path, model: type[ServerT], variables: Mapping[str, str]) -> ServerT:
    """Read and check a configuration; its paths are made whole. Raises ConfigError with every problem."""
    loaded = load_toml(path, model, variables)
    here = path.absolute().parent
    return loaded.model_copy(
        update={
            "key": here / loaded.key,
            "charters": [str(here / charter) for charter in loaded.charters],
            "store": here / loaded.store,
            "port_file": None if loaded.port_file is None else here / loaded.port_file,
        }
    )


def load_relay_config(path: Path) -> RelayConfig:
    """Read and check a relay's configuration. Raises ConfigError with every problem."""
    return load_server_config(path, RelayConfig, {"HOTLINE_RELAY_STORE": "store", "HOTLINE_RELAY_KEY": "key"})
