"""`hotline charter`: offer, draw up, sign, check. What people must compare is printed for both sides alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click

from hotline.charter.body import CHANNEL_TEST_DEFAULT, release_by_two
from hotline.charter.cards import PartyOffer, open_offer, open_officer_card, open_relay_card, open_terminal_card
from hotline.charter.ceremony import checks, day, make_offer
from hotline.charter.differences import Difference, differences
from hotline.charter.model import NO_WITNESSES, load_charter, load_draft, new_charter, sign_charter
from hotline.charter.parts import Charter
from hotline.charter.succession import check_follows
from hotline.cli import releasepolicy
from hotline.cli.amendment import COMMANDS
from hotline.cli.artefacts import (
    Artefact,
    can_ask,
    identity_of,
    identity_option,
    need_free,
    now_ms,
    open_identity,
    party_of,
    passphrase_option,
    read_identity_card,
    write_all,
)
from hotline.cli.charterview import objectives_of, picture, print_differences, print_signatures, print_summary, terms_of
from hotline.cli.exits import agree
from hotline.cli.expiries import dates
from hotline.cli.groups import Commands
from hotline.cli.output import duration_or_none_ms, line, print_json
from hotline.cli.shares import CHECK_HELP, SHARE_HELP, check_others, make_shares, pairwise, secrets_and_check
from hotline.errors import ConfigError, RemoteError, Untrusted
from hotline.files import naming, new_folder, read_public, replace
from hotline.ledger.policy import parse_policy
from hotline.limits import PARTIES_MAX

FILE = click.Path(path_type=Path)
file_argument = click.argument("file", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with a versioned schema.")
base_option = click.option(
    "--base", type=click.Path(path_type=Path), metavar="CHARTER", help="The charter that FILE amends."
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make."
)

witnesses_option = click.option(
    "--witnesses",
    type=click.Path(path_type=Path),
    metavar="POLICY",
    help="Who cosigns the ledgers, and the quorum: a C2SP policy without log lines.  [default: no witnesses]",
)
takeover_option = click.option(
    "--takeover-after", metavar="10m", help="Silence after which an alternate terminal takes over by itself, or none."
)


@click.group(cls=Commands)
def charter() -> None:
    """The ceremony and the charter that both parties sign.

    \b
    1  each capital      hotline key init, key terminal, key officer
    2  each capital      hotline charter offer          (and a share, that only couriers carry)
    3  together          hotline charter new            (both offers, both shares)
    4  each capital      hotline charter sign           (compare the joint safety number aloud)
    5  each capital      hotline charter verify

    \b
    Between three to five parties, in the place of 2 and 3:
    2  each capital      hotline charter offer --with    (a share for each of the others)
    3  each two of them  hotline charter pairwise        (both their shares: a secret, and its check value)
    4  together          hotline charter new --check     (all offers, the check value of each pair)

    \b
    A change of roster, relays, timers or policy, by both:
    1  whoever changes   hotline charter offer --amendment, then charter amend
    2  each capital      hotline charter sign --base      (it shows what would change)
    3  each capital      hotline charter activate
    """


for command in (*COMMANDS, pairwise):
    charter.add_command(command)


@charter.command()
@identity_option
@passphrase_option
@click.option("--terminal", "terminals", type=FILE, multiple=True, metavar="CARD", help="A terminal; repeatable.")
@click.option("--officer", "officers", type=FILE, multiple=True, metavar="CARD", help="An officer; repeatable.")
@click.option("--relay", "relays", type=FILE, multiple=True, metavar="CARD", help="A relay; repeatable.")
@click.option("--with", "others", multiple=True, metavar="PARTY", help="Another party, where there will be several.")
@click.option("--amendment", is_flag=True, help="For an amendment: new or renewed cards only, and no share.")
@out_option
def offer(
    identity: Path,
    passphrase_file: Path | None,
    terminals: tuple[Path, ...],
    officers: tuple[Path, ...],
    relays: tuple[Path, ...],
    others: tuple[str, ...],
    amendment: bool,
    out: Path,
) -> None:
    """Sign what your party brings: terminals, officers, relays. Makes the offer and, beside it, your secret share.

    \b
    Examples:
      hotline charter offer --identity ALPHA.identity.key --terminal ALPHA.main.terminal.card \\
        --officer ALPHA.duty-1.officer.card --relay relay-1.card --out ALPHA.offer
      hotline charter offer --identity ALPHA.identity.key --terminal ALPHA.main.terminal.card \\
        --with BRAVO --with CHARLIE --out ALPHA.offer
      hotline charter offer --amendment --identity ALPHA.identity.key --officer ALPHA.duty-2.officer.card \\
        --out ALPHA.second.offer
    """
    if not (terminals or amendment):
        raise click.UsageError("a ceremony's offer needs a --terminal; an offer for an amendment says --amendment")
    cards = [[read_public(path) for path in paths] for paths in (terminals, officers, relays)]
    if amendment and others:
        raise click.UsageError("--with is for a first charter of several parties; an amendment needs no share")
    named = check_others(party_of(identity), others)
    need_free(out)
    party, key = open_identity(identity, passphrase_file)
    _try_cards((terminals, officers, relays), cards, key.public)
    data = make_offer(key, party, *cards)
    open_offer(data)
    if amendment:
        write_all([Artefact(out, data)])
        return
    write_all([*make_shares(out, party, named), Artefact(out, data)])
    line("The offer may travel any way. A share goes by courier only, and to nobody but the other capital.")


def _try_cards(paths: Iterable[tuple[Path, ...]], cards: Iterable[list[bytes]], identity: bytes) -> None:
    """Raises Malformed or Untrusted that names the file of a card that cannot be offered."""
    opens: tuple[Callable[[bytes], object], ...] = (
        partial(open_terminal_card, identity=identity),
        partial(open_officer_card, identity=identity),
        open_relay_card,
    )
    for files, texts, open_card in zip(paths, cards, opens, strict=True):
        for path, text in zip(files, texts, strict=True):
            naming(path, partial(open_card, text))


def _offers(paths: tuple[Path, ...]) -> tuple[list[bytes], list[PartyOffer]]:
    texts = [read_public(path) for path in paths]
    return texts, [naming(path, partial(open_offer, text)) for path, text in zip(paths, texts, strict=True)]


@charter.command()
@click.option("--name", required=True, help="Name of the hotline: alpha-bravo.")
@click.option("--offer", "offers", type=FILE, multiple=True, required=True, metavar="OFFER", help="Of each party.")
@click.option("--share", "shares", type=click.Path(path_type=Path), multiple=True, metavar="SHARE", help=SHARE_HELP)
@click.option(
    "--check", "check_files", type=click.Path(path_type=Path), multiple=True, metavar="CHECK", help=CHECK_HELP
)
@out_option
@click.option("--pairwise-out", type=click.Path(path_type=Path), metavar="FILE", help="The secret of two parties.")
@witnesses_option
@click.option("--channel-tests", metavar="1h", help="Interval of the channel tests, or none.  [default: 1h]")
@click.option(
    "--release-policy",
    metavar="POLICY",
    default="two",
    show_default=True,
    help=releasepolicy.HELP,
)
@click.option("--objectives", metavar="SPANS", help="Writer to reader, ROUTINE first.  [default: 6h,3h,30m,10m]")
@takeover_option
@click.option("--notice-days", type=click.IntRange(0, 3_650), default=0, help="Days of notice before a party leaves.")
@click.option("--depositary", default="", metavar="WORDS", help="Who keeps the charter, and where notice is given.")
def new(
    name: str,
    offers: tuple[Path, ...],
    shares: tuple[Path, ...],
    check_files: tuple[Path, ...],
    out: Path,
    pairwise_out: Path | None,
    witnesses: Path | None,
    channel_tests: str | None,
    release_policy: str,
    objectives: str | None,
    takeover_after: str | None,
    notice_days: int,
    depositary: str,
) -> None:
    """Draw up a charter from both offers, unsigned, and the pairwise secret from both shares.

    \b
    Examples:
      hotline charter new --name alpha-bravo --offer ALPHA.offer --offer BRAVO.offer \\
        --share ALPHA.share --share BRAVO.share --out charter.note --pairwise-out pairwise.key
      hotline charter new --name abc --offer ALPHA.offer --offer BRAVO.offer --offer CHARLIE.offer \\
        --check ALPHA-BRAVO.check --check ALPHA-CHARLIE.check --check BRAVO-CHARLIE.check --out charter.note

    A file of the release policy holds a list of objects: {"plane": "real", "precedence": "flash", "roles":
    ["drafter", "releaser"]}; for what it does not list, nobody signs. Exit 1 if a party offers too few officers for it.
    """
    texts, opened = _offers(offers)
    secrets, check = secrets_and_check(opened, shares, check_files, pairwise_out)
    interval = duration_or_none_ms(channel_tests, CHANNEL_TEST_DEFAULT, "--channel-tests")
    release, spans = releasepolicy.read_release_policy(release_policy), objectives_of(objectives)
    agreed = (_policy(witnesses), interval, terms_of(notice_days, depositary), release, spans)
    rule = duration_or_none_ms(takeover_after, 0, "--takeover-after") or None
    text = new_charter(name, day(now_ms()), texts, check, *agreed, rule)
    write_all([*secrets, Artefact(out, text)])
    print_summary(load_draft(text), then="Next, in each capital: hotline charter sign")


def _policy(path: Path | None) -> str:
    if path is None:
        return NO_WITNESSES
    data = read_public(path)
    try:
        naming(path, partial(parse_policy, data))
    except RemoteError as error:  # a file of our own, to be corrected: nobody has signed it
        raise ConfigError(str(error)) from error
    return data.decode("utf-8", "replace")


@charter.command()
@file_argument
@click.option("--log-epoch", type=click.IntRange(1), default=1, show_default=True, help="Of the terminals' logs.")
def policy(file: Path, log_epoch: int) -> None:
    """Print the charter's policy with the keys of both ledgers: all that a third party needs to verify a proof.

    \b
    Example:
      hotline charter policy charter.note > policy.txt
    """
    click.echo(_load(file, draft=False).policy_text(log_epoch), nl=False)


def _load(path: Path, *, draft: bool) -> Charter:
    data = read_public(path)
    return naming(path, lambda: load_draft(data) if draft else load_charter(data))


def _after(path: Path, draft: Charter, base: Path) -> list[Difference]:
    """In what a draft differs from the charter that it follows. Raises Untrusted if it does not follow it."""
    old = _load(base, draft=False)
    naming(path, lambda: check_follows(draft, old))
    return differences(draft, old)


@charter.command()
@file_argument
@identity_option
@passphrase_option
@base_option
@click.option("--yes", is_flag=True, help="Do not ask; for scripts and rehearsals.")
def sign(file: Path, identity: Path, passphrase_file: Path | None, base: Path | None, yes: bool) -> None:
    """Show what the charter says, ask, and add your party's signature to the file.

    \b
    Examples:
      hotline charter sign charter.note --identity ALPHA.identity.key
      hotline charter sign amended.note --base charter.note --identity ALPHA.identity.key
    """
    data = read_public(file)
    draft = naming(file, lambda: load_draft(data))
    print_summary(draft)
    if draft.previous and base is None:
        raise click.UsageError("an amendment is signed with its predecessor in hand: give --base")
    if base is not None:
        print_differences(_after(file, draft, base))
    if (party := party_of(identity)) in draft.signed_by:
        raise ConfigError(f"{file}: {party} has signed this charter already")
    if not yes:
        if not can_ask():
            raise click.UsageError("no terminal to ask at: look at the charter, then give --yes")
        agree("Did both sides read out the same joint safety number, and does all of this hold?", "nothing was signed")
    party, key = open_identity(identity, passphrase_file)
    signed = naming(file, lambda: sign_charter(data, party, key))
    if read_public(file) != data:
        raise ConfigError(f"{file}: was changed meanwhile and is left alone; look at it and sign again")
    replace(file, signed)
    line(f"{party} has signed {file}")
    print_signatures(load_draft(signed))


@charter.command()
@file_argument
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show a charter, signed or not. Whatever signature it bears has been verified.

    \b
    Examples:
      hotline charter show charter.note
      hotline charter show charter.note --json
    """
    loaded = _load(file, draft=True)
    if as_json:
        print_json(picture(loaded))
        return
    print_summary(loaded)


