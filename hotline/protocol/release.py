"""Officers' signatures on what is said, and whether they are those that the charter asks for (docs/protocol.md 19).

What an officer signs is a statement without what only the terminal knows at its release. A field that this list does
not name is covered: what is added to statements later cannot be changed behind a signature by being forgotten here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from hotline.charter.mandates import mandate_fault
from hotline.charter.parts import Charter, Officer
from hotline.civil import iso_utc
from hotline.crypto.signing import SIGNATURE_SIZE, verify
from hotline.errors import Malformed, Untrusted
from hotline.limits import MANDATE_BYTES_MAX, RELEASES_MAX, TIME_MAX
from hotline.machine import Plane
from hotline.protocol.neutral import NON_PAPER, UNATTENDED, VOIDS, kind_of
from hotline.wire.codec import encode
from hotline.wire.v1 import content_pb2

DRAFT_SIZE: Final = 16
FILLED_IN: Final = (
    "serial",
    "previous_in_precedence",
    "date_time_group",
    "composed_ms",
    "body_salt",
    "checkpoint",
    "first_serial",
    "release",
    "term",
)
"""Fields of a statement that are the terminal's; its own signature covers them."""

RELEASED: Final = "released"
LACKS: Final[Mapping[str, str]] = {
    "officer": "signed by somebody whom the charter does not name as an officer of the other side",
    "mandate": "signed by a mandate that is forged, out of its days, or for another officer, role or charter",
    "role": "signed in a role that the officer does not have",
    "expired": "signed by an officer whose card does not hold any more, or not yet",
    "signature": "a signature does not hold: what it was made for was altered, or was another plane or charter",
    "twice": "one officer signed twice",
    "reused": "its signatures were used before, for another statement",
    "missing": "officers who must sign have not signed",
}
"""What a release can lack, in the order in which it is looked for, with the sentence for people."""
ROLES: Final[Mapping[content_pb2.Role.ValueType, str]] = {
    value: name.removeprefix("ROLE_").lower() for name, value in content_pb2.Role.items() if value
}
_NAME_MAX: Final = 64


class Signer(Protocol):
    """An officer's Ed25519 key, in memory or in a token: who has it signs, and it shows nothing else."""

    def sign(self, label: str, *parts: bytes) -> bytes:
        """64 bytes over `pae(label, *parts)`."""


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """The officers of both parties, and whose signatures a plane and precedence need. Without rules: nobody's."""

    officers: Mapping[tuple[str, str], Officer] = field(default_factory=dict)
    rules: Mapping[tuple[Plane, int], tuple[str, ...]] = field(default_factory=dict)
    identities: Mapping[str, bytes] = field(default_factory=dict)
    founding: bytes = b""
    """Whose mandates hold, and under which hotline's charter."""

    def roles(self, plane: Plane, precedence: int) -> tuple[str, ...]:
        """Who must sign."""
        return self.rules.get((plane, precedence), ())


def policy_of(charter: Charter) -> ReleasePolicy:
    """What a charter says of it."""
    number = content_pb2.Precedence.Value
    return ReleasePolicy(
        {(officer.party, officer.name): officer for officer in charter.officers},
        {(Plane(rule.plane), number(f"PRECEDENCE_{rule.precedence.upper()}")): rule.roles for rule in charter.release},
        {party.name: party.identity for party in charter.parties},
        charter.founding,
    )


def check_form(statement: content_pb2.Statement) -> None:
    """Raises Malformed unless draft and signatures have the form of 19.1; what they are worth is another question."""
    releases = statement.release
    if not statement.draft and not releases:
        return
    if statement.kind in (*VOIDS, *UNATTENDED, NON_PAPER):
        raise Malformed("release", "of what no officer says")
    if len(statement.draft) != DRAFT_SIZE or not 1 <= len(releases) <= RELEASES_MAX:
        raise Malformed("release", "a draft without signatures, signatures without a draft, or too many")
    for one in releases:
        named = 1 <= len(one.officer) <= _NAME_MAX
        if not named or one.role not in ROLES or one.signed_ms > TIME_MAX or len(one.signature) != SIGNATURE_SIZE:
            raise Malformed("release", "a signature without officer, role, time or its 64 bytes")
        if len(one.mandate) > MANDATE_BYTES_MAX:
            raise Malformed("release", f"a mandate of {len(one.mandate)} bytes")


