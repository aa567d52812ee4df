"""What the endpoint's driver acts upon: its store, its streams, everyone who watches, and the witnesses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hotline.machine import Delivery, Instant, Output, Transmission
from hotline.runtime.dialer import Dialer
from hotline.runtime.logs import get_logger
from hotline.runtime.metrics import EndpointMetrics
from hotline.runtime.store import EndpointStore
from hotline.runtime.watchers import Watchers
from hotline.runtime.witnesses import Submitter


class EndpointWorld:
    """What the endpoint's driver acts upon."""

    def __init__(self, store: EndpointStore, watchers: Watchers) -> None:
        self._store = store
        self._watchers = watchers
        self.metrics: EndpointMetrics | None = None
        self._log = get_logger("endpoint")
        self.dialers: dict[str, Dialer] = {}
        self.submitter: Submitter | None = None
        self.on_alarm: Callable[[Delivery], None] | None = None
        self.on_path: Callable[[], None] = lambda: None
        self.on_charter: Callable[[], None] = lambda: None

    def commit(self, batch: Sequence[Output], now: Instant) -> None:
        """One transaction of the store."""
        self._store.commit(batch, now)

    def transmit(self, transmissions: Sequence[Transmission]) -> None:
        """Frames onto streams."""
        for item in transmissions:
            if item.link in self.dialers:
                self.dialers[item.link].send(item.frame)
        for dialer in self.dialers.values():
            dialer.flush()

    def deliver(self, delivery: Delivery) -> None:
        """To everyone who watches, and to the log; bodies are in neither."""
        if delivery.kind == "checkpoint":
            self._submit(delivery)
            return
        self._watchers.tell(delivery)
        if delivery.kind == "alarm" and self.on_alarm is not None:
            self.on_alarm(delivery)
        if self.metrics is not None:
            self.metrics.told(delivery)
        if delivery.kind == "path":
            self.on_path()
        if delivery.kind == "charter":
            self.on_charter()
        write = self._log.warning if delivery.kind in ("alarm", "refused") else self._log.info
        write(delivery.kind, **{name: value for name, value in delivery.fields.items() if name != "kind"})

    def _submit(self, delivery: Delivery) -> None:
        note, epoch, size = (delivery.fields[name] for name in ("note", "log_epoch", "size"))
        assert isinstance(note, bytes)
        assert isinstance(epoch, int)
        assert isinstance(size, int)
        if self.submitter is not None:
            self.submitter.submit(note, epoch, size)
