"""`hotline charter reactivate`: bringing back a line that has slept, step by step, each one looked at.

The clock of the procedure is that of its dates: what has ended is renewed by an amendment, under the keys that the
ceremony left, and nothing is trusted anew. docs/protocol.md 24.12.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from hotline.charter.cards import (
    OfficerCard,
    TerminalCard,
    decode,
    open_offer,
    open_officer_card,
    open_terminal_card,
)
from hotline.charter.ceremony import day, read_claim
from hotline.charter.mandates import Mandate, open_mandate
from hotline.charter.model import load_charter, load_draft
from hotline.charter.parts import Charter
from hotline.charter.succession import check_follows
from hotline.cli.artefacts import now_ms
from hotline.cli.exits import Exit
from hotline.cli.expiries import Expiry, expiries, told
from hotline.cli.output import line, print_json, to_type
from hotline.config import EndpointConfig, load_endpoint_config
from hotline.errors import ConfigError, HotlineError, Untrusted
from hotline.files import naming, read_public
from hotline.runtime.client import daemon
from hotline.safetext import safe_line
from hotline.wire.v1 import operator_pb2

DONE: Final = "done"
TO_DO: Final = "to do"
LATER: Final = "later"
_CLOCK_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Step:
    """One step: whose it is, whether it is done, what was found, what to type. LATER: a step before it is not done."""

    what: str
    who: str
    state: str
    found: str
    command: str = ""


def _step(what: str, who: str, found: str, command: str = "", *, done: bool) -> Step:
    return Step(what, who, DONE if done else TO_DO, found, "" if done else command)


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Steps as they are to be taken: what comes after one that is not done is for later, unless it is done too.

    Steps that different people take side by side bear one name: none waits for the other.
    """
    found: list[Step] = []
    open_: str | None = None
    for step in steps:
        if step.state == TO_DO and open_ is None:
            open_ = step.what
        found.append(replace(step, state=LATER) if step.state == TO_DO and step.what != open_ else step)
    return found


# --- what the charters say --------------------------------------------------------------------------------------------


def on_paper(
    charter: Charter, amended: Charter | None, offered: Collection[tuple[str, str]], today: str, names: tuple[str, str]
) -> list[Step]:
    """The steps up to a signed amendment.

    `offered` are cards (what, whose) that offers at hand renew; `names` the files of both charters, for what is typed.
    """
    base, new = names
    ended = [one for one in expiries(charter, today) if one.within == 0]
    if not ended:
        return [Step("renew cards", "both capitals", DONE, "no card and no certificate has ended")]
    left = [] if amended is None else [one for one in expiries(amended, today) if one.within == 0]
    # A card that is left out, because its officer goes, is renewed as well as one that is made anew.
    lacking = [one for one in ended if (one.what, one.name) not in offered]
    open_ = lacking if amended is None else left
    steps = [_renewal(party.name, ended, open_, base) for party in charter.parties]
    steps += [_certificate(one, open_, charter) for one in ended if one.what == "certificate"]
    offers = " ".join(f"--offer {party.name}.renewal.offer" for party in charter.parties)
    follows = amended is not None and not left
    found = "drawn up, and nothing in it has ended" if follows else "; ".join(told(one) for one in left[:3])
    command = f"hotline charter amend --base {base} {offers} -o {new}"
    steps.append(_step("draw up the amendment", "one capital", found or "not drawn up", command, done=follows))
    for party in charter.parties:
        signed = amended is not None and party.name in amended.signed_by
        command = f"hotline charter sign {new} --base {base} --identity {party.name}.identity.key"
        found = "has signed it" if signed else "has not signed it"
        steps.append(_step("sign the amendment", party.name, found, command, done=signed))
    return steps


def _renewal(party: str, ended: Sequence[Expiry], open_: Sequence[Expiry], base: str) -> Step:
    mine, still = (
        [one for one in which if one.name.startswith(f"{party}/") and one.what != "certificate"]
        for which in (ended, open_)
    )
    kinds = [one.what.removesuffix(" card") for one in mine]
    cards = " ".join(
        f"--{kind} renewed/{one.name.replace('/', '.')}.{kind}.card" for kind, one in zip(kinds, mine, strict=True)
    )
    command = (
        f"hotline key renew --identity {party}.identity.key --charter {base} --out renewed && hotline charter offer "
        f"--amendment --identity {party}.identity.key {cards} --out {party}.renewal.offer"
    )
    found = "; ".join(told(one) for one in still) if still else f"{len(mine)} cards had ended"
    return _step("renew cards", party, found, command, done=not still)


