"""In which order a line is seen: the Unicode bidirectional algorithm (UAX #9) for one line without brackets' pairs.

What N0 decides, the level of paired brackets, concerns nothing inside an isolate and is left out.
"""

from __future__ import annotations

import unicodedata

ISOLATES = {"LRI", "RLI", "FSI"}
STRONG = {"L": 0, "R": 1, "AL": 1}
NEUTRAL = {"B", "S", "WS", "ON", *ISOLATES, "PDI"}
DEPTH = 125


def matching(kinds: list[str], start: int) -> int:
    """BD9: where the isolate that begins at `start` ends; the end of the line if it does not."""
    depth = 0
    for place in range(start, len(kinds)):
        depth += (kinds[place] in ISOLATES) - (kinds[place] == "PDI")
        if not depth:
            return place
    return len(kinds)


def base_level(kinds: list[str], start: int = 0, end: int | None = None) -> int:
    """P2 and P3: the direction of the first strong character that stands in no isolate."""
    place, end = start, len(kinds) if end is None else end
    while place < end:
        if kinds[place] in STRONG:
            return STRONG[kinds[place]]
        place = matching(kinds, place) + 1 if kinds[place] in ISOLATES else place + 1
    return 0


def explicit(kinds: list[str], base: int) -> list[int]:
    """X1 to X8 for lines in which only isolates are explicit."""
    levels, stack, overflow = [], [base], 0
    for place, kind in enumerate(kinds):
        if kind == "PDI":
            if overflow:
                overflow -= 1
            elif len(stack) > 1:
                stack.pop()
        levels.append(stack[-1])
        if kind in ISOLATES:
            end = matching(kinds, place)
            right = kind == "RLI" or (kind == "FSI" and base_level(kinds, place + 1, end) == 1)
            level = (stack[-1] + 1) | 1 if right else (stack[-1] + 2) & ~1
            if level > DEPTH or overflow:
                overflow += 1
            else:
                stack.append(level)
    return levels


def sequences(kinds: list[str], levels: list[int]) -> list[list[int]]:
    """BD13: isolating run sequences, as places in the line."""
    runs: list[list[int]] = []
    for place, level in enumerate(levels):
        if runs and levels[runs[-1][-1]] == level and kinds[runs[-1][-1]] not in ISOLATES and kinds[place] != "PDI":
            runs[-1].append(place)
        else:
            runs.append([place])
    begins = {run[0]: run for run in runs}
    found, used = [], set()
    for run in runs:
        if run[0] in used:
            continue
        whole = list(run)
        while kinds[whole[-1]] in ISOLATES and (end := matching(kinds, whole[-1])) < len(kinds):
            used.add(end)
            whole += begins[end]
        found.append(whole)
    return found


def resolve(kinds: list[str], levels: list[int], sequence: list[int], base: int) -> None:
    """W1 to W7, N1, N2, I1 and I2 for one isolating run sequence; changes `levels`."""
    level, last = levels[sequence[0]], sequence[-1]
    before = levels[sequence[0] - 1] if sequence[0] else base
    open_ = kinds[last] in ISOLATES
    after = base if open_ or last + 1 == len(kinds) else levels[last + 1]
    sos, eos = ("LR"[max(level, other) % 2] for other in (before, after))
    types = [kinds[place] for place in sequence]
    weak(types, sos)
    towards = "LR"[level % 2]
    place = 0
    while place < len(types):
        end = place
        while end < len(types) and types[end] in NEUTRAL:
            end += 1
        if end > place:
            left = _side(types[place - 1]) if place else sos
            right = _side(types[end]) if end < len(types) else eos
            types[place:end] = [left if left == right else towards] * (end - place)
        place = end + 1 if end == place else end
    for where, kind in zip(sequence, types, strict=True):
        if level % 2:
            levels[where] += kind != "R"
        else:
            levels[where] += {"R": 1, "AN": 2, "EN": 2}.get(kind, 0)


def weak(types: list[str], sos: str) -> None:
    """W1 to W7, in place."""
    strong = sos
    for place in range(len(types)):
        before = types[place - 1] if place else sos
        if types[place] == "NSM":
            types[place] = "ON" if before in ISOLATES or before == "PDI" else before
        kind = types[place]
        if kind in STRONG:
            strong = kind
        if kind == "EN" and strong == "AL":
            types[place] = "AN"
        if kind == "AL":
            types[place] = "R"
    for place in range(1, len(types) - 1):
        around = {types[place - 1], types[place + 1]}
        if (types[place] in {"ES", "CS"} and around == {"EN"}) or (types[place] == "CS" and around == {"AN"}):
            types[place] = around.pop()
    for step in (range(len(types)), range(len(types) - 1, -1, -1)):
        back = 1 if step.step == 1 else -1
        for place in step:
            beside = place - back
            if types[place] == "ET" and 0 <= beside < len(types) and types[beside] == "EN":
                types[place] = "EN"
    strong = sos
    for place, kind in enumerate(types):
        if kind in {"ES", "CS", "ET"}:
            types[place] = "ON"
        strong = kind if kind in {"L", "R"} else strong
        if kind == "EN" and strong == "L":
            types[place] = "L"


def _side(kind: str) -> str:
    return "R" if kind in {"R", "AN", "EN"} else "L"


def seen(text: str, base: int | None = None) -> str:
    """The characters of one line from left to right as they are seen, without what shows nothing."""
    shown = [char for char in text if unicodedata.bidirectional(char) != "BN"]
    kinds = [unicodedata.bidirectional(char) or "L" for char in shown]
    base = base_level(kinds) if base is None else base
    levels = explicit(kinds, base)
    for sequence in sequences(kinds, list(levels)):
        resolve(kinds, levels, sequence, base)
    for place in range(len(kinds) - 1, -1, -1):  # L1: white space at the end of the line
        if kinds[place] not in {"WS", *ISOLATES, "PDI"}:
            break
        levels[place] = base
    order = list(range(len(shown)))
    for level in range(max(levels, default=0), 0, -1):  # L2
        place = 0
        while place < len(order):
            end = place
            while end < len(order) and levels[order[end]] >= level:
                end += 1
            order[place:end] = order[place:end][::-1]
            place = max(end, place + 1)
    return "".join(shown[place] for place in order)
