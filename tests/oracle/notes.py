"""C2SP signed notes, checkpoints, cosignatures, policies (docs/protocol.md 13.2, 13.6, 13.7), one spelling only."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from Crypto.PublicKey import MLDSA

from tests.oracle.content import Json, raw
from tests.oracle.primitives import Refused, is_signing_key, need, sha256, signed, signed_mldsa

NOTE_MAX, CHECKPOINT_MAX, POLICY_MAX, SIGNATURES_MAX, DEFINED_MAX = 1_048_576, 4_096, 262_144, 64, 64
LOG, COSIGNED, COSIGNED_MLDSA = b"\x01", b"\x04", b"\x06"
MLDSA44_KEY, MLDSA44_SIGNATURE = 1_312, 2_420
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z", re.ASCII)


def is_size(text: str) -> bool:
    """Clause 13.14."""
    return _SIZE.match(text) is not None and int(text) < 2**63


def base64_of(text: str) -> bytes:
    """Standard base64 with padding in its one spelling. Raises Refused."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Refused from error
    need(base64.b64encode(data).decode() == text)
    return data


def _text(data: bytes) -> str:
    """UTF-8. Raises Refused."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused from error


def is_name(text: str) -> bool:
    """Whether this can name a key."""
    return bool(text) and "+" not in text and not any(sign.isspace() or sign < " " for sign in text)


@dataclass(frozen=True)
class Line:
    """A signature line."""

    name: str
    id: bytes
    value: bytes


@dataclass(frozen=True)
class Note:
    """Text and signature lines, nothing verified."""

    text: bytes
    lines: list[Line]


def read_note(data: bytes) -> Note:
    """Raises Refused."""
    need(len(data) <= NOTE_MAX)
    whole = _text(data)
    need(all(sign >= " " or sign == "\n" for sign in whole))
    head, gap, tail = whole.rpartition("\n\n")
    need(gap and tail.endswith("\n"))
    made = []
    for text in tail[:-1].split("\n"):
        dash, name, encoded = [*text.split(" ", 2), "", ""][:3]
        need(dash == "\u2014" and is_name(name))
        value = base64_of(encoded)
        need(len(value) >= 5)
        made.append(Line(name, value[:4], value[4:]))
    need(len(made) <= SIGNATURES_MAX)
    return Note((head + "\n").encode(), made)


@dataclass(frozen=True)
class Key:
    """A key with a name: `covers` gives what was signed from text and signature; `holds` checks it."""

    name: str
    kind: bytes
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id of C2SP."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public)[:4]

    def check(self, text: bytes, value: bytes) -> None:
        """Raises Refused unless this key signed `text`."""
        if self.kind == LOG:
            need(signed(self.public, value, text))
        elif self.kind == COSIGNED:
            need(len(value) == 72)
            need(signed(self.public, value[8:], b"cosignature/v1\ntime %d\n" % time_of(value) + text))
        else:
            need(len(value) == 8 + MLDSA44_SIGNATURE)
            head = read_checkpoint(text)
            names = [name.encode() for name in (self.name, head.origin)]
            need(all(len(name) < 256 for name in names))
            cosigner, origin = (bytes((len(name),)) + name for name in names)
            message = b"subtree/v1\n\0" + cosigner + time_of(value).to_bytes(8, "big") + origin
            message += bytes(8) + head.size.to_bytes(8, "big") + head.root
            need(signed_mldsa(MLDSA.ML_DSA_44, self.public, value[8:], message))


def time_of(value: bytes) -> int:
    """When a cosignature was made, in Unix seconds. Raises Refused."""
    unix = int.from_bytes(value[:8], "big")
    need(len(value) >= 8 and unix < 2**63)
    return unix


def read_key(text: str, kinds: Sequence[bytes]) -> Key:
    """A C2SP verifier key of one of these kinds. Raises Refused."""
    name, identifier, encoded = [*text.split("+", 2), "", ""][:3]
    data = base64_of(encoded)
    kind, public = data[:1], data[1:]
    need(kind in kinds and is_name(name))
    need(len(public) == MLDSA44_KEY if kind == COSIGNED_MLDSA else is_signing_key(public))
    made = Key(name, kind, public)
    need(identifier == made.id.hex())
    return made


def verified(note: Note, keys: Sequence[Key], check: Callable[[Key, bytes, bytes], None] = Key.check) -> list[Line]:
    """The lines by these keys: all of them hold, and there is one. Raises Refused."""
    known = {(key.name, key.id): key for key in keys}
    found: dict[tuple[str, bytes], Line] = {}
    for line in note.lines:
        key = known.get((line.name, line.id))
        if key is not None:
            need((line.name, line.id) not in found)
            check(key, note.text, line.value)
            found[line.name, line.id] = line
    need(found)
    return list(found.values())


@dataclass(frozen=True)
class Head:
    """A checkpoint."""

    origin: str
    size: int
    root: bytes


def read_checkpoint(text: bytes) -> Head:
    """Origin, size and root, and nothing more. Raises Refused."""
    lines = text.decode().split("\n")
    need(len(lines) == 4 and not lines[3] and is_name(lines[0]) and is_size(lines[1]))
    root = base64_of(lines[2])
    need(len(root) == 32)
    return Head(lines[0], int(lines[1]), root)


def checkpoint(given: Json, asked: Json) -> Json:
    """Clause 13.2."""
    data = text_bytes(asked["note"])
    key = read_key(given["vkey"], (LOG,))
    need(len(data) <= CHECKPOINT_MAX)
    note = read_note(data)
    verified(note, [key])
    head = read_checkpoint(note.text)
    need(head.origin == key.name)
    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}


def text_bytes(value: str) -> bytes:
    """Bytes of a text of the vectors, or of hexadecimal after `hex:` where they are no text."""
    return raw(value[4:]) if value.startswith("hex:") else value.encode()


def cosignature(given: Json, asked: Json) -> Json:
    """Clause 13.6: one cosignature under the text that it covers."""
    key = read_key(asked["vkey"], (COSIGNED, COSIGNED_MLDSA))
    note = read_note(text_bytes(asked["note"]))
    need(len(note.lines) == 1)
    (line,) = note.lines
    need((line.name, line.id) == (key.name, key.id))
    key.check(note.text, line.value)
    return {"name": key.name, "time": time_of(line.value)}


# --- policies --------------------------------------------------------------------------------------------------------


@dataclass
class Policy:
    """Clause 13.7: whose word is enough."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, tuple[Key, str]] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None

    def satisfied(self, cosigned: Sequence[str]) -> bool:
        """Whether these witnesses are a quorum."""
        holds = set(cosigned) & set(self.witnesses)
        for name, (threshold, members) in self.groups.items():
            if len(holds & set(members)) >= threshold:
                holds.add(name)
        return not self.quorum or self.quorum in holds

    def line(self, words: list[str]) -> None:
        """One line. Raises Refused."""
        names = {*self.witnesses, *self.groups}
        if words[0] == "log" and len(words) in (2, 3):
            key = read_key(words[1], (LOG,))
            need(key.public not in [other.public for other in self.logs] and len(self.logs) < DEFINED_MAX)
            self.logs.append(key)
        elif words[0] == "witness" and len(words) in (3, 4):
            key = read_key(words[2], (COSIGNED, COSIGNED_MLDSA))
            need(key.public not in [other.public for other, _ in self.witnesses.values()])
            self._name(words[1], names)
            self.witnesses[words[1]] = key, words[3] if len(words) == 4 else ""
        elif words[0] == "group" and len(words) >= 4:
            members = words[3:]
            used = [member for _, of_group in self.groups.values() for member in of_group]
            need(set(members) <= names and len(set(members)) == len(members) and not set(members) & set(used))
            self._name(words[1], names)
            number = {"any": "1", "all": str(len(members))}.get(words[2], words[2])
            need(re.fullmatch("[1-9][0-9]{0,3}", number, re.ASCII) and int(number) <= len(members))
            self.groups[words[1]] = int(number), members
        elif words[0] == "quorum" and len(words) == 2:
            need(self.quorum is None and words[1] in {"none", *names})
            self.quorum = "" if words[1] == "none" else words[1]
        else:
            raise Refused

    def _name(self, name: str, names: set[str]) -> None:
        need(name != "none" and name not in names and len(names) < 2 * DEFINED_MAX)