def _certificate(one: Expiry, open_: Sequence[Expiry], charter: Charter) -> Step:
    relay = next((relay for relay in charter.relays if relay.name == one.name), None)
    done = one.name not in {other.name for other in open_ if other.what == "certificate"}
    if relay is None:
        command = "hotline key terminal, under another name, and --retire the old one: a certificate is not renewed"
        return _step("replace certificates", one.name.partition("/")[0], told(one), command, done=done)
    command = f"hotline-relay key init, under another name; then charter amend --relay CARD --retire relay:{relay.name}"
    return _step("replace certificates", relay.operator, told(one), command, done=done)


def mandates(found: Sequence[tuple[str, Mandate]], today: str) -> list[Step]:
    """Mandates that officers still hold; they are no part of a charter."""
    return [
        _step(
            "renew mandates",
            mandate.party,
            f"{name}: {mandate.officer} as {mandate.role} until {mandate.not_after}",
            "hotline key mandate, or keep the file away from the officer",
            done=mandate.not_before <= today < mandate.not_after,
        )
        for name, mandate in found
    ]


# --- what the machine says --------------------------------------------------------------------------------------------


def in_place(config: EndpointConfig, target: Charter, file: str) -> Step:
    """Whether the configuration names the charter that is to hold."""
    data = read_public(config.charter)
    named = naming(config.charter, partial(load_charter, data))
    found = f"{config.charter} has serial {named.serial}"
    command = f"install -m 644 {file} {config.charter}; the same for each relay (`charters`); then start them"
    return _step("put it in place", f"{config.party}/{config.terminal}", found, command, done=named.hash == target.hash)


def in_service(picture: dict[str, Any], target: Charter) -> list[Step]:
    """What a running daemon says of charter, keys, clocks, witnesses and the line."""
    who, keys, peer = f"{picture['party']}/{picture['terminal']}", picture["keys"], picture["peer"]
    up = sum(1 for path in picture["paths"] if path["state"] == "up")
    serials = (picture["charter_serial"], picture["charter_peer"])
    offset, quorum, sent = peer["clock_offset_ms"], picture["ledger"]["quorum"], picture["tests"]["sent"]
    tested = sent is not None and sent["outcome"] == "delivered" and sent["time"][:10] >= target.created
    return [
        _step(
            "stand under it",
            "both terminals",
            f"here serial {serials[0]}, at the peer {serials[1] or 'not heard'}",
            "start this terminal and the other one with the charter in place",
            done=picture["charter"] == target.hash.hex() and serials == (target.serial, target.serial),
        ),
        _step(
            "bring up every path",
            "relays",
            f"{up} of {len(picture['paths'])} paths up",
            "hotline doctor --config FILE; on a relay: hotline-relay check --config FILE --health",
            done=up == len(picture["paths"]),
        ),
        _step(
            "exchange keys anew",
            who,
            f"prekeys {'usable' if keys['can_seal'] else 'not usable'}, "
            f"courier keys {'usable' if keys['courier_usable'] else 'not usable'}",
            "nothing to type: heartbeats bring them as soon as a path is up",
            done=keys["can_seal"] and keys["courier_usable"],
        ),
        _step(
            "set the clocks",
            "both terminals",
            "the peer was not heard" if offset is None else f"the peer's differs by {offset} ms",
            "set the clock that is wrong; times are compared by voice",
            done=offset is not None and abs(offset) <= _CLOCK_MS,
        ),
        _step(
            "ask the witnesses",
            "witnesses",
            {None: "the charter asks for none", True: "a quorum cosigns", False: "no quorum"}[quorum],
            "start the witnesses; a key that is lost is replaced by charter amend --policy",
            done=quorum is not False,
        ),
        _step(
            "test the whole way",
            who,
            "no test since" if not tested else f"test {sent['serial']} was delivered",
            "hotline test now",
            done=tested,
        ),
    ]


def _at_the_terminal(config: EndpointConfig | None, target: Charter | None, file: str) -> list[Step]:
    who = "each terminal" if config is None else f"{config.party}/{config.terminal}"
    if config is None:
        return [Step("look at a terminal", who, TO_DO, "not looked at", "give --config FILE, on each terminal")]
    if target is None:
        return [Step("put it in place", who, TO_DO, "there is nothing to put in place yet")]
    steps = [in_place(config, target, file)]
    try:
        with daemon(str(config.operator.socket)) as stub:
            picture = json.loads(stub.GetStatus(operator_pb2.GetStatusRequest()).json)
    except HotlineError as error:
        return [*steps, Step("start the daemon", who, TO_DO, str(error), "hotline endpoint run --config FILE")]
    return [*steps, *in_service(picture, target)]