def covered(statement: content_pb2.Statement) -> bytes:
    """What officers sign of a statement."""
    copy = content_pb2.Statement()
    copy.CopyFrom(statement)
    for name in FILLED_IN:
        copy.ClearField(name)
    return encode(copy)


def _parts(charter: bytes, content: bytes, release: content_pb2.Release) -> tuple[bytes, ...]:
    role, at = ROLES[release.role].encode(), release.signed_ms.to_bytes(8, "big")
    mandate = (release.mandate,) if release.mandate else ()
    return (charter, content, role, release.officer.encode(), at, *mandate)


def _label(plane: Plane) -> str:
    return f"hotline/v1/release/{plane.value}"


def sign_release(
    key: Signer,
    plane: Plane,
    charter: bytes,
    statement: content_pb2.Statement,
    officer: str,
    role: content_pb2.Role.ValueType,
    unix_ms: int,
    mandate: bytes = b"",
) -> content_pb2.Release:
    """An officer's signature on a draft. `mandate`: by what the officer acts in a role that is not on the card."""
    release = content_pb2.Release(officer=officer, role=role, signed_ms=unix_ms, mandate=mandate)
    release.signature = key.sign(_label(plane), *_parts(charter, covered(statement), release))
    return release


def lack_of(
    policy: ReleasePolicy,
    plane: Plane,
    charter: bytes,
    statement: content_pb2.Statement,
    release: content_pb2.Release,
    unix_ms: int,
    content: bytes | None = None,
) -> str:
    """The word of LACKS for one signature; empty if it counts. `content`: what `covered` gave before."""
    officer = policy.officers.get((statement.from_party, release.officer))
    if officer is None:
        return "officer"
    # By the receiver's clock too: whoever holds a key that has expired writes any time.
    days = [iso_utc(at)[:10] for at in (release.signed_ms, unix_ms)]
    if release.mandate and fault_of(policy, officer, release, unix_ms):
        return "mandate"
    if not release.mandate and ROLES[release.role] not in officer.roles:
        return "role"
    if not all(officer.not_before <= day < officer.not_after for day in days):
        return "expired"
    signed = covered(statement) if content is None else content
    try:
        verify(officer.signing, release.signature, _label(plane), *_parts(charter, signed, release))
    except Untrusted:
        return "signature"
    return ""


def fault_of(policy: ReleasePolicy, officer: Officer, release: content_pb2.Release, unix_ms: int) -> str:
    """What is wrong with the mandate beside a signature, in words; empty if nothing is (19.12)."""
    identity, days = policy.identities.get(officer.party), [iso_utc(at)[:10] for at in (release.signed_ms, unix_ms)]
    return mandate_fault(release.mandate, identity, policy.founding, officer, ROLES[release.role], *days)


def missing(roles: Iterable[str], releases: Iterable[content_pb2.Release]) -> list[str]:
    """Roles of a policy in which nobody has signed yet."""
    return sorted((Counter(roles) - Counter(ROLES[one.role] for one in releases)).elements())


def judge(policy: ReleasePolicy, plane: Plane, charter: bytes, statement: content_pb2.Statement, unix_ms: int) -> str:
    """RELEASED, a word of LACKS, or nothing where the charter asks for nobody's signature and nobody has signed.

    Every signature must hold, also one that is not asked for. Whether a draft was used before is not looked at.
    """
    if kind_of(statement) in (*VOIDS, *UNATTENDED, NON_PAPER):
        return ""
    roles = policy.roles(plane, statement.precedence)
    if not roles and not statement.release:
        return ""
    content = covered(statement)
    lacks = [lack_of(policy, plane, charter, statement, one, unix_ms, content) for one in statement.release]
    found = [word for word in lacks if word]
    if len({one.officer for one in statement.release}) != len(statement.release):
        found.append("twice")
    if missing(roles, statement.release):
        found.append("missing")
    if found:
        return min(found, key=tuple(LACKS).index)
    return RELEASED if statement.release else ""
