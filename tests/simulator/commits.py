"""Where judges look at what a terminal enters: its commits, before they are on the disk and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hotline.drill.simulator.nodes import EndpointNode
from hotline.machine import Output, Record

Before = Callable[[EndpointNode, list[Output], int, Record], None]
"""Terminal, outputs of one commit, which of them it is, and a record of that one."""
After = Callable[[EndpointNode, list[Output]], None]


def watch_commits(node: EndpointNode, before: Mapping[str, Before], after: After = lambda node, batch: None) -> None:
    """From now on each record of a kind in `before` is looked at before its commit, and each commit `after` it."""
    commit = node.commit

    def committed(batch: list[Output]) -> None:
        for at, output in enumerate(batch):
            for record in output.records:
                if look := before.get(record.kind):
                    look(node, batch, at, record)
        commit(batch)
        after(node, batch)

    node.commit = committed  # type: ignore[method-assign]
