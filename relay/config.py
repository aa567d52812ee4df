"""The configuration of one relay daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from hotline.config import Address, FilePath, LogSettings, MetricsSettings, Settings, load_toml


class RelayConfig(Settings):
    """Relative paths are taken from the file's folder."""

    config: Literal[1]
    name: str = Field(min_length=1, max_length=32)
    key: FilePath
    charters: list[str] = Field(min_length=1)
    store: FilePath
    listen: Address
    port_file: FilePath | None = None
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()


def load_relay_config(path: Path) -> RelayConfig:
    """Read and check a relay's configuration. Raises ConfigError with every problem."""
    loaded = load_toml(path, RelayConfig, {"HOTLINE_RELAY_STORE": "store", "HOTLINE_RELAY_KEY": "key"})
    here = path.absolute().parent
    return loaded.model_copy(
        update={
            "key": here / loaded.key,
            "charters": [str(here / charter) for charter in loaded.charters],
            "store": here / loaded.store,
            "port_file": None if loaded.port_file is None else here / loaded.port_file,
        }
    )
