"""The key of a terminal, and what belongs to it, for commands that read its sealed texts or run it."""

from __future__ import annotations

from pathlib import Path

import click

from hotline.cli.artefacts import unsealed
from hotline.config import EndpointConfig
from hotline.files import read_secret
from hotline.materials import Materials, load_materials

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    required=True,
    envvar="HOTLINE_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help="Configuration of this terminal.",
)
terminal_passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Passphrase of a sealed terminal key, else it is asked for.",
)


def materials_of(config: EndpointConfig, passphrase_file: Path | None) -> Materials:
    """As load_materials; the passphrase of a sealed key is read or asked for. Raises HotlineError naming the file."""
    return unsealed(
        config.key, read_secret(config.key), passphrase_file, lambda passphrase: load_materials(config, passphrase)
    )
