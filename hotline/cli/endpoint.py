"""`hotline endpoint`: run the daemon, or check whether it could run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from hotline.cli.groups import Commands
from hotline.cli.output import line, print_json
from hotline.cli.terminalkey import config_option, materials_of, terminal_passphrase_option


@click.group(cls=Commands)
def endpoint() -> None:
    """The endpoint daemon of this terminal.

    \b
    Example:
      hotline endpoint check --config alpha.toml
    """


@endpoint.command()
@config_option
@terminal_passphrase_option
def run(config_path: Path, passphrase_file: Path | None) -> None:
    """Run in the foreground until SIGTERM or Ctrl-C.

    \b
    Example:
      hotline endpoint run --config /etc/hotline/alpha.toml
    """
    from hotline.config import load_endpoint_config
    from hotline.endpointd import serve
    from hotline.runtime.logs import set_up_logs

    config = load_endpoint_config(config_path)
    set_up_logs(config.log.level, config.log.format)
    asyncio.run(serve(config, materials_of(config, passphrase_file)))


@endpoint.command()
@config_option
@terminal_passphrase_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def check(config_path: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Check configuration, charter, keys and pairwise secret against each other. Starts and changes nothing.

    \b
    Example:
      hotline endpoint check --config /etc/hotline/alpha.toml
    """
    from hotline.config import load_endpoint_config

    config = load_endpoint_config(config_path)
    materials = materials_of(config, passphrase_file)
    charter = materials.charter
    if as_json:
        print_json(
            {
                "schema": "hotline.endpoint-check/1",
                "ok": True,
                "charter": charter.hash.hex(),
                "hotline": charter.hotline,
                "party": materials.local.party,
                "terminal": materials.local.name,
                "peer": materials.remote.party,
                "relays": [relay.name for relay in charter.relays],
            }
        )
        return
    line(f"ok    charter    {charter.hotline}, signed by {' and '.join(charter.signed_by)}")
    line(f"ok    keys       {materials.local.party}/{materials.local.name} as the charter names them")
    line("ok    pairwise   the secret that the charter was made with")
    for remote in materials.remotes:
        line(f"ok    peer       {remote.party}/{remote.name}")
    for relay in charter.relays:
        ours = (config.relays.get(relay.name, relay.address), config.profile.get(relay.name, relay.profile.name))
        agreed = (relay.address, relay.profile.name)
        other = "" if ours == agreed else f"; in the charter {', '.join(agreed)}"
        line(f"ok    relay      {relay.name} at {', '.join(ours)}, run by {relay.operator}{other}")
    for name in config.strangers(relay.name for relay in charter.relays):
        line(f"WARN  relay      {name} stands in the configuration and not in the charter: nothing comes of it")
