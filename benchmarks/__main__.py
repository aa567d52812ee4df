"""`make bench`: the product beside floors built from the same parts, in turn, in one run; writes build/bench.json."""

from __future__ import annotations

import asyncio
import contextlib
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import ledger, release
from benchmarks.floors import NAMES, Floor
from benchmarks.product import Product, cpu_seconds
from hotline import __version__
from hotline.drill.recorder import resident_mib
from hotline.drill.stage import Stage
from hotline.runtime.logs import set_up_logs

ROUNDS = 5
PINGS = 60
FLOW = 400
WINDOW = 64
IDLE_SECONDS = 10.0
KILLS = 6


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


async def _speed(folder: Path) -> dict[str, Any]:
    """Latency and throughput of the floors and of the product, round by round in turn."""
    latency: dict[str, list[float]] = {}
    flow: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        floors = {level: await stack.enter_async_context(Floor(level, folder / f"floor{level}")) for level in NAMES}
        one = await stack.enter_async_context(Product(folder / "one", 1))
        three = await stack.enter_async_context(Product(folder / "three", 3))
        for _ in range(ROUNDS):
            for level, floor in floors.items():
                latency.setdefault(f"F{level}", []).extend(await floor.latency(PINGS))
            for name, product in (("product, one relay", one), ("product, three relays", three)):
                await product.latency(5)
                latency.setdefault(name, []).extend(await product.latency(PINGS))
        for _ in range(3):
            flow.setdefault("F4", []).append(await floors[4].throughput(FLOW, WINDOW))
            flow.setdefault("product, one relay", []).append(await one.throughput(FLOW, WINDOW))
    return {
        "latency_ms_p50": {name: _median(values) for name, values in latency.items()},
        "latency_ms_p99": {name: round(sorted(values)[int(len(values) * 0.99)], 3) for name, values in latency.items()},
        "per_second": {name: _median(values) for name, values in flow.items()},
    }


async def _failover(folder: Path) -> dict[str, Any]:
    gaps, worst, lost, twice = [], [], 0, 0
    for number in range(KILLS):
        async with Product(folder / f"failover{number}", 3) as product:
            gap, extra = await product.failover(product.stage.relays[number % 3].name)
            gaps.append(gap)
            worst.append(extra)
            said = product.daemon.endpoint.context.outboxes
            expected = max(outbox.last_serial for outbox in said.values())
            lost += expected - len(product.received())
            twice += product.shown_twice()
    return {"failover_ms": gaps, "worst_extra_ms": worst, "lost": lost, "duplicated": twice}


def _idle(folder: Path) -> dict[str, Any]:
    """Start-up, memory and the cost of a hotline that says nothing."""
    with Stage(folder / "idle", 1) as stage:
        relay = stage.relays[0]
        stage.start_relay(relay)
        before = resident_mib(stage.pid(relay.name))
        starts = []
        for terminal in stage.rehearsal.terminals:
            begun = time.monotonic()
            stage.start_endpoint(terminal)
            starts.append((time.monotonic() - begun) * 1_000)
        time.sleep(2)
        cpu = cpu_seconds(stage.pid(relay.name))
        time.sleep(IDLE_SECONDS)
        spent = cpu_seconds(stage.pid(relay.name)) - cpu
        with_both = resident_mib(stage.pid(relay.name))
        return {
            "start_ms": round(min(starts)),
            "endpoint_rss_mb": round(resident_mib(stage.pid("ALPHA")), 1),
            "relay_rss_mb": round(with_both, 1),
            "relay_mb_per_idle_hotline": round(with_both - before, 2),
            "relay_cpu_percent_per_idle_hotline": round(100 * spent / IDLE_SECONDS, 2),
        }


async def _measure(folder: Path) -> dict[str, Any]:
    speed = await _speed(folder)
    failover = await _failover(folder)
    idle = await asyncio.to_thread(_idle, folder)
    officers = await release.measure(folder / "release")
    record = await asyncio.to_thread(ledger.measure, folder / "ledger")
    p50, rate = speed["latency_ms_p50"], speed["per_second"]
    return {
        "latency_ratio_one_relay": round(p50["product, one relay"] / p50["F4"], 2),
        "latency_ratio_three_relays": round(p50["product, three relays"] / p50["F4"], 2),
        "throughput_ratio": round(rate["product, one relay"] / rate["F4"], 2),
        "failover_ms_p50": _median(failover["failover_ms"]),
        "failover_worst_extra_ms_p50": _median(failover["worst_extra_ms"]),
        "failover_lost": failover["lost"],
        "failover_duplicated": failover["duplicated"],
        **idle,
        "ledger": record,
        "release": officers,
        "raw": {**speed, "failover": failover},
        "environment": {
            "hotline": __version__,
            "python": platform.python_version(),
            "machine": platform.platform(),
            "rounds": ROUNDS,
            "pings": PINGS,
        },
    }


def main() -> int:
    """Measure, print, write."""
    set_up_logs("error", "json")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hotline-bench-") as name:
        for sub in ("floor1", "floor2", "floor3", "floor4", "ledger"):
            (Path(name) / sub).mkdir()
        result = asyncio.run(_measure(Path(name)))
    raw = result["raw"]
    print(f"{'1 KiB statement':24}{'p50 ms':>9}{'p99 ms':>9}{'per second':>12}")
    for key, value in raw["latency_ms_p50"].items():
        rate = raw["per_second"].get(key, "")
        print(f"{key:24}{value:>9}{raw['latency_ms_p99'][key]:>9}{rate:>12}")
    for key, value in result.items():
        if key not in ("raw", "environment", "ledger", "release"):
            print(f"{key:40}{value:>10}")
    for part in ("ledger", "release"):
        for key, value in result[part].items():
            print(f"{key if part == 'release' else 'ledger ' + key:48}{value:>10}")
    target = Path("build")
    target.mkdir(exist_ok=True)
    (target / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"build/bench.json written after {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
