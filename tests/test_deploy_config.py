"""The configuration files that administrators copy: lawful as they are, and nothing left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from hotline.config import EndpointConfig, example_endpoint_toml, load_endpoint_config
from relay.config import RelayConfig, load_relay_config
from relay.witnessd import WitnessConfig, load_witness_config

CONFIG = Path(__file__).resolve().parent.parent / "deploy" / "config"


def _keys(model: type[BaseModel]) -> set[str]:
    """Every key of a model and of the tables inside it."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= _keys(field.annotation)
    return found


def _uncommented(text: str) -> str:
    """The file with its optional keys switched on."""
    lines = [line[2:] if line.startswith("# ") and " = " in line else line for line in text.splitlines()]
    return "\n".join(lines)


def test_the_endpoint_file_is_what_the_program_writes() -> None:
    """Two examples that differ would both be copied, and one of them would be wrong."""
    assert (CONFIG / "endpoint.toml").read_text(encoding="utf-8") == example_endpoint_toml("ALPHA", "main")
    assert load_endpoint_config(CONFIG / "endpoint.toml").party == "ALPHA"


def test_the_relay_file_is_lawful_as_it_is_and_with_every_option(tmp_path: Path) -> None:
    """A relay that does not start from the example is a path that the two capitals do not have."""
    assert load_relay_config(CONFIG / "relay.toml").key == CONFIG / "relay.key"
    full = tmp_path / "relay.toml"
    full.write_text(_uncommented((CONFIG / "relay.toml").read_text(encoding="utf-8")), encoding="utf-8")
    config = load_relay_config(full)
    assert config.port_file == tmp_path / "port"
    assert config.metrics.listen == "127.0.0.1:9465"


def test_the_witness_file_is_lawful_as_it_is_and_with_every_option(tmp_path: Path) -> None:
    """A witness that does not start from the example is a vote that the quorum lacks."""
    assert load_witness_config(CONFIG / "witness.toml").key == CONFIG / "witness.key"
    full = tmp_path / "witness.toml"
    full.write_text(_uncommented((CONFIG / "witness.toml").read_text(encoding="utf-8")), encoding="utf-8")
    assert load_witness_config(full).port_file == tmp_path / "port"


@pytest.mark.parametrize(
    ("name", "model"),
    [("endpoint.toml", EndpointConfig), ("relay.toml", RelayConfig), ("witness.toml", WitnessConfig)],
)
def test_every_key_is_shown(name: str, model: type[BaseModel]) -> None:
    """A key that the example does not show is found only by reading the program."""
    text = (CONFIG / name).read_text(encoding="utf-8")
    assert {key for key in _keys(model) if f"{key} = " not in text and f"[{key}]" not in text and key != "officer"} == (
        set()
    )