@charter.command()
@file_argument
@click.option(
    "--identity",
    "identities",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="PUB",
    help="Identity file that was compared in person; the charter must name the same key.",
)
@base_option
@json_option
def verify(file: Path, identities: tuple[Path, ...], base: Path | None, as_json: bool) -> None:
    """Check every signature, key, name and date. Exit 0 if the charter is in force, 4 if not.

    \b
    Examples:
      hotline charter verify charter.note --identity ALPHA.identity.pub --identity BRAVO.identity.pub
      hotline charter verify amended.note --base charter.note

    With --base also that it is the next charter after that one.
    """
    draft = _load(file, draft=True)
    if base is not None:
        _after(file, draft, base)
    compared = []
    for path in identities:
        card = read_identity_card(path)
        if draft.party(card.party).identity != identity_of(card):
            raise Untrusted("identity", f"{file} names another identity key for {card.party} than {path}")
        compared.append(card.party)
    found = [*checks(draft), dates(draft)]
    if as_json:
        listed = [{"name": check.name, "ok": check.ok, "text": check.text} for check in found]
        print_json(
            {
                "schema": "hotline.charter-verify/1",
                "charter": draft.hash.hex(),
                "in_force": len(draft.signed_by) == len(draft.parties),
                "compared": compared,
                "checks": listed,
            }
        )
    else:
        for check in found:
            line(f"{'ok  ' if check.ok else 'WARN'}  {check.name:22} {check.text}")
        for party in compared:
            line(f"ok    {'identity of ' + party:22} the key that was compared")
    _load(file, draft=False)
    if not as_json:
        line(f"IN FORCE  {draft.hotline}, charter {draft.hash.hex()}")


