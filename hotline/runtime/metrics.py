"""What an endpoint offers to monitoring: Prometheus metrics on loopback, read from the machine when asked for."""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hotline.machine import Delivery, Plane
from hotline.protocol.endpoint import Endpoint
from hotline.protocol.paths import PathState
from hotline.runtime.driver import system_clock


class EndpointMetrics(Collector):
    """Paths, queues, peer and ledger as numbers; refusals and alarms as counters by name."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._counts: dict[tuple[str, str], int] = {}
        self.registry = prometheus_client.CollectorRegistry()
        self.registry.register(self)

    def told(self, delivery: Delivery) -> None:
        """Count what was refused and what raised an alarm."""
        name = {"alarm": "name", "refused": "reason"}.get(delivery.kind)
        if name is not None:
            key = (delivery.kind, str(delivery.fields[name]))
            self._counts[key] = self._counts.get(key, 0) + 1

    def listen(self, address: str) -> None:
        """Serve `host:port`, loopback only by the configuration's rule."""
        host, _, port = address.rpartition(":")
        prometheus_client.start_http_server(int(port), host.strip("[]"), registry=self.registry)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        ctx, now = self._endpoint.context.front, system_clock()
        up = GaugeMetricFamily("hotline_path_up", "1 while the peer answers on the path", labels=["path"])
        for path in ctx.paths.values():
            up.add_metric([path.setup.name], float(path.state is PathState.UP))
        yield up
        waiting = GaugeMetricFamily("hotline_statements_waiting", "Statements not delivered", labels=["plane"])
        unread = GaugeMetricFamily("hotline_statements_unread", "Statements that nobody has opened", labels=["plane"])
        for plane in Plane:
            waiting.add_metric([plane.value], len(ctx.outboxes[plane].pending))
            unread.add_metric([plane.value], len(ctx.unread[plane]))
        yield waiting
        yield unread
        yield from self._tests()
        if ctx.peer.heard_at is not None:
            age = (now.mono - ctx.peer.heard_at) / 1_000
            yield GaugeMetricFamily("hotline_peer_heard_age_seconds", "Since the last fresh heartbeat", value=age)
        yield GaugeMetricFamily("hotline_ledger_entries", "Entries of the ledger", value=ctx.ledger.head().size)
        for kind, label in (("alarm", "name"), ("refused", "reason")):
            family = CounterMetricFamily(f"hotline_{kind}s", f"{kind} by {label} since the start", labels=[label])
            for (found, name), count in self._counts.items():
                if found == kind:
                    family.add_metric([name], count)
            yield family

    def _tests(self) -> Iterator[Metric]:
        """Channel tests that failed in a row, by way: 0 while the line is tested and well."""
        kept = self._endpoint.tests.kept
        failed = GaugeMetricFamily("hotline_channel_tests_failed", "Channel tests failed in a row", labels=["way"])
        failed.add_metric(["sent"], kept.undelivered)
        failed.add_metric(["received"], kept.missed)
        yield failed
