"""The pages in a real browser: not blank, no request, no complaint, nothing cut off; with axe-core, no violation."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotline.drill.comparison import comparison_page
from hotline.drill.judging import judge
from hotline.drill.report import render
from tests.hotline.drill.browser import PROGRAM, Tab, browser
from tests.hotline.drill.journals import Story, monsoon

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: the pages are looked at in a real browser"),
    pytest.mark.timeout(300),
]
AXE = os.environ.get("HOTLINE_AXE")
_AXE_RUN = "axe.run(document).then(found => found.violations.map(one => one.id + ': ' + one.nodes[0].html))"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    kept, broken = judge(monsoon()), judge(monsoon(7, slow=15))
    aborted = judge(Story().begin(steady=False).finish("aborted", ledgers=False))
    texts = {
        "kept": render(kept),
        "broken": render(broken),
        "aborted": render(aborted),
        "comparison": comparison_page(kept, broken),
        "different": comparison_page(kept, aborted.model_copy(update={"digest": "00" * 32})),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as one:
        yield one


def _colours(png: bytes) -> set[bytes]:
    """The samples of every ninth row of a PNG, filters left as they are: enough to tell a picture from a blank."""
    at, data = 8, b""
    width, depth, kind = struct.unpack(">I4xBB", png[16:26])
    assert depth == 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    size = {2: 3, 6: 4}[kind]
    raw, step = zlib.decompress(data), width * size + 1
    return {
        raw[row + 1 + x : row + 1 + x + size] for row in range(0, len(raw), 9 * step) for x in range(0, step - 1, size)
    }


NAMES = ("kept", "broken", "aborted", "comparison", "different")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_seen_and_asks_for_nothing(tab: Tab, pages: dict[str, Path], name: str, dark: bool) -> None:
    """A report opened in a capital would be blank, or would tell somebody that it was opened."""
    tab.look_at(pages[name], dark=dark)
    assert len(_colours(tab.picture(whole=False))) > 50
    assert tab.requests() == []
    assert tab.complaints() == []
    ground = tab.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 22, 26)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize(("width", "scale"), [(1_200, 1.0), (1_200, 2.0), (1_280, 4.0), (360, 1.0)])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off(tab: Tab, pages: dict[str, Path], name: str, width: int, scale: float) -> None:
    """At twice the size, words would lie over each other or outside the window."""
    tab.look_at(pages[name], width, scale=scale)
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")
    outside = tab.value(
        "[...document.querySelectorAll('svg.chart text')].filter(one => { const a = one.getBBox();"
        "return a.x < 0 || a.x + a.width > 960; }).map(one => one.textContent)"
    )
    assert outside == []


def test_signs_of_the_charts_do_not_lie_over_each_other(tab: Tab, pages: dict[str, Path]) -> None:
    """Two labels in one place are none."""
    tab.look_at(pages["broken"])
    over = tab.value(
        "[...document.querySelectorAll('svg.chart')].flatMap(chart => { const all = [...chart.querySelectorAll('text')]"
        ".map(one => [one.textContent, one.getBBox()]); return all.flatMap(([a, p], i) => all.slice(i + 1)"
        ".filter(([, q]) => p.x < q.x + q.width && q.x < p.x + p.width && p.y + 3 < q.y + q.height - 3"
        " && q.y + 3 < p.y + p.height - 3).map(([b]) => a + ' / ' + b)); })"
    )
    assert over == []


def test_urdu_runs_from_right_to_left(tab: Tab, pages: dict[str, Path]) -> None:
    """The time 14:30 PKT would stand at the wrong end of the sentence."""
    tab.look_at(pages["kept"])
    first, last = tab.value(
        "(() => { const node = document.querySelector('bdi[lang=ur]').firstChild; const at = (from, to) => {"
        "const range = document.createRange(); range.setStart(node, from); range.setEnd(node, to);"
        "return range.getBoundingClientRect(); }; const end = node.length;"
        "return [at(0, 2).right, at(end - 2, end).left]; })()"
    )
    assert first > last + 50


def test_a_page_can_be_printed(tab: Tab, pages: dict[str, Path]) -> None:
    """After-action reports are filed on paper."""
    tab.look_at(pages["broken"], dark=True)
    printed = tab.printed()
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 8


@pytest.mark.skipif(AXE is None, reason="HOTLINE_AXE names no file with axe-core")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation(tab: Tab, pages: dict[str, Path], name: str, dark: bool) -> None:
    """A reader with a screen reader, or with weak eyes, would be shut out."""
    assert AXE is not None
    tab.look_at(pages[name], dark=dark)
    tab.value(Path(AXE).read_text(encoding="utf-8") + ";1")
    assert tab.value(_AXE_RUN) == []