@charter.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A new folder.")
@click.option("--relays", "count", type=click.IntRange(1, 16), default=3, show_default=True, help="How many relays.")
@click.option(
    "--port", type=click.IntRange(1_024, 65_000), default=41_001, show_default=True, help="Port of the first."
)
@click.option("--by-two", is_flag=True, help="What is said needs a drafter's and a releaser's signature.")
@click.option("--parties", type=click.IntRange(2, PARTIES_MAX), default=2, show_default=True, help="ALPHA, BRAVO, ...")
def rehearse(out: Path, count: int, port: int, by_two: bool, parties: int) -> None:
    """Play the whole ceremony with throw-away keys: the capitals and their relays, ready to start.

    \b
    Examples:
      hotline charter rehearse --out rehearsal
      hotline charter rehearse --out rehearsal --by-two --parties 3
    """
    from hotline.drill.rehearsal import rehearse as play

    relays = [(f"relay-{number}", f"127.0.0.1:{port + number - 1}") for number in range(1, count + 1)]
    names = ("ALPHA", "BRAVO", "CHARLIE", "DELTA", "ECHO")[:parties]
    with new_folder(out, exist_ok=True):
        played = play(out, relays, release=release_by_two() if by_two else (), parties=names)
    print_summary(_load(played.charter, draft=False))
    line()
    line("Throw-away keys, for this machine only. Start it all:")
    for relay in played.relays:
        line(f"  hotline-relay run --config {relay.config}")
    for terminal in played.terminals:
        line(f"  hotline endpoint run --config {terminal.config}")
    line("Then, as an officer of a side:")
    for terminal in played.terminals:
        line(f"  export HOTLINE_SOCKET={terminal.socket}")
