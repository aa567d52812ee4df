"""From a plan to running processes: rehearsed keys, relays, witnesses, terminals, and the proxy on their links."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from hotline.charter.body import release_by_two
from hotline.drill.injects import LinkFault, Partition, Swizzle
from hotline.drill.installation import Installation, objections
from hotline.drill.patterns import expand, links_between
from hotline.drill.plan import Plan
from hotline.drill.proxy import ProxyControl, ProxyProcess
from hotline.drill.scene import PREPARERS, Links, Other, Scene
from hotline.drill.stage import Stage
from hotline.errors import ConfigError, LocalError
from hotline.runtime import interrupts


class NoLinks:
    """The links of a drill whose plan names none: there is no proxy to ask."""

    def set(self, links: Sequence[str], way: str, **weather: int | str | None) -> None:
        """Raises LocalError."""
        del links, way, weather
        raise LocalError("the plan names no links, so that none of them goes through the fault proxy")

    def clear(self, links: Sequence[str]) -> None:
        """Nothing to clear."""


def proxied_links(plan: Plan) -> list[str]:
    """Every link that the plan names or means, as PARTY/RELAY."""
    relays = [f"relay-{number}" for number in range(1, plan.topology.relays + 1)]
    parties = plan.topology.capitals
    named = set(expand(plan.topology.links, relays, parties))
    for inject in plan.inject:
        match inject:
            case LinkFault() | Swizzle():
                named |= set(expand(inject.links, relays, parties))
            case Partition():
                named |= set(links_between(*inject.between))
    return sorted(named)


@contextlib.contextmanager
def staged(plan: Plan, folder: Path, seed: int, other: Other | None = None) -> Iterator[Scene]:
    """Everything that the plan's topology names, running; it ends with the context. Raises LocalError, StorageError."""
    topology, stack = plan.topology, contextlib.ExitStack()
    try:
        stage = Stage(
            folder,
            topology.relays,
            topology.profile,
            topology.witnesses,
            relay_profiles=topology.relay_profiles,
            channel_test_ms=topology.channel_test or 0,
            objective_ms=topology.objective_ms,
            takeover_after_ms=topology.takeover_after,
            alternates=topology.alternates,
            travels=topology.travels,
            parties=topology.capitals,
            release=release_by_two() if topology.release else (),
        )
        stack.callback(stage.belongings.close)  # also if it ends before it is entered
        links = proxied_links(plan)
        rng = random.Random(seed)  # noqa: S311 - a drill is repeatable, not secret
        scene = Scene(plan, stage, NoLinks(), rng, folder, other=other)
        if links:
            scene.links = _behind_proxy(stack, stage, links, folder, seed)
        stack.enter_context(stage)
        # Last, because a terminal that is moved elsewhere must find the proxy from there.
        for prepare in PREPARERS:
            prepare(scene)
        for name in (
            *(one.name for one in (*stage.relays, *stage.witnesses)),
            *(one.process for one in stage.terminals),
        ):
            stage.start(name)
        yield scene
    finally:
        with interrupts.whole():
            stack.close()


@contextlib.contextmanager
def installed(plan: Plan, path: Path, folder: Path, seed: int) -> Iterator[Scene]:
    """A running installation as the scene. Raises ConfigError if the plan may not be drilled on it."""
    installation = Installation(path)
    if reasons := list(objections(plan, installation)):
        raise ConfigError("\n".join(f"{path}: {reason}" for reason in reasons))
    links: Links = NoLinks() if installation.control is None else ProxyControl(installation.control)
    rng = random.Random(seed)  # noqa: S311 - a drill is repeatable, not secret
    yield Scene(plan, installation, links, rng, folder)


def _behind_proxy(stack: contextlib.ExitStack, stage: Stage, links: list[str], folder: Path, seed: int) -> Links:
    addresses = {relay.name: relay.address for relay in stage.relays}
    proxy = stack.enter_context(
        ProxyProcess({link: addresses[link.split("/")[1]] for link in links}, folder / "proxy.sock", seed)
    )
    for terminal in stage.terminals:
        mine = {link.split("/")[1]: link for link in links if link.startswith(f"{terminal.party}/")}
        if mine:
            lines = [f'"{relay}" = "{proxy.addresses[link]}"\n' for relay, link in mine.items()]
            with terminal.config.open("a") as config:
                config.write("\n[relays]\n" + "".join(lines))
    return proxy.control
