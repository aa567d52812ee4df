"""Runs a drill of the library on weakened daemons: its promises must break. `make sabotage` runs every control."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run

from hotline.drill import faults
from hotline.drill.journal import Journal
from hotline.drill.judging import judge
from hotline.drill.outcome import Report
from hotline.drill.plan import Drill, find_plan, library, load_plan
from hotline.drill.runner import run_drill
from hotline.drill.scene import PREPARERS, Scene, lacking
from hotline.drill.stage import short_folder
from hotline.drill.versions import other_installation, unplayable
from tools.other import another_version, make_other

ROOT = Path(__file__).parents[2]
_STAGING_SECONDS = 120.0
"""For what a drill needs beside its timeline: keys, starts, ledgers, on a machine that does something else as well."""


def controls() -> list[tuple[str, str, tuple[str, ...]]]:
    """Drill, weakness, and the promises that must break under it, of the whole library."""
    plans = [load_plan(path).plan for path in library()]
    return [(plan.name, one.weakness, tuple(one.breaks)) for plan in plans for one in plan.sabotage]


def run_weakened(drill: Drill, weakness: str, seed: int = 1) -> Report:
    """The report of `drill` played on endpoints that lack a protection, without the injects that this hinders."""
    (sabotage,) = (one for one in drill.plan.sabotage if one.weakness == weakness)

    def weaken(scene: Scene) -> None:
        for terminal in scene.stage.terminals:
            scene.stage.module.setdefault(terminal.process, "tests.sabotage")  # what lies already goes on lying
            scene.stage.environment.setdefault(terminal.process, {})["HOTLINE_WEAKNESS"] = weakness
            scene.stage.environment[terminal.process]["PYTHONPATH"] = str(ROOT)

    folder, journal = short_folder(), Journal()
    plan = drill.plan
    other = None
    if unplayable(plan, None):
        other = other_installation(make_other(folder / "other", another_version("0.0.0+other")))
    limit = (plan.steady.within + plan.length_ms + plan.settle) / 1_000 + _STAGING_SECONDS
    PREPARERS.append(weaken)
    try:
        run_drill(drill, seed, folder, journal, lambda at, text: None, limit, other=other)
    finally:
        PREPARERS.remove(weaken)
        shutil.rmtree(folder, ignore_errors=True)
    return judge(
        [one for one in journal.entries if one["kind"] != "inject-failed" or one["name"] not in sabotage.hinders]
    )


def broken(report: Report) -> set[str]:
    """The kinds of promise that did not hold."""
    return {promise.promise for promise in report.promises if not promise.holds}


def _one(name: str, weakness: str) -> bool:
    drill = find_plan(name)
    (sabotage,) = (one for one in drill.plan.sabotage if one.weakness == weakness)
    faults.register()
    if lacking(drill.plan):
        print(f"SKIPPED  {name} without {weakness}: {'; '.join(lacking(drill.plan))}", flush=True)
        return True
    report = run_weakened(drill, weakness)
    if report.verdict == "aborted":
        print(f"ABORTED  {name} with {weakness}: {report.outcome}", flush=True)
        return False
    missed = set(sabotage.breaks) - broken(report)
    word = "RED" if not missed else "GREEN, AND SHOULD NOT BE"
    print(f"{word:8} {name} with {weakness}: broke {', '.join(sorted(broken(report)))}", flush=True)
    return not missed


def main(words: list[str]) -> int:
    """`NAME WEAKNESS` runs one control; without words every one, two at a time, each in a process of its own."""
    if words:
        return 0 if _one(*words) else 1
    command = [sys.executable, "-m", "tests.sabotage.control"]
    with ThreadPoolExecutor(2) as pool:
        codes = list(
            pool.map(lambda one: run([*command, one[0], one[1]], cwd=ROOT, check=False).returncode, controls())
        )
    print(f"{codes.count(0)} of {len(codes)} controls turned red as they should")
    return 0 if not any(codes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
