"""Answers about leaves, trees, checkpoints, policies, proofs and evidence (docs/protocol.md section 13)."""

from __future__ import annotations

from hotline.conformance.kit import Json
from hotline.crypto.signing import SigningKey
from hotline.errors import Malformed
from hotline.ledger.checkpoint import Checkpoint, open_checkpoint
from hotline.ledger.conviction import Exhibit, convict
from hotline.ledger.cosignature import Ed25519Cosigner, check_cosignature, parse_witness_vkey
from hotline.ledger.note import parse_note, parse_vkey
from hotline.ledger.policy import parse_policy
from hotline.ledger.proof import parse_proof, verify_cosigned
from hotline.ledger.record import Opening, check_opening, commitment, parse_leaf
from hotline.ledger.tree import Frontier, leaf_hash, verify_consistency, verify_inclusion
from hotline.ledger.witness import Status, Witness

raw = bytes.fromhex
_HEX = "hex:"


def text_bytes(text: str) -> bytes:
    """Bytes of a text in a case; where they are no text, they are hexadecimal behind `hex:`."""
    return raw(text.removeprefix(_HEX)) if text.startswith(_HEX) else text.encode()


def leaf(given: Json, asked: Json) -> Json:
    """A leaf in its one spelling."""
    del given
    data = text_bytes(asked["leaf"])
    made = parse_leaf(data)
    shown = {
        "commit": dict(made.commit),
        "epoch": made.epoch,
        "fields": dict(made.fields),
        "rnd": made.rnd,
        "seq": made.seq,
        "ts": made.ts,
        "type": made.type,
        "v": 1,
    }
    return {"leaf": shown, "hash": leaf_hash(data).hex()}


def opening(given: Json, asked: Json) -> Json:
    """Whether salt and value open what a leaf commits to."""
    shown = Opening(asked["tag"], raw(asked["salt"]), raw(asked["value"]))
    check_opening(parse_leaf(text_bytes(given["leaf"])), shown)
    return {"commitment": commitment(shown.salt, shown.tag, shown.value).hex()}


def tree(given: Json, asked: Json) -> Json:
    """The root of every size."""
    del given
    frontier = Frontier()
    roots = [frontier.root().hex()]
    for one in asked["hashes"]:
        frontier.append(raw(one))
        roots.append(frontier.root().hex())
    return {"roots": roots}


def inclusion(given: Json, asked: Json) -> Json:
    """Whether a proof leads from a leaf to a root."""
    del given
    proof = [raw(one) for one in asked["proof"]]
    verify_inclusion(asked["index"], asked["size"], raw(asked["hash"]), proof, raw(asked["root"]))
    return {}


def consistency(given: Json, asked: Json) -> Json:
    """Whether a proof leads from one root to another."""
    del given
    proof = [raw(one) for one in asked["proof"]]
    verify_consistency(asked["old"], asked["new"], proof, raw(asked["old_root"]), raw(asked["new_root"]))
    return {}


def checkpoint(given: Json, asked: Json) -> Json:
    """A signed head of the log whose key is given."""
    key = parse_vkey(given["vkey"])
    made = open_checkpoint(text_bytes(asked["note"]), key.name, key)
    return {"origin": made.origin, "size": made.size, "root": made.root.hex()}


def cosignature(given: Json, asked: Json) -> Json:
    """One cosignature of either kind, under the text that it covers."""
    del given
    key = parse_witness_vkey(asked["vkey"])
    note = parse_note(text_bytes(asked["note"]))
    if len(note.signatures) != 1:
        raise Malformed("note", "not exactly one cosignature")
    return {"name": key.name, "time": check_cosignature(note.text, note.signatures[0], key)}


def policy(given: Json, asked: Json) -> Json:
    """A policy, and whether these witnesses are a quorum by it."""
    del given
    made = parse_policy(text_bytes(asked["policy"]))
    return {
        "logs": [log.name for log in made.logs],
        "witnesses": {one.name: [one.verifier.name, one.url] for one in made.witnesses},
        "groups": {group.name: [group.threshold, *group.members] for group in made.groups},
        "quorum": made.quorum,
        "satisfied": [made.satisfied(names) for names in asked["cosigned"]],
    }


def proof(given: Json, asked: Json) -> Json:
    """A leaf in a log, by a policy."""
    rules = parse_policy(text_bytes(given["policies"][asked["policy"]]))
    data = text_bytes(asked["proof"])
    made = verify_cosigned(data, text_bytes(asked["leaf"]), rules)
    return {
        "origin": made.checkpoint.origin,
        "size": made.checkpoint.size,
        "index": parse_proof(data).index,
        "witnesses": dict(made.witnesses),
    }


def conviction(given: Json, asked: Json) -> Json:
    """What two signed things prove together."""
    rules = parse_policy(text_bytes(given["policies"][asked["policy"]]))
    found = convict(_exhibit(asked["one"]), _exhibit(asked["other"]), rules)
    return {"kind": None if found is None else found.kind.value}


def _exhibit(shown: Json) -> Exhibit:
    leaf_text = shown.get("leaf")
    return Exhibit(text_bytes(shown["data"]), None if leaf_text is None else text_bytes(leaf_text))


def witness(given: Json, asked: Json) -> Json:
    """What a witness answers to a request, given what it holds of the log."""
    logs = {key.name: key for key in map(parse_vkey, given["logs"])}
    cosigner = Ed25519Cosigner(given["witness"], SigningKey(raw(given["seed"])))
    judge = Witness(logs.get, [cosigner])
    held = asked["held"]
    judged = judge.judge(
        text_bytes(asked["request"]),
        lambda origin: None if held is None else Checkpoint(origin, held["size"], raw(held["root"])),
    )
    answered = judged.status is Status.OK
    return {
        "status": int(judged.status),
        "held": judged.held if judged.status is Status.CONFLICT else None,
        "evidence": judged.evidence,
        "answer": judge.cosign(judged.text, given["time"]).decode() if answered else "",
    }
