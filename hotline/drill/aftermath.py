"""After a drill: everybody stops; is any text to be found where none may be, do both ledgers verify and agree?

The ledgers are checked by the very commands that an auditor uses, in processes of their own.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from hotline.drill.injects import SAYS, Clock
from hotline.drill.plan import Plan
from hotline.drill.recorder import Recorder
from hotline.drill.stage import Stage
from hotline.drill.telling import party_of
from hotline.drill.texts import needles

_AUDIT_SECONDS: Final = 60
_STOP_SECONDS: Final = 5.0
_NEEDLE_BYTES: Final = 24
_VERIFIED: Final = 0
_CANNOT_DECIDE: Final = 10


def look_for_plaintext(plan: Plan, stage: Stage, recorder: Recorder) -> None:
    """Search relay stores and every log for what was said; each place where it stands becomes an entry."""
    wanted = {needles(flow.lang) for flow in plan.traffic}
    wanted |= {item.text.encode()[:_NEEDLE_BYTES] for item in plan.inject if isinstance(item, SAYS)}
    places = [path for relay in stage.relays for path in (relay.folder / "store").glob("*") if path.is_file()]
    places += sorted(stage.folder.glob("*.log"))
    for place in places:
        data = place.read_bytes()
        if any(needle in data for needle in wanted):
            recorder.add("plaintext", place=str(place.relative_to(stage.folder)))


def stop_everyone(stage: Stage, recorder: Recorder) -> None:
    """Terminals first: they still tell each other, over the relays, that they close."""

    def stop(name: str) -> None:
        code = stage.stop(name, _STOP_SECONDS)
        recorder.add("exit", process=name, code=code, asked=True)

    running = [name for name in stage.names() if stage.started(name) and stage.ended(name) is None]
    terminals = {one.process for one in stage.terminals} & set(running)
    with ThreadPoolExecutor(len(running) or 1) as pool:
        for group in (sorted(terminals), [name for name in running if name not in terminals]):
            list(pool.map(stop, group))


def verify_ledgers(plan: Plan, charter: Path, stores: Mapping[str, Path], recorder: Recorder) -> None:
    """One entry for each ledger, and one that says whether they agree; nothing where a store is not known.

    Where the drill itself has set clocks wrong, a ledger counts as verified whose entries hold and whose times only
    are contradicted by others: its text says so.
    """
    if len(stores) != len({desk.party for desk in recorder.desks.values()}):
        return
    clocks_wrong = bool(plan.topology.clock_step) or any(isinstance(item, Clock) for item in plan.inject)
    known = ("--charter", str(charter), "--json")
    with ThreadPoolExecutor(len(stores) + 1) as pool:
        verified = {
            name: pool.submit(_audit, "verify", "--store", str(store), *_whose(name), *known)
            for name, store in stores.items()
        }
        pairs = list(itertools.combinations(plan.topology.capitals, 2))
        compared = [
            pool.submit(_audit, "compare", *(str(stores[one]) for one in pair), *known, *_of(pair, pairs))
            for pair in pairs
        ]
    for name, asked in verified.items():
        code, out, error = asked.result()
        last: dict[str, Any] = json.loads(out.splitlines()[-1]) if out.strip() else {}
        text = str(last.get("text", error.strip()))
        holds = code == _VERIFIED or (clocks_wrong and code == _CANNOT_DECIDE and last.get("kind") == "bracket")
        size, epoch, root = last.get("size", 0), last.get("log_epoch", 0), last.get("root", "")
        recorder.add("ledger", by=name, size=size, log_epoch=epoch, root=root, verified=holds, text=text)
    for asked in compared:
        code, out, error = asked.result()
        found = out.strip().splitlines()
        text = json.loads(found[0])["text"] if found else "no contradiction found"
        agree = not found and (code == _VERIFIED or (clocks_wrong and code == _CANNOT_DECIDE))
        recorder.add("agree", holds=agree, text=text if found or agree else error.strip())


def _of(pair: Sequence[str], pairs: Sequence[object]) -> list[str]:
    """Whose two records they are, where a charter has more of them."""
    return [word for one in pair for word in ("--of", one)] if len(pairs) > 1 else []


def _whose(name: str) -> tuple[str, ...]:
    """The terminal whose ledger it is, by the name of its process."""
    party = party_of(name)
    return ("--party", party, "--terminal", "main" if name == party else "alt")


def _audit(*words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of one `hotline audit` command."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "hotline", "audit", *words],
        capture_output=True,
        text=True,
        timeout=_AUDIT_SECONDS,
        check=False,
        cwd=Path.cwd(),
    )
    return done.returncode, done.stdout, done.stderr
