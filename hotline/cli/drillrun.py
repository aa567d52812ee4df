"""`hotline drill run`: what is asked for, and one drill played here."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from hotline.cli.drillproxy import SpanOfTime
from hotline.cli.drills import Settings, as_processes
from hotline.cli.exits import Exit, leave, read_or_not
from hotline.cli.output import line, print_json
from hotline.errors import ConfigError
from hotline.runtime import interrupts
from hotline.safetext import safe_line

if TYPE_CHECKING:
    from hotline.drill.outcome import Report
    from hotline.drill.plan import Drill
    from hotline.drill.scene import Other

_SEED_BITS: Final = 32

Command = Callable[..., None]


def _way_of_playing(command: Command) -> Command:
    """The options on which stage a drill is played, and how long."""
    options = [
        click.option(
            "--simulate", is_flag=True, help="In virtual time, under the simulator, as far as its faults map."
        ),
        click.option(
            "--system", type=click.Path(path_type=Path), help="Drill a running installation on its exercise plane."
        ),
        click.option(
            "--other",
            type=click.Path(path_type=Path),
            help="A virtual environment with another version, for drills that change versions.",
        ),
        click.option(
            "--time-limit",
            type=SpanOfTime(),
            default="30m",
            show_default=True,
            help="Longest time for one drill.",
        ),
        click.option(
            "--again",
            type=click.IntRange(0, 9),
            default=1,
            show_default=True,
            help="How often a drill is played again that cannot be decided, for this machine stood still.",
        ),
        click.option("--keep", is_flag=True, help="Keep the folder with throw-away keys, stores and logs."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON lines with a versioned schema."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Run drills; exit 7 if a promise breaks.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--tag", help="Every drill of the library with this tag.")
@click.option("--all", "everything", is_flag=True, help="Every drill of the library.")
@click.option("--seed", type=click.IntRange(0), help="For what a drill draws by lot [default: drawn and printed]")
@click.option("--jobs", type=click.IntRange(1, 16), default=1, show_default=True, help="Drills at one time.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("drills"),
    show_default=True,
    help="Each run writes OUT/NAME: journal.jsonl, report.json, report.html.",
)
@click.option("--dry-run", is_flag=True, help="Check the plan and tell what would be done.")
@_way_of_playing
def run(
    names: tuple[str, ...],
    tag: str | None,
    everything: bool,
    seed: int | None,
    jobs: int,
    dry_run: bool,
    **shared: Any,
) -> None:
    """Run drills on a hotline staged on this machine: real processes, loopback, throw-away keys, exercise plane.

    NAME is a drill of the library or a planner's own file.

    \b
    Examples:
      hotline drill run relay-killed
      hotline drill run --tag quick --jobs 2 --out drills/today
      hotline drill run long-day --simulate --seed 7
      hotline drill run rolling-upgrade --other /opt/hotline-next
      hotline drill run my-drill.toml --dry-run

    Exit 0 every promise held, 7 one was broken, 10 one was late by no more than this machine stood still, so that
    nothing is decided, 1 a drill could not be run here or was aborted. Ctrl-C, SIGTERM and the end of the terminal end
    every process that was started, and the report is still written (130); under nohup a drill outlives its terminal.
    """
    drills = _chosen(names, tag, everything)
    if dry_run:
        _dry(drills)
        return
    if shared["simulate"] and shared["system"] is not None:
        raise click.UsageError("--simulate plays in virtual time, --system on an installation: one of the two")
    drawn = secrets.randbits(_SEED_BITS) if seed is None else seed
    settings = Settings(drawn, **shared)
    try:
        with interrupts.once(), interrupts.whole():
            code = (
                _here(drills[0], settings) if len(drills) == 1 else _several(drills, jobs, settings, named=bool(names))
            )
    except KeyboardInterrupt:  # whatever had begun is written and told
        code = Exit.INTERRUPTED
    leave(code)


def _chosen(names: Sequence[str], tag: str | None, everything: bool) -> list[Drill]:
    from hotline.drill.plan import find_plan, library, load_plan

    if bool(names) + (tag is not None) + everything != 1:
        raise click.UsageError("name drills, or give --tag, or --all: one of the three")
    if names:
        return [find_plan(name) for name in names]
    found = [load_plan(path) for path in library()]
    chosen = [one for one in found if everything or tag in one.plan.tags]
    if not chosen:
        raise ConfigError(f"no drill has the tag {tag!r}: `hotline drill list` shows those there are")
    return chosen


def _dry(drills: Sequence[Drill]) -> None:
    from hotline.drill.schedule import told

    for number, one in enumerate(drills):
        if number:
            line()
        for text in told(one):
            line(text)


# --- one -------------------------------------------------------------------------------------------------------------


def _several(drills: Sequence[Drill], jobs: int, settings: Settings, *, named: bool) -> Exit:
    able = _able(drills, settings)
    skipped = len(drills) - len(able)
    code = as_processes(able, jobs, settings, skipped)
    return Exit.FIXABLE if code is Exit.DONE and named and skipped else code


def _able(drills: Sequence[Drill], settings: Settings) -> list[Drill]:
    """Those that can be played here; of each other it is said why not."""
    able = []
    for one in drills:
        if reasons := _reasons(one, settings):
            click.echo(f"SKIPPED {one.plan.name}: {'; '.join(reasons)}", err=True)
        else:
            able.append(one)
    return able


def _reasons(one: Drill, settings: Settings) -> list[str]:
    """Why this drill cannot be played here, in sentences; found out before anything is started or written."""
    from hotline.drill import faults
    from hotline.drill.counterparts import cannot_simulate
    from hotline.drill.durations import spoken
    from hotline.drill.installation import Installation, objections
    from hotline.drill.scene import lacking
    from hotline.drill.versions import unplayable

    faults.register()
    if settings.simulate:
        return cannot_simulate(one.plan)
    if one.plan.length_ms > settings.time_limit:
        lasts = f"it lasts {spoken(one.plan.length_ms)}, longer than --time-limit"
        return [f"{lasts}; give it more, or play it in virtual time with --simulate"]
    if settings.system is not None:
        return list(objections(one.plan, Installation(settings.system)))
    return [*lacking(one.plan), *unplayable(one.plan, settings.other)]


def _here(one: Drill, settings: Settings) -> Exit:
    from hotline.drill.report import summary
    from hotline.drill.results import exit_of
    from hotline.drill.versions import other_installation

    reasons = _reasons(one, settings)
    if reasons:
        leave(Exit.FIXABLE, "\n".join(f"{one.plan.name} cannot be run here: {reason}" for reason in reasons))
    other = None if settings.other is None else other_installation(settings.other)
    folder = settings.out / one.plan.name
    for tries in itertools.count(1):
        report = _reported(one, settings, folder, other)
        if interrupts.heard() or report.verdict != "undecided" or tries > settings.again:
            break
        _set_aside(report, folder, tries)
    with read_or_not(sys.stdout):
        if settings.as_json:
            print_json(run_json(report, folder, tries))
        else:
            line(summary(report, str(folder / "report.html")))
    return Exit.INTERRUPTED if interrupts.heard() else Exit(exit_of(report))


def _reported(one: Drill, settings: Settings, folder: Path, other: Other | None) -> Report:
    """Played once, or until somebody interrupts it: its report."""
    from hotline.drill.journal import Journal
    from hotline.drill.results import JOURNAL, results_of

    _new_folder(folder)
    if not settings.as_json:
        with read_or_not(sys.stdout):
            line(f"{one.plan.name}: {one.plan.title}   (seed {settings.seed})")
    journal = Journal(folder / JOURNAL)
    with contextlib.suppress(KeyboardInterrupt):
        _play(one, settings, journal, other, folder)
    return results_of(journal.entries, folder)


def _set_aside(report: Report, folder: Path, tries: int) -> None:
    """Keep a run that decided nothing, and say so: the drill is played again."""
    kept = folder.with_name(f"{folder.name}.undecided-{tries}")
    try:
        folder.rename(kept)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be renamed to {kept.name} ({error.strerror})") from error
    with read_or_not(sys.stderr):
        click.echo(f"{report.name}: {safe_line(report.outcome)} Kept in {kept}; it is played again.", err=True)


def _play(one: Drill, settings: Settings, journal: Any, other: Other | None, folder: Path) -> None:
    from hotline.drill.results import keep_logs
    from hotline.drill.runner import run_drill
    from hotline.drill.simulate import simulate
    from hotline.drill.stage import short_folder

    show = _Progress(one.plan.length_ms, quiet=settings.as_json)
    if settings.simulate:
        simulate(one, settings.seed, journal, show)
        return
    stage = short_folder()
    try:
        limit = settings.time_limit / 1_000
        run_drill(one, settings.seed, stage, journal, show, limit, settings.system, other)
        keep_logs(journal.entries, stage, folder)
    finally:
        if settings.keep:
            with read_or_not(sys.stderr):
                click.echo(f"kept: {stage}", err=True)
        else:
            shutil.rmtree(stage, ignore_errors=True)


class _Progress:
    """A line for each thing that happens; on a terminal also how far the drill is."""

    def __init__(self, length_ms: int, *, quiet: bool) -> None:
        self._length, self._quiet = length_ms, quiet
        self._counting = sys.stdout.isatty() and not quiet

    def __call__(self, at_ms: float, text: str) -> None:
        """Something happened at `at_ms`; an empty text: only time has passed."""
        if not self._quiet:
            with read_or_not(sys.stdout):
                self._tell(at_ms, text)

    def _tell(self, at_ms: float, text: str) -> None:
        clock = f"{max(0, int(at_ms)) // 60_000:02d}:{max(0.0, at_ms) / 1_000 % 60:04.1f}"
        if text:
            if self._counting:
                click.echo("\r", nl=False)
            line(f"  {clock}  {text}")
        elif self._counting:
            click.echo(f"\r  {clock} of {self._length // 60_000:02d}:{self._length / 1_000 % 60:04.1f}  ", nl=False)


def _new_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigError(f"{folder}: exists already; name another place with --out, or move it away") from error
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made ({error.strerror})") from error


def run_json(report: Report, folder: Path, tries: int = 1) -> dict[str, Any]:
    """Schema hotline.drill-run/1. `tries` is how often it was played until this report."""
    return {
        "schema": "hotline.drill-run/1",
        "name": report.name,
        "verdict": report.verdict,
        "outcome": report.outcome,
        "seed": report.seed,
        "digest": report.digest,
        "simulated": report.simulated,
        "seconds": report.seconds,
        "promises": [
            {
                "promise": one.promise,
                "text": one.text,
                "limit": one.limit,
                "measured": one.measured,
                "unit": one.unit,
                "holds": one.holds,
                "decided": one.decided,
            }
            for one in report.promises
        ],
        "folder": str(folder),
        "tries": tries,
    }
