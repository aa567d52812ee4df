"""Explore the models, find the planted errors, and play runs on the real machines. Exit code 1 if anything is wrong."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.model.explorer import explore
from tests.model.library import LARGE, ROAMING, ROAMING_KEYS, SLOW, USUAL, run, run_of_keys, run_of_takeover
from tests.model.planted import DELIVERY, KEYS, TAKEOVER
from tests.model.replay import Unreplayable, replay
from tests.model.sessions import replay_keys
from tests.model.terminals import replay_takeover


def hold(*, large: bool, limit: int) -> bool:
    """Every model holds."""
    good = True
    for model in USUAL + (LARGE if large else []):
        result = explore(model, limit)
        good = good and not result.wrong
        print(result.line(), flush=True)
        for action in result.trace:
            print("   ", *action)
    return good


def find(*, large: bool) -> bool:
    """Every planted error is found."""
    good = True
    for name, (model, complaint) in (DELIVERY | KEYS | TAKEOVER).items():
        if name in SLOW and not large:
            continue
        result = explore(model)
        found = complaint in result.wrong
        good = good and found
        seen = f"found in {len(result.trace):>2} actions: {result.wrong}" if found else f"NOT FOUND ({result.wrong})"
        print(f"{name:<48} {result.states:>6} states  {seen}", flush=True)
    return good


def play(runs: int) -> bool:
    """The real machines do what the model does."""
    count: Counter[str] = Counter()
    started = time.perf_counter()
    for seed in range(runs):
        done = []
        try:
            for action, difference in replay(run(seed), ROAMING, seed):
                done.append(action)
                count["actions"] += 1
                if difference:
                    print(f"run {seed}: {difference}")
                    for one in done:
                        print("   ", *one)
                    count["different"] += 1
                    break
            else:
                count["to the end"] += 1
        except Unreplayable:
            count["as far as keys allow"] += 1
    text = ", ".join(f"{number} {what}" for what, number in count.items())
    print(f"{runs} runs on the real machines in {time.perf_counter() - started:.1f} s: {text}")
    return not count["different"]


def play_keys(runs: int) -> bool:
    """The real sessions do what the model of keys does."""
    actions = 0
    for seed in range(runs):
        for action, difference in replay_keys(run_of_keys(seed), ROAMING_KEYS):
            actions += 1
            if difference:
                print(f"run {seed}, at {action}: {difference}")
                return False
    print(f"{runs} runs on real sessions: {actions} actions, no difference")
    return True


def play_takeovers(runs: int) -> bool:
    """Real terminals do what the model of takeovers does."""
    actions = 0
    for seed in range(runs):
        for action, difference in replay_takeover(run_of_takeover(seed)):
            actions += 1
            if difference:
                print(f"run {seed}, at {action}: {difference}")
                return False
    print(f"{runs} runs on real terminals: {actions} actions, no difference")
    return True


def main() -> int:
    """Explore, find, play."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--large", action="store_true", help="larger bounds and every planted error: some minutes")
    parser.add_argument("--runs", type=int, default=0, help="runs on the real machines (default 20, large 1000)")
    parser.add_argument("--limit", type=int, default=600_000, help="states at which exploring one model ends")
    options = parser.parse_args()
    runs = options.runs or (1_000 if options.large else 20)
    good = [hold(large=options.large, limit=options.limit), find(large=options.large), play(runs), play_keys(runs)]
    good.append(play_takeovers(runs))
    print("everything holds" if all(good) else "SOMETHING IS WRONG")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
