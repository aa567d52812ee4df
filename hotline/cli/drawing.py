"""Drawing up the next charter into a file, with what it changes shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hotline.charter.amendment import Changes, amend
from hotline.charter.ceremony import day
from hotline.charter.differences import differences
from hotline.charter.model import load_charter, load_draft
from hotline.charter.succession import check_follows
from hotline.cli.artefacts import Artefact, now_ms, write_all
from hotline.cli.charterview import print_differences, print_signatures
from hotline.cli.output import line
from hotline.files import naming, read_public


def draw_up(base: Path, changes: Changes, out: Path) -> None:
    """Make the file `out`, unsigned. Raises HotlineError, and makes nothing."""
    data = read_public(base)
    old = naming(base, partial(load_charter, data))
    text = amend(data, changes, day(now_ms()))
    new = load_draft(text)
    check_follows(new, old)
    write_all([Artefact(out, text)])
    line(f"CHARTER  {new.hotline}, serial {new.serial}, of {new.created}, amends serial {old.serial}")
    print_differences(differences(new, old))
    print_signatures(new)