def read_policy(data: bytes) -> Policy:
    """Raises Refused."""
    need(len(data) <= POLICY_MAX and data.endswith(b"\n"))
    need(not any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in data))
    made = Policy()
    for line in data[:-1].split(b"\n"):
        if not line.strip(b" \t").startswith(b"#"):  # a comment is octets (C2SP tlog-policy)
            words = [word for word in re.split("[ \t]+", _text(line)) if word]
            if words:
                made.line(words)
    need(made.quorum is not None)
    return made


def policy(given: Json, asked: Json) -> Json:
    """Clause 13.7."""
    made = read_policy(text_bytes(asked["policy"]))
    return {
        "logs": [key.name for key in made.logs],
        "witnesses": {name: [key.name, url] for name, (key, url) in made.witnesses.items()},
        "groups": {name: [threshold, *members] for name, (threshold, members) in made.groups.items()},
        "quorum": made.quorum,
        "satisfied": [made.satisfied(names) for names in asked["cosigned"]],
    }


def open_cosigned(data: bytes, made: Policy) -> tuple[Head, dict[str, int]]:
    """A head by a policy, whatever its quorum, and who cosigned it when. Raises Refused."""
    note = read_note(data)
    origin = read_checkpoint(note.text).origin
    log = next((key for key in made.logs if key.name == origin), None)
    need(log is not None)
    assert log is not None
    # A log has no vote for itself, under no name. Two witnesses of one name and key id cannot be told apart.
    voters = {(key.name, key.id): name for name, (key, _) in made.witnesses.items() if key.public != log.public}
    keys = [key for key, _ in made.witnesses.values() if (key.name, key.id) in voters]
    found = verified(note, [log, *keys])
    need((log.name, log.id) in [(line.name, line.id) for line in found])
    times = {voters[line.name, line.id]: time_of(line.value) for line in found if (line.name, line.id) in voters}
    return read_checkpoint(note.text), times
