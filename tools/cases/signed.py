"""Checkpoints, cosignatures of both kinds, policies, proofs, evidence, and what a witness answers."""

from __future__ import annotations

import base64
from typing import Any

from hotline.crypto.signing import SigningKey
from hotline.ledger.checkpoint import Checkpoint, sign_checkpoint
from hotline.ledger.cosignature import Ed25519Cosigner, MlDsa44CosignatureVerifier, _mldsa44_message
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, Note, Signature, key_id, parse_note, sign_note
from hotline.ledger.proof import Proof, make_proof
from hotline.ledger.tree import Frontier, consistency_proof, leaf_hash
from hotline.ledger.witness import AddCheckpoint
from tools.cases.keys import NOW, fixed_mldsa44, flip, seed
from tools.cases.record import leaf
from tools.cases.sealed import NO_POINT, unlawful
from tools.cases.writing import Cases

ALPHA, BRAVO = "hotline/alpha-bravo/ALPHA/main/1", "hotline/alpha-bravo/BRAVO/main/1"
KEYS = {ALPHA: SigningKey(seed("ledger key of ALPHA")), BRAVO: SigningKey(seed("ledger key of BRAVO"))}
WITNESSES = {name: SigningKey(seed(f"witness {name}")) for name in ("north", "south", "east")}
UNIX = NOW // 1_000


def made() -> list[Cases]:
    """Six kinds."""
    return [_checkpoints(), _cosignatures(), _policies(), _proofs(), _convictions(), _witnesses()]


def signer(origin: str, key: str = "", name: str = "") -> Ed25519Signer:
    """Signs heads of a log, with its own key or another one, under its own name or another one."""
    return Ed25519Signer(name or origin, KEYS[key or origin])


