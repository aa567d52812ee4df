"""`hotline config`: write, check and show configuration files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hotline.cli.exits import Exit, leave
from hotline.cli.groups import Commands
from hotline.cli.output import line, print_json
from hotline.safetext import safe_line


@click.group(cls=Commands)
def config() -> None:
    """Configuration files of the endpoint daemon.

    \b
    Example:
      hotline config init alpha.toml
    """


path_argument = click.argument("path", type=click.Path(path_type=Path))


@config.command()
@path_argument
@click.option("--party", default="ALPHA", show_default=True, help="Your party, as the charter names it.")
@click.option("--terminal", default="main", show_default=True, help="This terminal, as the charter names it.")
def init(path: Path, party: str, terminal: str) -> None:
    """Write a commented configuration to PATH. Never overwrites.

    \b
    Example:
      hotline config init /etc/hotline/alpha.toml --party ALPHA
    """
    from hotline.config import example_endpoint_toml
    from hotline.files import write_new

    write_new(path, example_endpoint_toml(party, terminal).encode(), 0o640)
    line(f"{path}: written; correct the paths, then: hotline config check {path}")


@config.command()
@path_argument
def check(path: Path) -> None:
    """Check the file alone: every unknown key, wrong type and missing value at once.

    \b
    Example:
      hotline config check /etc/hotline/alpha.toml
    """
    from hotline.config import load_endpoint_config

    loaded = load_endpoint_config(path)
    line(f"ok    {path}: {loaded.party}/{loaded.terminal}")
    missing = [str(file) for file in (loaded.charter, loaded.key, loaded.pairwise) if not file.exists()]
    if missing:
        leave(Exit.FIXABLE, "\n".join(f"{file}: no such file yet" for file in missing))


@config.command()
@path_argument
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def show(path: Path, origin: bool, as_json: bool) -> None:
    """Show the configuration in force, defaults and environment included.

    \b
    Examples:
      hotline config show /etc/hotline/alpha.toml --origin
      hotline config show /etc/hotline/alpha.toml --json
    """
    from hotline.config import load_endpoint_config, origins

    loaded = load_endpoint_config(path)
    values = loaded.model_dump(mode="json")
    if as_json:
        print_json({"schema": "hotline.config/1", **values})
        return
    sources = origins(path)
    for name, value in _flat("", values):
        source = next((text for key, text in sources if name == key or name.startswith(f"{key}.")), "default")
        suffix = f"   ({source})" if origin else ""
        line(f"{name} = {safe_line(_written(value))}{suffix}")


def _written(value: object) -> str:
    """A value as a configuration file has it."""
    if value is None:
        return "(not set)"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_written(inside)}' for name, inside in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def _flat(prefix: str, values: dict[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        key = f"{prefix}{name}"
        found += _flat(f"{key}.", value) if isinstance(value, dict) and value else [(key, value)]
    return found
