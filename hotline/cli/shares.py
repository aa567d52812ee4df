"""Shares, and the pairwise secrets made of them: one of two parties, one of each pair of several."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import click

from hotline.charter.cards import PartyOffer, decode, open_offer
from hotline.charter.documents import check_name
from hotline.charter.model import load_draft
from hotline.charter.pairwise import (
    SHARE_SIZE,
    check_value,
    derive_pairwise,
    pair_of,
    read_pairs,
    spell_pair,
)
from hotline.charter.parts import Charter
from hotline.cli.artefacts import SECRET_MODE, Artefact, entropy, write_all
from hotline.cli.output import line
from hotline.crypto.vault import open_secret, plain_secret
from hotline.errors import ConfigError, KeyFileError, Untrusted
from hotline.files import naming, read_public, read_secret
from hotline.limits import PARTIES_MAX

SHARE_HELP = "Share of one party; give both. Of two parties only."
CHECK_HELP = "Check value of one pair of several parties; give that of each pair."

Pair = tuple[str, str]


def check_others(party: str, others: Sequence[str]) -> list[str]:
    """The parties that an offer makes shares for; none for a charter of two. Raises ConfigError."""
    for other in others:
        check_name("with", other)
    named = sorted({*others} - {party})
    if len(named) != len(others) or len(named) in (1, *range(PARTIES_MAX, len(named) + 1)):
        raise ConfigError(
            f"--with names each of the others once, two to {PARTIES_MAX - 1} of them; for a charter of two leave it out"
        )
    return named


def make_shares(out: Path, party: str, others: Sequence[str]) -> list[Artefact]:
    """A share for the one other party, or one for each: nobody else's secret can be made with it."""
    if not others:
        share = plain_secret("share", party, entropy(SHARE_SIZE))
        return [Artefact(out.with_name(f"{party}.share"), share, SECRET_MODE)]
    return [
        Artefact(
            out.with_name(f"{party}-{other}.share"),
            plain_secret("share", f"{party}/{other}", entropy(SHARE_SIZE)),
            SECRET_MODE,
        )
        for other in others
    ]


def _shares(paths: Sequence[Path]) -> dict[str, bytes]:
    """Share of each party; one that is for a certain other party lies beside that one's only. Raises KeyFileError."""
    found: dict[str, bytes] = {}
    meant: dict[str, str] = {}
    for path in paths:
        data = read_secret(path)
        name, share = naming(path, partial(open_secret, data, "share"))
        party, _, other = name.partition("/")
        if party in found:
            raise KeyFileError(f"{path}: a second share of {party}; bring one share of each party")
        found[party], meant[party] = share, other
    for party, other in meant.items():
        if other and meant.get(other) != party:
            raise KeyFileError(f"the share of {party} is for {other}: bring the one that {other} made for {party}")
    return found


def _secret_file(path: Path, secret: bytes, pair: Pair | None) -> Artefact:
    text = secret.hex() + "\n" if pair is None else spell_pair(*pair, secret.hex())
    return Artefact(path, text.encode(), SECRET_MODE)


def secrets_and_check(
    offers: Sequence[PartyOffer], shares: Sequence[Path], checks: Sequence[Path], out: Path | None
) -> tuple[list[Artefact], str | Mapping[Pair, str]]:
    """What `charter new` writes of the secrets, and what the charter says of them. Raises UsageError, HotlineError."""
    names = sorted({item.party for item in offers})
    if len(names) != len(offers) or not 2 <= len(names) <= PARTIES_MAX:
        raise ConfigError(
            f"a charter is made from the offers of two to {PARTIES_MAX} different parties: give --offer for each"
        )
    if len(names) == 2:
        if checks or out is None or len(shares) != 2:
            raise click.UsageError("two parties give --share for each, --pairwise-out and no --check")
        secret = derive_pairwise(_shares(shares), {item.party: decode(item.identity) for item in offers})
        return [_secret_file(out, secret, None)], check_value(secret)
    if shares or out is not None:
        raise click.UsageError(
            "of several parties nobody brings a share here: each pair makes its secret with `hotline charter pairwise`"
        )
    found: dict[Pair, str] = {}
    for path in checks:
        found |= naming(path, partial(read_pairs, read_public(path).decode("ascii", "replace")))
    wanted = set(itertools.combinations(names, 2))
    if set(found) != wanted:
        odd = "; ".join(
            f"{word} {' and '.join(pair)}"
            for word, pairs in (("missing:", wanted - set(found)), ("not of this charter:", set(found) - wanted))
            for pair in sorted(pairs)
        )
        raise ConfigError(f"give --check for each pair of parties, and for no other ({odd})")
    return [], found


def _load(path: Path) -> Charter:
    data = read_public(path)
    return naming(path, lambda: load_draft(data))


@click.command()
@click.option(
    "--share",
    "shares",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    metavar="SHARE",
    help="Share of one party; give both.",
)
@click.option("--charter", "note", type=click.Path(path_type=Path), metavar="FILE", help="Check against this charter.")
@click.option(
    "--offer",
    "offers",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="OFFER",
    help="Of two among several parties, before there is a charter: both their offers.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The file to make.")
def pairwise(shares: tuple[Path, ...], note: Path | None, offers: tuple[Path, ...], out: Path) -> None:
    """Derive the pairwise secret from both shares and check it against the charter.

    \b
    Examples:
      hotline charter pairwise --share ALPHA.share --share BRAVO.share --charter charter.note --out pairwise.key
      hotline charter pairwise --share ALPHA-BRAVO.share --share BRAVO-ALPHA.share \\
        --offer ALPHA.offer --offer BRAVO.offer --out ALPHA-BRAVO.key

    Between several parties each pair has a secret of its own. With both offers its check value, which is no secret, is
    written beside it (ALPHA-BRAVO.check): hotline charter new asks for that of each pair. The file that a terminal's
    configuration names holds the lines of all its pairs: cat ALPHA-BRAVO.key ALPHA-CHARLIE.key > pairwise.key
    """
    if (note is None) == (not offers):
        raise click.UsageError("give --charter, or, before there is one, --offer of both parties")
    held = _shares(shares)
    if note is None:
        texts = [(path, read_public(path)) for path in offers]
        opened = [naming(path, partial(open_offer, text)) for path, text in texts]
        secret = derive_pairwise(held, {item.party: decode(item.identity) for item in opened})
        pair = pair_of(*held)
        check = Artefact(out.with_suffix(".check"), spell_pair(*pair, check_value(secret)).encode())
        write_all([_secret_file(out, secret, pair), check])
        line(f"{check.path} is no secret, and goes to where the charter is drawn up; {out} stays here")
        return
    loaded = _load(note)
    if len(held) != 2:
        raise KeyFileError("a pairwise secret is made of two parties' shares: give --share twice")
    secret = derive_pairwise(held, {party: loaded.party(party).identity for party in held})
    if check_value(secret) != loaded.check_of(*held):
        raise Untrusted("pairwise", f"these shares do not give the secret of {note}: a share was exchanged or altered")
    write_all([_secret_file(out, secret, pair_of(*held) if loaded.several else None)])