def spelled(data: bytes) -> str:
    """Bytes as texts of cases are written."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "hex:" + data.hex()
    return "hex:" + data.hex() if text.startswith("hex:") else text


def _checkpoints() -> Cases:
    given = {"vkey": Ed25519Verifier(ALPHA, KEYS[ALPHA].public).vkey()}
    cases = Cases("checkpoint", "13.2, 13.14", "A head that the log of the given key signed.", given)
    head = Checkpoint(ALPHA, 7, seed("root"))
    note = sign_checkpoint(head, signer(ALPHA))

    def resigned(text: bytes) -> bytes:
        return sign_note(text, [signer(ALPHA)])

    cases.good("seven entries", note=spelled(note))
    cases.good("no entries", note=spelled(sign_checkpoint(Checkpoint(ALPHA, 0, seed("root")), signer(ALPHA))))
    cases.good(
        "as many as can be written", note=spelled(resigned(head.text().replace(b"\n7\n", b"\n%d\n" % (2**63 - 1))))
    )
    strange = Signature("witness", b"abcd", b"x")
    strangers = [Signature(f"w{n}", b"abcd", b"x") for n in range(64)]
    cases.good(
        "a signature by a stranger", note=spelled(Note(head.text(), (strange, *parse_note(note).signatures)).encode())
    )
    (own,) = parse_note(note).signatures

    def line(value: Signature) -> bytes:
        return Note(head.text(), (value,)).encode()

    bad: dict[str, bytes] = {
        "size altered": note.replace(b"\n7\n", b"\n8\n"),
        "root altered": note.replace(base64.b64encode(seed("root")), base64.b64encode(seed("another"))),
        "by another key": sign_checkpoint(head, signer(ALPHA, BRAVO)),
        "of another log": sign_checkpoint(Checkpoint(BRAVO, 7, seed("root")), signer(BRAVO)),
        "another origin under this key": sign_checkpoint(Checkpoint(BRAVO, 7, seed("root")), signer(ALPHA)),
        "under another name": line(Signature("somebody", own.key_id, own.value)),
        "no signature": head.text() + b"\n",
        "no empty line": note.replace(b"\n\n", b"\n"),
        "no line end at its end": note[:-1],
        "a hyphen instead of a dash": note.replace("\u2014 ".encode(), b"- "),
        "a carriage return": note.replace(b"\n7\n", b"\r\n7\n"),
        "signed twice": Note(head.text(), (own, own)).encode(),
        "a second signature line that is none": note + b"x\n",
        "64 strangers and the log": Note(head.text(), (*strangers, own)).encode(),
        "an extension line": resigned(head.text() + b"x\n"),
        "a size with a leading zero": resigned(head.text().replace(b"\n7\n", b"\n07\n")),
        "a size with a plus": resigned(head.text().replace(b"\n7\n", b"\n+7\n")),
        "a size in other digits": resigned(head.text().replace(b"\n7\n", "\n\u0667\n".encode())),
        "a size of twenty digits": resigned(head.text().replace(b"\n7\n", b"\n" + b"1" * 20 + b"\n")),
        "a size of 2^63": resigned(head.text().replace(b"\n7\n", b"\n%d\n" % 2**63)),
        "a root of 31 bytes": resigned(Checkpoint(ALPHA, 7, seed("root", 31)).text()),
        "a root without padding": resigned(head.text().replace(b"=\n", b"\n")),
        "a root with bits behind it": resigned(head.text().replace(base64.b64encode(seed("root")),
                                                                 _loose(base64.b64encode(seed("root"))))),
        "no origin": resigned(b"\n7\n" + base64.b64encode(seed("root")) + b"\n"),
        "no UTF-8": note + "\u2014 ".encode() + b"\xff YWJjZGU=\n",
        "a signature of one byte": line(Signature(own.name, own.key_id, b"x")),
        "longer than a checkpoint": Note(head.text(), (own, Signature("w" * 4_096, b"abcd", b"x"))).encode(),
    }  # fmt: skip
    for why, data in bad.items():
        cases.bad("", why, note=spelled(data))
    for why, signature in unlawful(own.value):
        cases.bad("", why, note=spelled(line(Signature(own.name, own.key_id, signature))))
    return cases


def _loose(encoded: bytes) -> bytes:
    """The same bytes in another base64."""
    signs = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return encoded[:-2] + signs[signs.index(encoded[-2:-1]) + 1 :][:1] + encoded[-1:]


class _MlDsa:
    """An ML-DSA-44 cosigner that draws no randomness."""

    def __init__(self, name: str) -> None:
        self.name = name
        public, self._scheme = fixed_mldsa44(f"witness {name}")
        self.verifier = MlDsa44CosignatureVerifier(name, public)

    def cosign(self, text: bytes, unix: int) -> Signature:
        """Time and signature."""
        value = unix.to_bytes(8, "big") + bytes(self._scheme.sign(_mldsa44_message(self.name, text, unix)))
        return Signature(self.name, self.verifier.key_id, value)


def _cosignatures() -> Cases:
    cases = Cases(
        "cosignature", "13.6, 13.7, 13.15", "One cosignature under the head that it covers, and the cosigner's key."
    )
    text = Checkpoint(ALPHA, 7, seed("root")).text()
    other = Checkpoint(ALPHA, 8, seed("root")).text()
    ed, pq = Ed25519Cosigner("north", WITNESSES["north"]), _MlDsa("post-quantum")
    for kind, cosigner in (("Ed25519", ed), ("ML-DSA-44", pq)):
        vkey, made_ = cosigner.verifier.vkey(), cosigner.cosign(text, UNIX)

        def asked(value: Signature, text: bytes = text, vkey: str = vkey) -> dict[str, str]:
            return {"vkey": vkey, "note": spelled(Note(text, (value,)).encode())}

        def with_value(value: bytes, made_: Signature = made_) -> Signature:
            return Signature(made_.name, made_.key_id, value)

        cases.good(kind, **asked(made_))
        cases.good(f"{kind}, at the first second", **asked(cosigner.cosign(text, 0)))
        cases.good(f"{kind}, at the last second", **asked(cosigner.cosign(text, 2**63 - 1)))
        cases.bad("", f"{kind}, over another head", **asked(made_, other))
        cases.bad("", f"{kind}, time altered", **asked(with_value(flip(made_.value, 7))))
        cases.bad("", f"{kind}, signature altered", **asked(with_value(flip(made_.value, 20))))
        cases.bad("", f"{kind}, cut", **asked(with_value(made_.value[:-1])))
        cases.bad("", f"{kind}, one byte more", **asked(with_value(made_.value + b"\0")))
        cases.bad("", f"{kind}, without its time", **asked(with_value(made_.value[8:])))
        cases.bad("", f"{kind}, under another name", **asked(Signature("south", made_.key_id, made_.value)))
        cases.bad("", f"{kind}, under another key id", **asked(Signature(made_.name, b"abcd", made_.value)))
        cases.bad("", f"{kind}, doubled", vkey=vkey, note=spelled(Note(text, (made_, made_)).encode()))
        cases.bad("", f"{kind}, with a wrong key id in the key", **asked(made_) | {"vkey": vkey.replace("+", "+0", 1)})
    late = (2**63).to_bytes(8, "big")
    value = late + WITNESSES["north"].sign_raw(b"cosignature/v1\ntime %d\n" % 2**63 + text)
    wrong = Note(text, (Signature("north", ed.verifier.key_id, value),)).encode()
    cases.bad("", "beyond every calendar", vkey=ed.verifier.vkey(), note=spelled(wrong))
    head = Note(text, (ed.cosign(text, UNIX),)).encode()
    weak = (1).to_bytes(32, "little")
    for why, key in (("of small order", weak), ("that is no point", NO_POINT)):
        encoded = base64.b64encode(b"\4" + key).decode()
        cases.bad(
            "", f"a key {why}", vkey=f"north+{key_id('north', bytes((4,)), key).hex()}+{encoded}", note=spelled(head)
        )
    cases.bad("", "a key of a log", vkey=Ed25519Verifier("north", WITNESSES["north"].public).vkey(), note=spelled(head))
    return cases


# --- policies, proofs, evidence --------------------------------------------------------------------------------------


def witness(name: str, key: SigningKey | None = None) -> str:
    """The line of a witness."""
    return f"witness {name} {Ed25519Cosigner(name, key or WITNESSES[name]).verifier.vkey()}\n"


def log(origin: str) -> str:
    """The line of a log."""
    return f"log {Ed25519Verifier(origin, KEYS[origin].public).vkey()}\n"


THREE = "".join(witness(name) for name in WITNESSES)
LOGS = log(ALPHA) + log(BRAVO)
POLICIES = {
    "two": LOGS + THREE + "group two 2 north south east\nquorum two\n",
    "none": LOGS + THREE + "quorum none\n",
    "own-vote": LOGS + witness(ALPHA, KEYS[ALPHA]) + witness("north") + f"group any any {ALPHA} north\nquorum any\n",
    "post-quantum": LOGS + f"witness pq {_MlDsa('post-quantum').verifier.vkey()}\nquorum pq\n",
}


def _policies() -> Cases:
    about = "A policy, and for each list of witnesses in `cosigned` whether they are a quorum."
    cases = Cases("policy", "13.7", about)
    nested = THREE + "group a all north south\ngroup b any a east\nquorum b\n"
    groups = [[], ["north"], ["north", "south"], ["east"], ["north", "north"], ["stranger", "north"]]
    for why, text in (
        *POLICIES.items(),
        ("groups in a group", nested),
        ("one witness is the quorum", THREE + "quorum south\n"),
        ("a quorum before what is not needed for it", witness("north") + "quorum north\n" + witness("south")),
        ("comments, tabs and empty lines", "# about\n\n" + THREE.replace(" ", " \t ") + "\t quorum  none\t\n#\n"),
        ("an address", THREE.replace("\n", " https://witness.example.org\n", 1) + "quorum none\n"),
        ("nothing but a quorum", "quorum none\n"),
    ):
        cases.good(why, policy=text, cosigned=groups)
    bad = {
        "no quorum": THREE,
        "two quorums": "quorum none\nquorum none\n",
        "an undefined quorum": "quorum x\n",
        "a quorum that is defined later": "quorum north\n" + THREE,
        "a group of undefined members": "group g 1 x\nquorum g\n",
        "a group without members": THREE + "group g 1\nquorum none\n",
        "a threshold of 0": THREE + "group g 0 north\nquorum g\n",
        "a threshold with a leading zero": THREE + "group g 01 north\nquorum g\n",
        "a threshold that can never be": THREE + "group g 2 north\nquorum g\n",
        "a member twice": THREE + "group g 1 north north\nquorum g\n",
        "a member of two groups": THREE + "group g 1 north\ngroup h 1 north\nquorum h\n",
        "a group of itself": THREE + "group g 1 g\nquorum g\n",
        "a name twice": THREE + "group north 1 south\nquorum none\n",
        "a name that is none": "witness none " + witness("north").split()[2] + "\nquorum none\n",
        "a witness key twice": witness("north") + "witness other " + witness("north").split()[2] + "\nquorum none\n",
        "a log key twice": log(ALPHA) + log(ALPHA) + "quorum none\n",
        "a log's key as a witness": "witness x " + log(ALPHA).split()[1] + "\nquorum none\n",
        "a witness's key as a log": "log " + witness("north").split()[2] + "\nquorum none\n",
        "a wrong key id": log(ALPHA).replace("+", "+0", 1) + "quorum none\n",
        "an unknown line": "party x\nquorum none\n",
        "too many words": THREE.replace("\n", " a b\n", 1) + "quorum none\n",
        "capital letters": "QUORUM none\n",
        "a last line without an end": "quorum none",
        "nothing": "",
        "a carriage return": "quorum none\r\n",
        "NUL": "quorum none\0\n",
        "delete": "# \x7f\nquorum none\n",
        "no vkey": "log x\nquorum none\n",
    }
    for why, text in bad.items():
        cases.bad("", why, policy=text, cosigned=groups)
    other = base64.b64encode(b"\1" + KEYS[ALPHA].public)
    cases.bad(
        "", "a name that is no UTF-8", policy=spelled(b"log \xff+00000000+" + other + b"\nquorum none\n"), cosigned=[]
    )
    return cases


class Log:
    """A log of the cases: its leaves, tree and heads."""

    def __init__(self, origin: str, leaves: list[bytes]) -> None:
        self.origin, self.leaves = origin, leaves
        self.nodes: dict[tuple[int, int], bytes] = {}
        frontier = Frontier()
        for data in leaves:
            for node in frontier.append(leaf_hash(data)):
                self.nodes[node.level, node.position] = node.hash
        self.root = frontier.root()

    def head(self, *cosigners: tuple[str, int], key: str = "") -> bytes:
        """The signed head with cosignatures of witnesses at their times."""
        checkpoint = Checkpoint(self.origin, len(self.leaves), self.root)
        (own,) = parse_note(sign_checkpoint(checkpoint, signer(self.origin, key))).signatures
        lines = [Ed25519Cosigner(name, WITNESSES[name]).cosign(checkpoint.text(), time) for name, time in cosigners]
        return Note(checkpoint.text(), (own, *lines)).encode()

    def proof(self, index: int, note: bytes, extra: bytes = b"") -> Proof:
        """A C2SP proof."""
        return make_proof(index, note, self.node, extra)

    def node(self, level: int, place: int) -> bytes:
        """A node of the tree."""
        return self.nodes[level, place]


def _log(origin: str, size: int, *changed: tuple[int, bytes], kind: str = "note") -> Log:
    leaves = [leaf(n, kind, {"n": n}) for n in range(size)]
    for index, data in changed:
        leaves[index] = data
    return Log(origin, leaves)


def _proofs() -> Cases:
    cases = Cases("proof", "13.8, 13.18", "A leaf in a log, proved by a policy.", {"policies": POLICIES})
    made_ = _log(ALPHA, 7)
    note = made_.head(("north", UNIX), ("east", UNIX + 1))
    good, data = made_.proof(5, note).encode(), made_.leaves[5].decode()

    def ask(proof: bytes, leaf_: str = data, policy: str = "two") -> dict[str, str]:
        return {"policy": policy, "proof": spelled(proof), "leaf": leaf_}

    cases.good("by a quorum", **ask(good))
    cases.good("without a quorum", **ask(made_.proof(5, made_.head()).encode(), policy="none"))
    for index in (0, 6):
        cases.good(f"entry {index}", **ask(made_.proof(index, note).encode(), made_.leaves[index].decode()))
    cases.good("with an extra line", **ask(made_.proof(5, note, b"extra data").encode()))
    single = _log(ALPHA, 1)
    cases.good("the only entry", **ask(single.proof(0, single.head()).encode(), single.leaves[0].decode(), "none"))
    checkpoint = Checkpoint(ALPHA, 7, made_.root)
    cosigned = Note(
        checkpoint.text(),
        (*parse_note(made_.head()).signatures, _MlDsa("post-quantum").cosign(checkpoint.text(), UNIX)),
    )
    cases.good("by a post-quantum witness", **ask(made_.proof(5, cosigned.encode()).encode(), policy="post-quantum"))
    vote = Ed25519Cosigner(ALPHA, KEYS[ALPHA]).cosign(checkpoint.text(), UNIX)
    voted = Note(checkpoint.text(), (*parse_note(made_.head()).signatures, vote))
    moved = _log(ALPHA, 7, (5, leaf(4, "note", {"n": 4})))
    stray = moved.proof(5, moved.head()).encode()
    proof = made_.proof(5, note)
    bad: dict[str, dict[str, str]] = {
        "too few witnesses": ask(made_.proof(5, made_.head(("north", UNIX))).encode()),
        "the log alone, where it may not vote": ask(made_.proof(5, voted.encode()).encode(), policy="own-vote"),
        "another leaf": ask(good, made_.leaves[4].decode()),
        "a leaf altered": ask(good, data.replace('"n":5', '"n":6')),
        "another index": ask(good.replace(b"index 5", b"index 4")),
        "an index with a leading zero": ask(good.replace(b"index 5", b"index 05")),
        "an index beyond the tree": ask(good.replace(b"index 5", b"index 7")),
        "one step less": ask(Proof(5, proof.hashes[:-1], note).encode()),
        "one step more": ask(Proof(5, (*proof.hashes, proof.hashes[0]), note).encode()),
        "64 steps": ask(Proof(5, (proof.hashes[0],) * 64, note).encode()),
        "a step of 31 bytes": ask(Proof(5, (proof.hashes[0][1:], *proof.hashes[1:]), note).encode()),
        "another version": ask(good.replace(b"@v1", b"@v2")),
        "no index": ask(good.replace(b"index 5\n", b"")),
        "an empty extra line": ask(good.replace(b"index", b"extra \nindex", 1)),
        "an extra line behind the index": ask(good.replace(b"index 5\n", b"index 5\nextra YQ==\n")),
        "a cosignature altered": ask(made_.proof(5, _with_wrong_cosignature(made_)).encode()),
        "signed by the other log's key": ask(made_.proof(5, made_.head(key=BRAVO)).encode(), policy="none"),
        "of a log that the policy does not know": ask(_unknown().proof(0, _unknown_head()).encode(),
                                                     _unknown().leaves[0].decode(), "none"),
        "a leaf that says it stands elsewhere": ask(stray, moved.leaves[5].decode(), "none"),
        "a leaf that is none": ask((bare := _log(ALPHA, 2, (1, b"{}"))).proof(1, bare.head()).encode(), "{}", "none"),
        "no checkpoint": ask(good[: good.index(b"\n\n") + 2]),
        "nothing": ask(b""),
    }  # fmt: skip
    for why, asked in bad.items():
        cases.bad("", why, **asked)
    return cases


def _with_wrong_cosignature(made_: Log) -> bytes:
    note = parse_note(made_.head(("north", UNIX), ("east", UNIX)))
    last = note.signatures[-1]
    return Note(note.text, (*note.signatures[:-1], Signature(last.name, last.key_id, flip(last.value, -1)))).encode()


UNKNOWN = "hotline/alpha-bravo/ALPHA/main/2"


def _unknown() -> Log:
    return _log(UNKNOWN, 2)


def _unknown_head() -> bytes:
    return sign_checkpoint(Checkpoint(UNKNOWN, 2, _unknown().root), Ed25519Signer(UNKNOWN, KEYS[ALPHA]))


def _convictions() -> Cases:
    about = "Two signed things, and what they prove together: a kind of 13.8, or nothing."
    cases = Cases("conviction", "13.8, 13.10", about, {"policies": POLICIES})

    def head(note: bytes) -> dict[str, Any]:
        return {"data": spelled(note)}

    def proved(made_: Log, index: int, note: bytes = b"") -> dict[str, Any]:
        return {
            "data": spelled(made_.proof(index, note or made_.head()).encode()),
            "leaf": made_.leaves[index].decode(),
        }

    def add(why: str, one: dict[str, Any], other: dict[str, Any], policy: str = "two") -> None:
        cases.good(why, policy=policy, one=one, other=other)

    seven, fork = _log(ALPHA, 7), _log(ALPHA, 7, (6, leaf(6, "note", {"n": 99})))
    five, nine = _log(ALPHA, 5), _log(ALPHA, 9, (6, leaf(6, "note", {"n": 98})))
    add("FORK-SIZE: two heads", head(seven.head()), head(fork.head()))
    add("FORK-SIZE: a head and a proof", head(seven.head()), proved(fork, 2))
    add("FORK-LEAF: two sizes", proved(seven, 6), proved(nine, 6))
    add("ROLLBACK: later a smaller one", head(seven.head(("north", UNIX))), head(five.head(("north", UNIX + 1))))
    add("ROLLBACK, told in the other order", head(five.head(("north", UNIX + 1))), head(seven.head(("north", UNIX))))
    add("one head twice", head(seven.head()), head(seven.head()))
    add("two sizes of one log", head(five.head()), head(seven.head()))
    add(
        "a smaller one that was cosigned before",
        head(seven.head(("north", UNIX + 1))),
        head(five.head(("north", UNIX))),
    )
    add("a smaller one at the same second", head(seven.head(("north", UNIX))), head(five.head(("north", UNIX))))
    add("a smaller one by another witness", head(seven.head(("north", UNIX))), head(five.head(("south", UNIX + 1))))
    add("one leaf proved twice", proved(seven, 2), proved(five, 2))
    add("two leaves of two places", proved(seven, 2), proved(seven, 3))
    add("two logs", head(seven.head()), head(_log(BRAVO, 7).head()))
    fields = {"plane": "real", "serial": 3, "statement": seed("name").hex()}

    def said(**changes: Any) -> Log:
        return _log(ALPHA, 3, (1, leaf(1, "msg.submit", {**fields, **changes}, ("body",))))

    def heard(private: tuple[str, ...] = ("body",), entry: str = "msg.recv", **changes: Any) -> Log:
        return _log(BRAVO, 4, (2, leaf(2, entry, {**fields, "peer_log_epoch": 1, **changes}, private)))

    another = {"statement": seed("another").hex()}

    for why, one, other in (
        ("MISMATCH: the name of the statement", said(), heard(**another)),
        ("MISMATCH: the body", said(), heard(())),
        ("the same statement", said(), heard()),
        ("another serial", said(), heard(serial=4, **another)),
        ("another plane", said(), heard(plane="exercise", **another)),
        ("nothing was received", said(), heard(entry="msg.held", **another)),
        ("MISMATCH: by the terminal itself", said(), heard(other="ALPHA/main", party="ALPHA", **another)),
        ("an empty statement took its place", said(), heard(**another | {"kind": "void"})),
        ("said in a later log", said(), heard(peer_log_epoch=2, **another)),
        ("said by the alternate", said(), heard(other="ALPHA/alt", **another)),
        ("said by a third party", said(), heard(party="CHARLIE", **another)),
    ):
        add(why, proved(one, 1), proved(other, 2))
        add(f"{why}, told in the other order", proved(other, 2), proved(one, 1))
    wrong = spelled(seven.head(key=BRAVO))
    for why, one in (
        ("signed by another key", {"data": wrong}),
        ("a log that the policy does not know", head(_unknown_head())),
        ("altered", {"data": spelled(seven.head()).replace("\n7\n", "\n8\n")}),
        ("a proof of another leaf", proved(seven, 2) | {"leaf": seven.leaves[3].decode()}),
        ("a cosignature that does not hold", head(_with_wrong_cosignature(seven))),
        ("nothing", {"data": ""}),
    ):
        cases.bad("", f"it does not hold by itself: {why}", policy="two", one=one, other=head(fork.head()))
    return cases


def _witnesses() -> Cases:
    given = {
        "logs": [Ed25519Verifier(origin, key.public).vkey() for origin, key in KEYS.items()],
        "witness": "north", "seed": WITNESSES["north"].seed.hex(), "time": UNIX,
    }  # fmt: skip
    about = "The status of an add-checkpoint request, and the cosignature, given what the witness `held` of the log."
    cases = Cases("witness", "13.7, 13.17", about, given)
    logs = {size: _log(ALPHA, size) for size in range(1, 8)}
    fork = _log(ALPHA, 7, (2, leaf(2, "note", {"n": 99})))

    def held(size: int) -> dict[str, Any]:
        return {"size": size, "root": (logs[size].root if size else Frontier().root()).hex()}

    def request(old: int, new: Log, *, by: str = "", wrong: int | None = None) -> bytes:
        size = len(new.leaves)
        proof = consistency_proof(old, size, new.node) if 0 < old < size else []
        return AddCheckpoint(old if wrong is None else wrong, tuple(proof), new.head(key=by)).encode()

    empty = sign_checkpoint(Checkpoint(ALPHA, 0, Frontier().root()), signer(ALPHA))
    good = request(3, logs[7])
    steps = consistency_proof(3, 7, logs[7].node)
    for why, data, before in (
        ("200: the first head", request(0, logs[7]), None),
        ("200: the first head after an empty one", request(0, logs[7]), held(0)),
        ("200: an empty log", AddCheckpoint(0, (), empty).encode(), None),
        ("200: a larger one", good, held(3)),
        ("200: the same once more", request(7, logs[7]), held(7)),
        ("200: after a power of two", request(4, logs[7]), held(4)),
        ("200: with cosignatures of others", request(7, logs[7]).replace(
            logs[7].head(), logs[7].head(("south", UNIX))), held(7)),
        ("400: nothing", b"", None),
        ("400: no old size", good.replace(b"old 3\n", b""), held(3)),
        ("400: an old size with a leading zero", good.replace(b"old 3", b"old 03"), held(3)),
        ("400: an old size with a sign", good.replace(b"old 3", b"old +3"), held(3)),
        ("400: an old size that is larger than the head", request(3, logs[7], wrong=8), held(3)),
        ("400: a proof line of 31 bytes", AddCheckpoint(3, (steps[0][1:],), logs[7].head()).encode(), held(3)),
        ("400: 64 proof lines", AddCheckpoint(3, (steps[0],) * 64, logs[7].head()).encode(), held(3)),
        ("400: no checkpoint", good[: good.index(b"\n\n") + 2], held(3)),
        ("400: a size of 2^63", request(0, logs[7]).replace(b"\n7\n", b"\n%d\n" % 2**63), None),
        ("400: an extension line", good.replace(b"\n7\n", b"\n7\nx\n"), held(3)),
        ("403: signed by another key", request(3, logs[7], by=BRAVO), held(3)),
        ("403: a size altered", good.replace(b"\n7\n", b"\n8\n"), held(3)),
        ("404: a log that is not pinned", AddCheckpoint(0, (), _unknown_head()).encode(), None),
        ("409: another size is held", good, held(4)),
        ("409: nothing is held", good, None),
        ("409: an old size of 0, and something is held", request(0, logs[7]), held(3)),
        ("422: no proof", AddCheckpoint(3, (), logs[7].head()).encode(), held(3)),
        ("422: a step less", AddCheckpoint(3, tuple(steps[:-1]), logs[7].head()).encode(), held(3)),
        ("422: a step more", AddCheckpoint(3, (*steps, steps[0]), logs[7].head()).encode(), held(3)),
        ("422: another history", request(3, fork), held(3)),
        ("422: another root of the size held", request(7, fork), held(7)),
        ("422: the head that is held, with a proof", AddCheckpoint(7, (steps[0],), logs[7].head()).encode(), held(7)),
        ("422: a proof from an empty one", AddCheckpoint(0, (steps[0],), logs[7].head()).encode(), held(0)),
        ("422: a proof from nothing", AddCheckpoint(0, (steps[0],), logs[7].head()).encode(), None),
        ("422: a root over no entries", AddCheckpoint(0, (), sign_checkpoint(
            Checkpoint(ALPHA, 0, seed("root")), signer(ALPHA))).encode(), None),
    ):  # fmt: skip
        cases.good(why, request=spelled(data), held=before)
        status = cases.cases[-1]["expect"]["output"]["status"]
        assert why.startswith(f"{status}:"), (why, status)
    return cases
