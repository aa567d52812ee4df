"""Whose word is enough: logs, witnesses and a quorum, as a text file (c2sp.org/tlog-policy)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hotline.errors import Malformed, Untrusted
from hotline.ledger.checkpoint import Checkpoint, parse_checkpoint
from hotline.ledger.cosignature import CosignatureVerifier, parse_witness_vkey, timestamp
from hotline.ledger.note import Ed25519Verifier, open_note, parse_note, parse_vkey

POLICY_BYTES_MAX: Final = 262_144
_DEFINED_MAX: Final = 64
_NONE: Final = "none"
_THRESHOLD: Final = re.compile("[1-9][0-9]{0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness: its name in the policy, its key, and where it is reached ('' where the policy does not say)."""

    name: str
    verifier: CosignatureVerifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses as soon as `threshold` of its members do."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy. An empty `quorum` asks for no witness."""

    logs: tuple[Ed25519Verifier, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def satisfied(self, cosigned: Iterable[str]) -> bool:
        """Whether the witnesses of these policy names are a quorum."""
        if not self.quorum:
            return True
        holds = set(cosigned) & {witness.name for witness in self.witnesses}
        for group in self.groups:  # members are defined before their group
            if sum(member in holds for member in group.members) >= group.threshold:
                holds.add(group.name)
        return self.quorum in holds

    def log(self, origin: str) -> Ed25519Verifier:
        """The key of a log. Raises Untrusted('unknown-log')."""
        for verifier in self.logs:
            if verifier.name == origin:
                return verifier
        raise Untrusted("unknown-log", f"the policy knows no log {origin}")


@dataclass(frozen=True, slots=True)
class Vouched:
    """A checkpoint that its log signed, and the witnesses that cosigned it: policy name to Unix seconds."""

    checkpoint: Checkpoint
    witnesses: Mapping[str, int]


def open_cosigned(note: bytes, policy: Policy) -> Vouched:
    """Verify a checkpoint by a policy, whatever its quorum says. Raises Malformed or Untrusted.

    A log has no vote for itself, also not with its key under another name.
    """
    log = policy.log(parse_checkpoint(parse_note(note).text).origin)
    voters = {
        (one.verifier.name, one.verifier.key_id): one for one in policy.witnesses if one.verifier.public != log.public
    }
    opened = open_note(note, [log, *(witness.verifier for witness in voters.values())])
    found = {(signature.name, signature.key_id): signature for signature in opened.verified}
    if (log.name, log.key_id) not in found:
        raise Untrusted("unverified", "the log itself has not signed")
    times = {voters[key].name: timestamp(signature.value) for key, signature in found.items() if key in voters}
    return Vouched(parse_checkpoint(opened.text), times)


def require_quorum(vouched: Vouched, policy: Policy) -> None:
    """Raises Untrusted('no-quorum')."""
    if not policy.satisfied(vouched.witnesses):
        names = ", ".join(sorted(vouched.witnesses)) or "nobody"
        raise Untrusted("no-quorum", f"cosigned by {names}; the policy asks for {policy.quorum}")


def parse_policy(data: bytes) -> Policy:
    """Parse a policy file. Raises Malformed or Untrusted, with the line."""
    if len(data) > POLICY_BYTES_MAX:
        raise Malformed("too-long", f"policy of {len(data)} bytes")
    if any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in data):
        raise Malformed("policy", "a control character")
    if not data.endswith(b"\n"):
        raise Malformed("policy", "the last line does not end")
    reading = _Reading()
    for number, line in enumerate(data[:-1].split(b"\n"), 1):
        words = [word for word in re.split(b"[ \t]+", line.strip(b" \t")) if word]
        if not words or words[0].startswith(b"#"):
            continue
        try:
            reading.line([word.decode() for word in words])
        except UnicodeDecodeError as error:
            raise Malformed("policy", f"line {number}: not UTF-8") from error
        except (Malformed, Untrusted) as error:
            raise type(error)(error.reason, f"line {number}: {error}") from error
    return reading.done()


class _Reading:
    """A policy while it is read."""

    def __init__(self) -> None:
        self.logs: list[Ed25519Verifier] = []
        self.witnesses: list[PolicyWitness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()

    def line(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._log(parse_vkey(vkey))
            case ["witness", name, vkey]:
                self._witness(PolicyWitness(name, parse_witness_vkey(vkey)))
            case ["witness", name, vkey, url]:
                self._witness(PolicyWitness(name, parse_witness_vkey(vkey), url))
            case ["group", name, threshold, *members] if members:
                self._group(name, threshold, members)
            case ["quorum", name]:
                if self.quorum is not None:
                    raise Malformed("policy", "a second quorum")
                if name != _NONE and name not in self._names:
                    raise Malformed("policy", f"the quorum {name} is not defined before it")
                self.quorum = "" if name == _NONE else name
            case _:
                raise Malformed("policy", f"not a line of a policy: {words[0][:32]}")

    def _define(self, name: str) -> None:
        if name == _NONE or name in self._names:
            raise Malformed("policy", f"{name} is defined already")
        if len(self._names) >= 2 * _DEFINED_MAX:
            raise Malformed("policy", "too many names")
        self._names.add(name)

    def _log(self, log: Ed25519Verifier) -> None:
        if any(log.public == other.public for other in self.logs):
            raise Malformed("policy", "a log key stands there twice")
        if len(self.logs) >= _DEFINED_MAX:
            raise Malformed("policy", "too many logs")
        self.logs.append(log)

    def _witness(self, witness: PolicyWitness) -> None:
        if any(witness.verifier.public == other.verifier.public for other in self.witnesses):
            raise Malformed("policy", "a witness key stands there twice")
        self._define(witness.name)
        self.witnesses.append(witness)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self._names:
                raise Malformed("policy", f"{member} is not defined before it is used")
            if member in self._members:
                raise Malformed("policy", f"{member} is counted twice")
            self._members.add(member)
        self._define(name)
        words = {"any": 1, "all": len(members)}
        if threshold not in words and not _THRESHOLD.fullmatch(threshold):
            raise Malformed("policy", f"not a threshold: {threshold[:32]}")
        count = words[threshold] if threshold in words else int(threshold)
        if count > len(members):
            raise Malformed("policy", f"{count} of {len(members)} members can never be")
        self.groups.append(Group(name, count, tuple(members)))

    def done(self) -> Policy:
        if self.quorum is None:
            raise Malformed(
                "policy", "there is no quorum line: add `quorum NAME` of a witness or group, or `quorum none`"
            )
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)


def policy_text(logs: Iterable[Ed25519Verifier], rest: str) -> str:
    """A whole policy: a line for each log, then `rest` (witnesses, groups, quorum)."""
    return "".join(f"log {log.vkey()}\n" for log in logs) + rest
