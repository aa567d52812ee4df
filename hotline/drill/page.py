"""The shell of every page about drills: one file, no script, nothing fetched, dark and light, screen and paper."""

from __future__ import annotations

from typing import Final

from hotline.drill.markup import Markup, shown, tag

BANNER: Final = "EXERCISE EXERCISE EXERCISE"

# Patterns stand once in a page and are used by all its charts: what a colour says, a pattern says too.
_PATTERNS: Final = Markup(
    '<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="p-fault" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="fault-ground" width="7" height="7"/><rect class="fault-line" width="1.6" height="7"/></pattern>'
    '<pattern id="p-suspect" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="suspect-ground" width="6" height="6"/><rect class="suspect-line" width="2.4" height="6"/></pattern>'
    '<pattern id="p-attached" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="attached-ground" width="6" height="6"/><circle class="attached-dot" cx="3" cy="3" r="1.5"/></pattern>'
    '<pattern id="p-not-running" width="8" height="8" patternUnits="userSpaceOnUse">'
    '<rect class="off-ground" width="8" height="8"/><path class="off-line" d="M0 8L8 0"/></pattern>'
    "</defs></svg>"
)

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1a1a1a;--soft:#565a60;--line:#c9ccd1;--panel:#f4f4f1;--ok:#0a6435;
--bad:#a80f22;--warn:#7a4f00;--blue:#1d5796;--up:#2f8f5b;--down:#8c1020;--suspect:#e0a82e;--suspect2:#7a4f00;
--attached:#d8e6f4;--off:#ececec;--off2:#777;--fault:rgba(168,15,34,.09);--fault2:rgba(168,15,34,.22);--grid:#e3e4e6}
@media (prefers-color-scheme:dark){:root{--bg:#14161a;--ink:#ececea;--soft:#b3b8bf;--line:#454b54;--panel:#1e2127;
--ok:#6fdb9a;--bad:#ff9aa2;--warn:#f0c05a;--blue:#8dbcf2;--up:#46ad76;--down:#ff6b78;--suspect:#c98e1b;
--suspect2:#fff0c2;--attached:#27384a;--off:#2a2d33;--off2:#9aa0a8;--fault:rgba(255,120,130,.13);
--fault2:rgba(255,120,130,.34);--grid:#2c3037}}
*{box-sizing:border-box}
body{margin:0 auto;padding:0 1rem 3rem;max-width:66rem;background:var(--bg);color:var(--ink);
font:1rem/1.5 system-ui,"Noto Sans","Segoe UI",sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:.4rem 0}h2{font-size:1.2rem;margin:2.2rem 0 .5rem;break-after:avoid}
p{margin:.5rem 0;max-width:48rem}.soft{color:var(--soft)}
.banner{margin:0 -1rem;padding:.35rem 1rem;max-width:none;text-align:center;font-weight:700;letter-spacing:.12em;
color:var(--ink);border-block:3px double var(--bad)}
.verdict{margin:1rem 0;padding:.6rem .9rem;max-width:none;border:1px solid var(--line);border-inline-start-width:.5rem;
background:var(--panel);font-size:1.1rem}
.verdict b{letter-spacing:.06em}.passed{border-color:var(--ok)}.broken{border-color:var(--bad)}
.aborted,.undecided{border-color:var(--warn)}
.passed b,.kept{color:var(--ok)}.broken b,.no{color:var(--bad);font-weight:700}
.aborted b,.undecided b{color:var(--warn)}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{text-align:start;color:var(--soft);padding:.2rem 0 .4rem}
th,td{text-align:start;vertical-align:baseline;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);
overflow-wrap:break-word}
thead th{border-bottom:2px solid var(--line);vertical-align:bottom}tbody th{font-weight:600}
th.n,td.n{text-align:end;padding-inline-start:.7rem;font-variant-numeric:tabular-nums;white-space:nowrap}.small{font-size:.86rem;color:var(--soft)}
.below{display:block;font-weight:400}
.mark,.tight{white-space:nowrap}.tight{padding-inline-end:1.2rem}.wide{width:99%;min-width:12rem}
.hash{font:.82rem/1.35 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
pre{background:var(--panel);border:1px solid var(--line);padding:.6rem .8rem;overflow-x:auto;margin:.5rem 0}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:.5rem 0}dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.words{white-space:pre-wrap}.words:lang(ur){font-family:"Noto Nastaliq Urdu","Awami Nastaliq","Urdu Typesetting",serif;
line-height:2.3}.words:lang(hi){font-family:"Noto Sans Devanagari","Nirmala UI",Mangal,sans-serif;line-height:1.7}
figure{margin:1rem 0;break-inside:avoid}figcaption{color:var(--soft);font-size:.92rem;max-width:52rem}
.scroll{overflow-x:auto}.scroll:focus-visible,pre:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
.defs{position:absolute}.chart{display:block;width:100%;min-width:44rem;height:auto}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;margin:.3rem 0;padding:0;font-size:.88rem;
color:var(--soft)}.legend svg{width:1.5rem;height:.9rem;margin-inline-end:.35rem;vertical-align:-.08rem}
svg text{font:12.5px system-ui,"Noto Sans",sans-serif;fill:var(--ink)}svg .t{fill:var(--soft)}
.grid{stroke:var(--grid);fill:none}.axis{stroke:var(--soft);fill:none}.fault{fill:url(#p-fault)}
.fault-edge{stroke:var(--bad);stroke-width:1.2;fill:none}.fault-label{fill:var(--bad);font-weight:700}
.fault-ground{fill:var(--fault)}.fault-line{fill:var(--fault2)}
.suspect-ground{fill:var(--suspect)}.suspect-line{fill:var(--suspect2)}
.attached-ground{fill:var(--attached)}.attached-dot{fill:var(--blue)}
.off-ground{fill:var(--off)}.off-line{stroke:var(--off2);stroke-width:1.2;fill:none}
.up{fill:var(--up)}.down{fill:var(--down)}.suspect{fill:url(#p-suspect)}.attached{fill:url(#p-attached)}
.not-running{fill:url(#p-not-running)}.down-line{stroke:var(--bg);stroke-width:2;fill:none}
.flash{fill:var(--bad)}.immediate{fill:var(--warn)}.priority{fill:var(--blue)}.routine{fill:var(--soft)}
.lost{stroke:var(--bad);stroke-width:2;fill:none}.gap{stroke:var(--blue);stroke-width:1.3;fill:none}
.limit{stroke:var(--warn);stroke-width:1.4;stroke-dasharray:6 4;fill:none}svg .limit-label{fill:var(--warn)}
@page{size:A4;margin:16mm 13mm;@top-center{content:"EXERCISE EXERCISE EXERCISE";font:700 9pt sans-serif}
@bottom-right{content:counter(page) " / " counter(pages);font:9pt sans-serif}}
@media print{:root{color-scheme:light;--bg:#fff;--ink:#000;--soft:#444;--line:#bbb;--panel:#f4f4f1;--ok:#0a6435;
--bad:#a80f22;--warn:#7a4f00;--blue:#1d5796;--up:#2f8f5b;--down:#8c1020;--suspect:#e0a82e;--suspect2:#7a4f00;
--attached:#d8e6f4;--off:#ececec;--off2:#777;--fault:rgba(168,15,34,.09);--fault2:rgba(168,15,34,.22);--grid:#e3e4e6}
body{max-width:none;padding:0;font-size:9.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.banner.last{display:none}.chart{min-width:0}.scroll,pre{overflow:visible}tr{break-inside:avoid}pre{white-space:pre-wrap}}
"""


def page(title: str, *content: str) -> str:
    """One whole HTML document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        # The page says of itself that nothing may be fetched or run, whatever came into it.
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(_STYLE)),
    )
    banner = tag("header", tag("p", BANNER, class_="banner"))
    last = tag("footer", tag("p", BANNER, class_="banner last"))
    body = tag("body", _PATTERNS, banner, tag("main", *content), last)
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en", dir="ltr") + "\n"


def section(heading: str, *content: str) -> Markup:
    """One part of a page."""
    return tag("section", tag("h2", heading), *content)


def facts(pairs: dict[str, str]) -> Markup:
    """Names and values."""
    return tag("dl", *(Markup(tag("dt", name) + tag("dd", value)) for name, value in pairs.items()))


def mark(holds: bool | None, good: str = "kept", bad: str = "BROKEN") -> Markup:
    """A sign and a word: neither needs the colour. None is for what is not decided."""
    if holds is None:
        return tag("span", "? not decided", class_="mark")
    return tag("span", f"✓ {good}" if holds else f"✗ {bad}", class_="mark kept" if holds else "mark no")


def not_judged() -> Markup:
    """For a promise of a drill that was not played to its end."""
    return tag("span", "– not judged", class_="mark")


def verdict(kind: str, sentence: str, word: str = "") -> Markup:
    """The verdict in one sentence, after a sign and `word`, which is the kind of verdict unless told otherwise."""
    signs = {"passed": "✓", "broken": "✗", "undecided": "?", "aborted": "–"}
    return tag("p", tag("b", f"{signs[kind]} {word or kind.upper()}"), shown(" "), sentence, class_=f"verdict {kind}")
