"""`hotline drill proxy` and `hotline drill weather`: TCP links with a fault between, and the weather on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from hotline.cli.output import line, print_json
from hotline.errors import ConfigError, LocalError
from hotline.runtime.interrupts import to_end
from hotline.safetext import safe_line

if TYPE_CHECKING:
    from hotline.drill.links import LinkSpec, LinkStats
    from hotline.drill.proxyd import Proxy
    from hotline.drill.weather import Way, Weather

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
WAYS: Final = ("both", "up", "down")
MODES: Final = ("pass", "blackhole", "reset", "refuse", "half-open")
"""As hotline.drill.weather has them; spelt here, so that help loads no more than help."""


class SpanOfTime(click.ParamType[int]):
    """A span of time, as milliseconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises click.BadParameter."""
        from hotline.drill.durations import milliseconds

        try:
            found = milliseconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not isinstance(found, int) or found < 0:
            self.fail(f"{value!r} goes back in time", param, ctx)
        return found


class _Link(click.ParamType["LinkSpec"]):
    """NAME=LISTEN,TARGET."""

    name = "link"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> LinkSpec:
        """Raises click.BadParameter."""
        from hotline.drill.links import parse_link

        try:
            return parse_link(str(value))
        except ConfigError as error:
            self.fail(str(error), param, ctx)


_WEATHER: Final = (
    click.option("--way", type=click.Choice(WAYS), default="both", show_default=True, help="up: towards the target."),
    click.option("--latency", type=SpanOfTime(), metavar="SPAN", help="One way: 300ms."),
    click.option("--jitter", type=SpanOfTime(), metavar="SPAN", help="Around the latency, both sides; order is kept."),
    click.option("--loss", type=click.FloatRange(0, 50), metavar="PERCENT", help="Segments that TCP must repeat."),
    click.option("--rate", type=click.IntRange(300, 1_000_000_000), metavar="BPS", help="Bits per second."),
    click.option("--mode", type=click.Choice(MODES), help="blackhole swallows until the heal; refuse: nobody listens."),
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")


def weather_options(command: CommandT) -> CommandT:
    """The options that say what weather, and on which way."""
    for option in reversed(_WEATHER):
        command = option(command)
    return command


def _wanted(given: dict[str, Any]) -> dict[str, Any]:
    """What was said of the weather, as the control socket names it."""
    names = {"latency": "latency_ms", "jitter": "jitter_ms", "loss": "loss_percent", "rate": "rate_bps", "mode": "mode"}
    return {names[key]: value for key, value in given.items() if value is not None}


@click.command(short_help="Pass TCP links on through weather.")
@click.option(
    "--link", "links", type=_Link(), multiple=True, required=True, metavar="NAME=LISTEN,TARGET", help="Repeatable."
)
@click.option("--control", type=click.Path(path_type=Path), metavar="PATH", help="Socket for `hotline drill weather`.")
@weather_options
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="For jitter and loss.")
@click.option("--for", "span", type=SpanOfTime(), metavar="SPAN", help="End after this span [default: on Ctrl-C]")
@json_option
def proxy(
    links: tuple[LinkSpec, ...],
    control: Path | None,
    way: Way,
    seed: int,
    span: int | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Pass TCP connections on, each named link through weather of its own, which can change while they live.

    Listens on loopback only; port 0 is any that is free. Ends on Ctrl-C and tells what has passed.

    \b
    Examples:
      hotline drill proxy --link relay-1=127.0.0.1:0,127.0.0.1:7001 --latency 300ms --loss 10
      hotline drill proxy --link old-line=127.0.0.1:7100,127.0.0.1:7001 --rate 2400 --for 60s
      hotline drill proxy --link ALPHA/relay-1=127.0.0.1:0,127.0.0.1:7001 --control /tmp/proxy.sock
    """
    from hotline.drill.proxyd import raise_file_limit
    from hotline.drill.weather import parse_weather

    raise_file_limit()
    asyncio.run(_serve(links, control, seed, span, way, parse_weather(_wanted(given)), as_json))


async def _serve(
    links: Sequence[LinkSpec],
    control: Path | None,
    seed: int,
    span: int | None,
    way: Way,
    weather: Weather,
    as_json: bool,
) -> None:
    from hotline.drill.proxyd import Proxy

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in to_end():
        loop.add_signal_handler(number, stop.set)
    async with Proxy(links, control, seed) as running:
        await running.set(["*"], way, weather)
        _print_addresses(running, control, as_json=as_json)
        if span is not None:
            loop.call_later(span / 1_000, stop.set)
        await stop.wait()
        if not as_json:
            line()
        _print_traffic(running.stats(), as_json=as_json)


def _print_addresses(running: Proxy, control: Path | None, *, as_json: bool) -> None:
    if as_json:
        links = [{"link": one.link, "listen": one.listen, "target": one.target} for one in running.stats()]
        print_json({"schema": "hotline.drill-proxy/1", "links": links, "control": str(control) if control else None})
        return
    for one in running.stats():
        line(f"{safe_line(one.link)}: {one.listen} leads to {one.target}")
    if control is not None:
        line(f"weather: hotline drill weather --control {safe_line(str(control))}")


def _print_traffic(links: Sequence[LinkStats], *, as_json: bool) -> None:
    """One line for each way of each link."""
    if as_json:
        print_json({"schema": "hotline.drill-weather/1", "links": [one.model_dump() for one in links]})
        return
    width = max(4, *(len(one.link) for one in links))
    line(f"{'link':{width}}  way   accepted  open  bytes passed  bytes waiting  weather")
    for one in links:
        for way, ends in (("up", one.up), ("down", one.down)):
            counts = f"{one.accepted:8}  {one.connections:4}  {ends.passed:12}  {ends.waiting:13}"
            line(f"{safe_line(one.link):{width}}  {way:4}  {counts}  {ends.weather.in_words()}")


@click.command(short_help="Change the weather of a running proxy.")
@click.argument("links", nargs=-1, metavar="[LINK]...")
@click.option("--control", type=click.Path(path_type=Path), required=True, metavar="PATH", help="Socket of the proxy.")
@weather_options
@click.option("--clear", is_flag=True, help="No weather any more on these links.")
@json_option
def weather(links: tuple[str, ...], control: Path, way: str, clear: bool, as_json: bool, **given: Any) -> None:
    """Change the weather of links of a running proxy, or show it if no change is named. LINK may be a pattern.

    What is not named is undisturbed afterwards.

    \b
    Examples:
      hotline drill weather --control /tmp/proxy.sock
      hotline drill weather 'ALPHA/*' --control /tmp/proxy.sock --mode blackhole --way up
      hotline drill weather relay-1 --control /tmp/proxy.sock --latency 300ms --jitter 50ms --loss 10
      hotline drill weather '*' --control /tmp/proxy.sock --clear
    """
    from hotline.drill.proxy import ProxyControl

    wanted, running = _wanted(given), ProxyControl(control)
    if clear and wanted:
        raise click.UsageError("--clear takes all weather off; name none beside it")
    if (clear or wanted) and not links:
        raise click.UsageError("name the links that this is for; '*' is all of them")
    if clear:
        running.clear(links)
    elif wanted:
        running.set(links, way, **wanted)
    shown = running.stats()
    if not shown:
        raise LocalError(f"{control}: the proxy there has no links")
    _print_traffic(shown, as_json=as_json)
