"""`hotline-relay`: run a relay, check it, make its key."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import NoReturn

import click

from hotline import __version__

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    required=True,
    envvar="HOTLINE_RELAY_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help="Configuration of the relay.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="hotline-relay")
def cli() -> None:
    """A relay of a hotline: stores and forwards sealed envelopes that it cannot read.

    \b
    hotline-relay key init --name relay-1 --operator SASCS --address 192.0.2.10:7443 --out keys/
    hotline-relay check --config relay.toml
    hotline-relay run --config relay.toml
    hotline-relay witness run --config witness.toml
    """


@cli.command()
@config_option
def run(config_path: Path) -> None:
    """Run in the foreground until SIGTERM or Ctrl-C.

    \b
    Example:
      hotline-relay run --config /etc/hotline-relay/relay-1.toml
    """
    from hotline.runtime.logs import set_up_logs
    from relay.config import load_relay_config
    from relay.relayd import load_materials, serve

    config = load_relay_config(config_path)
    set_up_logs(config.log.level, config.log.format)
    asyncio.run(serve(config, load_materials(config)))


@cli.command()
@config_option
@click.option("--health", is_flag=True, help="Also ask the running relay whether it serves.")
def check(config_path: Path, health: bool) -> None:
    """Check configuration, key and charters against each other. Changes nothing.

    \b
    Examples:
      hotline-relay check --config /etc/hotline-relay/relay-1.toml
      hotline-relay check --config /etc/hotline-relay/relay-1.toml --health
    """
    from relay.config import load_relay_config
    from relay.relayd import load_materials

    config = load_relay_config(config_path)
    materials = load_materials(config)
    for charter in materials.charters:
        parties = " and ".join(charter.signed_by)
        click.echo(f"ok    charter   {charter.hotline}, signed by {parties}, {len(charter.terminals)} terminals")
    click.echo(f"ok    key       {config.name} as every charter names it")
    if health:
        from relay.health import ask_health

        click.echo(f"ok    health    {ask_health(config, materials)}")


@cli.group()
def witness() -> None:
    """A witness: cosigns the ledgers of terminals.

    It knows the terminals of its charters, signs for a ledger as long as that only grows, and sees nothing of what is
    said.

    \b
    hotline-relay witness init --name witness.example/w1 --url http://192.0.2.10:7480 --out keys/
    hotline-relay witness run --config witness.toml
    """


@witness.command("init")
@click.option("--name", required=True, help="Name of the witness in cosignatures: like a host and a path, no scheme.")
@click.option("--url", required=True, help="Where terminals reach it: http://host:port.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for both files.")
def witness_init(name: str, url: str, out: Path) -> None:
    """Make the witness's key file (secret) and its line for the policy of the charter.

    \b
    Example:
      hotline-relay witness init --name witness.example/w1 --url http://192.0.2.10:7480 --out keys
    """
    from hotline.charter.secrets import WitnessSecret, encode_secret
    from hotline.crypto.mldsa44 import PostQuantumKey
    from hotline.crypto.signing import SigningKey
    from hotline.errors import ConfigError, Malformed
    from hotline.files import make_folder, write_new
    from hotline.ledger.cosignature import Ed25519CosignatureVerifier, MlDsa44CosignatureVerifier

    if not url.startswith(("http://", "https://")) or any(character.isspace() for character in url):
        raise ConfigError(f"{url!r}: not an address; give one like http://192.0.2.10:7480")
    secret = WitnessSecret(os.urandom(32), os.urandom(32))
    try:
        one = Ed25519CosignatureVerifier(name, SigningKey(secret.signing).public)
        other = MlDsa44CosignatureVerifier(name, PostQuantumKey(secret.post_quantum).public)
    except Malformed as error:
        raise ConfigError(f"{name!r}: not a name for a witness; no space and no plus sign") from error
    short = name.rpartition("/")[2]
    lines = f"witness {short} {one.vkey()} {url}\n# with post_quantum = true: witness {short}-pq {other.vkey()} {url}\n"
    make_folder(out)
    write_new(out / f"{short}.witness.key", encode_secret(name, secret, None, os.urandom), 0o600)
    write_new(out / f"{short}.witness", lines.encode())
    click.echo(f"{out / f'{short}.witness.key'}   secret: stays with this witness, mode 0600")
    click.echo(f"{out / f'{short}.witness'}       public: its line goes into the policy of the charter")


@witness.command("run")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    required=True,
    envvar="HOTLINE_WITNESS_CONFIG",
    show_envvar=True,
    metavar="FILE",
    help="Configuration of the witness.",
)
def witness_run(config_path: Path) -> None:
    """Run in the foreground until SIGTERM or Ctrl-C.

    \b
    Example:
      hotline-relay witness run --config /etc/hotline-witness/w1.toml
    """
    from hotline.runtime.logs import set_up_logs
    from relay.witnessd import load_witness_config, load_witness_materials, serve

    config = load_witness_config(config_path)
    set_up_logs(config.log.level, config.log.format)
    serve(config, load_witness_materials(config))


@cli.group()
def key() -> None:
    """The relay's key.

    \b
    Example:
      hotline-relay key init --name relay-1 --operator SASCS --address 192.0.2.10:7443 --out keys
    """


@key.command()
@click.option("--name", required=True, help="Name of the relay in charters.")
@click.option("--operator", required=True, help="Who runs it.")
@click.option("--address", required=True, metavar="HOST:PORT", help="Where terminals reach it.")
@click.option(
    "--profile",
    type=click.Choice(("fibre", "satellite", "narrow")),
    default="fibre",
    show_default=True,
    help="Kind of its link.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for both files.")
def init(name: str, operator: str, address: str, profile: str, out: Path) -> None:
    """Make the relay's key file (secret) and its card (for the ceremony).

    \b
    Example:
      hotline-relay key init --name relay-1 --operator SASCS --address 192.0.2.10:7443 --out keys
    """
    from hotline.charter.ceremony import make_relay
    from hotline.charter.secrets import encode_secret
    from hotline.files import make_folder, write_new

    secret, card = make_relay(name, operator, address, profile, os.urandom, time.time_ns() // 1_000_000)  # type: ignore[arg-type]
    make_folder(out)
    write_new(out / f"{name}.key", encode_secret(name, secret, None, os.urandom), 0o600)
    write_new(out / f"{name}.card", card)
    click.echo(f"{out / f'{name}.key'}   secret: stays on this relay, mode 0600")
    click.echo(f"{out / f'{name}.card'}  public: give it to both parties for the charter")


def main() -> NoReturn:
    """Entry point."""
    from hotline.cli.exits import guarded

    guarded(cli)
