"""This implementation's answers, by kind: what the conformance kit asks of any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hotline.conformance import agreement, channel, record
from hotline.conformance.kit import Json
from hotline.crypto.signing import pae
from hotline.errors import ConfigError, KeyFileError, RemoteError


def _pae(given: Json, asked: Json) -> Json:
    del given
    return {"result": pae(asked["label"], *(bytes.fromhex(part) for part in asked["parts"])).hex()}


KINDS: Final[Mapping[str, Callable[[Json, Json], Json]]] = {
    "pae": _pae,
    "frame": channel.frame,
    "parcel": channel.parcel,
    "header": channel.header,
    "inner": channel.inner,
    "chain": channel.chain,
    "epoch": channel.epoch,
    "window": channel.window,
    "envelope": channel.envelope,
    "prekey": channel.prekey,
    "courier-prekey": channel.courier_prekey,
    "bundle": channel.bundle,
    "statement": channel.statement,
    "non-paper": channel.non_paper,
    "receipt": channel.receipt,
    "heartbeat": channel.heartbeat,
    "custody": channel.custody,
    "card": agreement.card,
    "charter": agreement.charter,
    "several-parties": agreement.charter,
    "pairwise": agreement.pairwise,
    "fingerprint": agreement.compared,
    "leaf": record.leaf,
    "opening": record.opening,
    "tree": record.tree,
    "inclusion": record.inclusion,
    "consistency": record.consistency,
    "checkpoint": record.checkpoint,
    "cosignature": record.cosignature,
    "policy": record.policy,
    "proof": record.proof,
    "conviction": record.conviction,
    "witness": record.witness,
}
"""Every kind; a kind that is not here is of another version of the kit."""


def answer(kind: str, given: Json, asked: Json) -> Json:
    """The answer to one case. A refusal is an answer; a kind or a question that is none raises ConfigError."""
    if kind not in KINDS:
        raise ConfigError(f"no such kind of case: {kind}")
    try:
        return {"accept": True, "output": KINDS[kind](given, asked)}
    except RemoteError as error:
        return {"accept": False, "word": error.reason}
    except KeyFileError:
        return {"accept": False, "word": "shares"}
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConfigError(f"not a question of the kind {kind} ({type(error).__name__}: {error})") from error
