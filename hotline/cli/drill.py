"""`hotline drill`: plan, run and read resilience drills (docs/drills.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

from hotline.cli.drillproxy import proxy, weather
from hotline.cli.drillrun import run
from hotline.cli.exits import Exit, leave
from hotline.cli.groups import Commands
from hotline.cli.output import line, print_json
from hotline.errors import ConfigError
from hotline.files import make_folder
from hotline.safetext import safe_line

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
_TITLE_WIDTH: Final = 28


@click.group(cls=Commands)
def drill() -> None:
    """Resilience drills: re-enact failures on real processes with throw-away keys, measure, report.

    \b
    hotline drill list                       what there is to re-enact
    hotline drill run relay-killed           one drill, a verdict, a report
    hotline drill run --tag quick --jobs 2   the quick set

    Exit 0 every promise held, 7 one was broken, 1 it could not be run here.
    """


drill.add_command(run)
drill.add_command(proxy)
drill.add_command(weather)


@drill.command("list")
@click.option("--tag", help="Only drills with this tag, for example quick.")
@json_option
def list_drills(tag: str | None, as_json: bool) -> None:
    """The drills that come with the program.

    \b
    Examples:
      hotline drill list
      hotline drill list --tag quick --json
    """
    from hotline.drill.durations import spoken
    from hotline.drill.plan import library, load_plan

    found = [load_plan(path).plan for path in library()]
    for plan in found:
        if tag is not None and tag not in plan.tags:
            continue
        if as_json:
            print_json(
                {
                    "schema": "hotline.drill/1",
                    "name": plan.name,
                    "title": plan.title,
                    "incident": plan.incident or None,
                    "tags": list(plan.tags),
                    "length_ms": plan.length_ms,
                    "promises": [promise.promise for promise in plan.promise],
                }
            )
        else:
            incident = plan.incident or "   "
            line(f"{plan.name:{_TITLE_WIDTH}} {incident:3}  {spoken(plan.length_ms):>10}  {safe_line(plan.title)}")
    if tag is not None and not any(tag in plan.tags for plan in found):
        leave(Exit.FIXABLE, f"no drill has the tag {tag!r}; there are {', '.join(_tags(found))}")


def _tags(plans: list[Any]) -> list[str]:
    return sorted({str(tag) for plan in plans for tag in plan.tags})


@drill.command()
@click.argument("name")
def show(name: str) -> None:
    """One drill: its story, timeline, promises, and whether this machine can run it. NAME may be a file.

    \b
    Examples:
      hotline drill show relay-killed
      hotline drill show my-drill.toml
    """
    from hotline.drill.plan import find_plan
    from hotline.drill.schedule import told

    for text in told(find_plan(name)):
        line(text)


@drill.command()
@click.argument("name")
@click.option("--from", "model", default="relay-killed", show_default=True, help="A drill to begin with.")
def new(name: str, model: str) -> None:
    """Write NAME.toml into this folder, a copy of a drill of the library to be changed. Never overwrites.

    \b
    Examples:
      hotline drill new northern-cut
      hotline drill new old-cable --from narrow-only
    """
    from hotline.drill.plan import find_plan, load_plan
    from hotline.files import write_new

    original = find_plan(model)
    path = Path(f"{name}.toml")
    text = original.path.read_text(encoding="utf-8").replace(f'name = "{original.plan.name}"', f'name = "{name}"', 1)
    write_new(path, text.encode(), 0o644)
    try:
        load_plan(path)
    except Exception:
        path.unlink()
        raise
    line(f"{path}: written; change it, then: hotline drill run {path} --dry-run")


def journal_of(named: Path) -> Path:
    """The journal of a run: a file, that in a folder, or that of the only run in it. Raises ConfigError."""
    from hotline.drill.results import JOURNAL

    if not named.is_dir() or (named / JOURNAL).exists():
        return named / JOURNAL if named.is_dir() else named
    inside = sorted(named.glob(f"*/{JOURNAL}"))
    if len(inside) != 1:
        there = f"; name one of its runs: {', '.join(one.parent.name for one in inside)}" if inside else ""
        raise ConfigError(f"{named}: no {JOURNAL} in this folder{there}")
    return inside[0]


@drill.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="JOURNAL")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for report.html and report.json [default: beside]")
@json_option
def report(source: Path, out: Path | None, as_json: bool) -> None:
    """Judge a journal anew and write its report. The same journal gives the same bytes.

    \b
    Examples:
      hotline drill report drills/relay-killed
      hotline drill report drills/relay-killed/journal.jsonl --out elsewhere

    Exit 0 every promise held, 7 one was broken, 1 the drill was aborted.
    """
    from hotline.drill.results import exit_of, judge_journal, write_report

    journal = journal_of(source)
    judged = judge_journal(journal)
    folder = out or journal.parent
    make_folder(folder)
    write_report(judged, folder)
    _print_judged(judged, folder, as_json=as_json)
    leave(Exit(exit_of(judged)))


def _print_judged(judged: Any, folder: Path, *, as_json: bool) -> None:
    from hotline.cli.drillrun import run_json
    from hotline.drill.report import summary

    if as_json:
        print_json(run_json(judged, folder))
    else:
        line(summary(judged, str(folder / "report.html")))


@drill.command()
@click.argument("first", type=click.Path(path_type=Path), metavar="A")
@click.argument("second", type=click.Path(path_type=Path), metavar="B")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the comparison as one HTML file.")
def compare(first: Path, second: Path, out: Path | None) -> None:
    """Two runs side by side: promises and measures. A and B are folders with a run, or journals.

    \b
    Examples:
      hotline drill compare drills/before drills/after
      hotline drill compare before after --out change.html
    """
    from hotline.drill.comparison import comparison_page, comparison_text
    from hotline.drill.results import judge_journal
    from hotline.files import write_new

    one, other = (judge_journal(journal_of(path)) for path in (first, second))
    line(comparison_text(one, other))
    if out is not None:
        write_new(out, comparison_page(one, other).encode(), 0o644)
        line(f"written: {os.fspath(out)}")