@click.command("reactivate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--amended", type=click.Path(path_type=Path), metavar="CHARTER", help="The amendment, once there is one.")
@click.option(
    "--offer", "offers", type=click.Path(path_type=Path), multiple=True, metavar="OFFER", help="Renewed cards at hand."
)
@click.option("--config", "config_path", type=click.Path(path_type=Path), metavar="FILE", help="Of this terminal.")
@click.option(
    "--mandate", "mandate_files", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help="In use here."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
def reactivate_command(
    file: Path,
    amended: Path | None,
    offers: tuple[Path, ...],
    config_path: Path | None,
    mandate_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Bring back a line that has slept: what is done, what is next, who does it and what to type. Changes nothing.

    \b
    Examples:
      hotline charter reactivate charter.note
      hotline charter reactivate charter.note --offer ALPHA.renewal.offer --offer BRAVO.renewal.offer
      hotline charter reactivate charter.note --amended amended.note --config /etc/hotline/alpha.toml

    Run it again after each step, in both capitals. FILE is the charter that was in force when the line fell asleep. No
    identity key and no pairwise secret changes: whoever has lost one holds a new ceremony. Exit 0 when all is done, 1
    while something is to do, 4 for a charter or mandate that does not hold.
    """
    today = day(now_ms())
    charter = naming(file, partial(load_charter, read_public(file)))
    new = None if amended is None else naming(amended, partial(load_draft, read_public(amended)))
    if new is not None and amended is not None:
        naming(amended, partial(check_follows, new, charter))
    config = None if config_path is None else load_endpoint_config(config_path)
    offered = {card for path in offers for card in _offered(path, charter, today)}
    paper = on_paper(charter, new, offered, today, (str(file), str(amended or "amended.note")))
    paper += mandates([_mandate(path, charter) for path in mandate_files], today)
    signed = all(step.state == DONE for step in paper if step.what != "renew mandates")
    target = (new or charter) if signed else None
    steps = in_order([*paper, *_at_the_terminal(config, target, str(amended or file))])
    _print(charter, today, steps, as_json=as_json)
    sys.exit(int(Exit.DONE if all(step.state == DONE for step in steps) else Exit.FIXABLE))


def _offered(path: Path, charter: Charter, today: str) -> Iterator[tuple[str, str]]:
    """The cards in an offer that hold today. Raises Malformed or Untrusted, also for another identity key."""
    offer = naming(path, partial(open_offer, read_public(path)))
    if decode(offer.identity) != charter.party(offer.party).identity:
        raise Untrusted("identity", f"{path}: another identity key of {offer.party} than the charter's")
    identity = decode(offer.identity)
    cards: list[tuple[str, TerminalCard | OfficerCard]] = []
    cards += [
        ("terminal card", naming(path, partial(open_terminal_card, text.encode(), identity)))
        for text in offer.terminals
    ]
    cards += [
        ("officer card", naming(path, partial(open_officer_card, text.encode(), identity))) for text in offer.officers
    ]
    for what, card in cards:
        if card.not_before <= today < card.not_after:
            yield what, f"{card.party}/{card.name}"


def _mandate(path: Path, charter: Charter) -> tuple[str, Mandate]:

    data = read_public(path)
    claim = naming(path, partial(read_claim, data))
    if not isinstance(claim, Mandate):
        raise ConfigError(f"{path}: not a mandate")
    naming(path, partial(open_mandate, data, charter.party(claim.party).identity))
    return str(path), claim


def _print(charter: Charter, today: str, steps: Sequence[Step], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema": "hotline.reactivation/1",
                "charter": charter.hash.hex(),
                "today": today,
                "steps": [asdict(step) for step in steps],
            }
        )
        return
    line(f"CHARTER  {charter.hotline}, serial {charter.serial} of {charter.created}; today is {today}")
    for number, step in enumerate(steps, 1):
        line(f"{number:2} {step.state:6} {step.what:22} {safe_line(step.who)}: {safe_line(step.found, 512)}")
        if step.state == TO_DO and step.command:
            to_type(f"          {step.command}")
