"""Records and evidence of the other side, questions of a conformance kit, and what a drill's proxy is told."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from hotline.charter.model import load_charter
from hotline.charter.pairwise import read_pairs, spell_pair
from hotline.charter.parts import Charter
from hotline.conformance.answers import KINDS, answer
from hotline.conformance.kit import Json
from hotline.crypto.signing import SigningKey
from hotline.drill.proxyd import Proxy
from hotline.errors import ConfigError, HotlineError, RemoteError
from hotline.ledger.conviction import Exhibit, convict
from hotline.ledger.cosignature import Ed25519Cosigner
from hotline.ledger.note import Ed25519Signer, Ed25519Verifier, sign_note
from hotline.ledger.policy import parse_policy
from hotline.ledger.tiles import tile_path
from hotline.ledger.verify import Outcome, verify_log
from hotline.machine import Instant, Plane
from hotline.protocol.statements import Ends, sign_content
from hotline.protocol.twowords import TwoWords, judge, parse, spell
from hotline.runtime.ledgerstore import LEDGER_SCHEMA
from hotline.runtime.recordfiles import open_record, write_export
from hotline.runtime.store import SCHEMA_VERSION
from hotline.wire.codec import encode
from hotline.wire.inner import ContentType
from hotline.wire.v1 import content_pb2
from tests.fuzz.forms import change, lines, message, places, some, split, trees, word
from tests.fuzz.machines import Arguments, text
from tests.fuzz.targets import POLICY, Target, asked, holds, is_one_in, published, scratch
from tests.hotline.charter.conftest import held
from tests.hotline.runtime.store_writer import BASE, KEY, opened, statement
from tools.cases.signed import KEYS, UNIX, WITNESSES

VERIFIER = Ed25519Verifier(f"{BASE}/1", KEY.public)
ENTRIES = 3


# --- evidence --------------------------------------------------------------------------------------------------------
@cache
def _signer() -> tuple[Charter, SigningKey]:
    """A charter, and the key of its first terminal."""
    made = held()
    return load_charter(made.signed), SigningKey(made.secrets["ALPHA"].signing)


def _said(text_: str) -> bytes:
    """A statement to everyone."""
    said = content_pb2.Statement.FromString(asked("statement", "content")[0])
    said.from_party, said.to_party, said.text = "ALPHA", "*", text_
    return encode(said)


def two_words(data: bytes) -> object:
    """A file of evidence, and the same statements under the signatures of whoever holds the key."""
    words, (charter, key) = parse(data), _signer()
    holds(spell(words) == data, "two spellings of one file of evidence")
    ends, kind = Ends(charter.founding, 1, 0), ContentType.STATEMENT
    one, other = ((part, sign_content(key, kind, words.plane, ends, part).signature) for part, _ in words.signed)
    found = judge(replace(words, terminal=1, signed=(one, other)), charter)
    holds(found is None or found[0].serial == found[1].serial, "convicted by two statements of two serials")
    holds(found is None or one[0] != other[0], "convicted by one statement")
    with contextlib.suppress(RemoteError):
        holds(judge(words, charter) is None, "somebody is convicted by what was never signed")
    return found


def _two_words_seeds() -> list[bytes]:
    pairs = ((_said("one"), bytes(64)), (_said("two"), bytes(64)))
    return [spell(TwoWords(1, Plane.REAL, pairs)), spell(TwoWords(9, Plane.EXERCISE, (pairs[0], pairs[0])))]


def words_altered(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Other statements in a file of evidence, or another file."""
    words = parse(rng.choice([seed for seed in seeds if seed.startswith(b"{\n")]))
    pairs = [[message(rng, one) if rng.randrange(2) else one, signature] for one, signature in words.signed]
    plane, terminal = rng.choice((*[words.plane] * 4, *Plane)), rng.choice((*[words.terminal] * 4, 0, 2, 3, 2**40))
    made = spell(TwoWords(terminal, plane, tuple(map(tuple, pairs))))  # type: ignore[arg-type]
    return trees(rng, [made]) if rng.randrange(8) == 0 else made


def exhibits(data: bytes) -> object:
    """Two signed things that somebody lays before an auditor."""
    take = Arguments(data)
    kind = take.byte()
    shown = [Exhibit(take.text(), take.text() if kind >> bit & 1 else None) for bit in (0, 1)]
    rules = take.text() if kind & 4 else POLICY
    return convict(shown[0], shown[1], parse_policy(rules))


def _exhibit_seeds() -> list[bytes]:
    found = []
    given = published()["conviction"].given["policies"]
    for case in published()["conviction"].cases:
        parts = [case.asked[name] for name in ("one", "other")]
        kind = 4 + sum(("leaf" in part and part["leaf"] is not None) << bit for bit, part in enumerate(parts))
        texts = [part[name] for part in parts for name in ("data", "leaf") if part.get(name) is not None]
        body = b"".join(text(one.encode()) for one in (*texts, given[case.asked["policy"]]))
        if len(body) < 6_000:
            found.append(bytes((kind,)) + body)
    return found


def exhibits_altered(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Heads and proofs with other lines, mostly signed anew by the log or the witness that signed them."""
    data, other = rng.choice(seeds), rng.choice(seeds)
    *shown, policy = split(data, 1)
    for _ in range(some(rng)):
        place = rng.randrange(len(shown))
        shown[place] = rng.choice((lines, _head_altered, _head_altered))(
            rng, [rng.choice((shown[place], *split(other, 1)[:-1]))]
        )
    policy = lines(rng, [policy]) if rng.randrange(8) == 0 else policy
    return bytes((data[0] ^ (rng.randrange(16) == 0),)) + b"".join(map(text, (*shown, policy)))


def _head_altered(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """The text of a head altered, with new signatures; behind the head of a proof whatever stood there."""
    note, before, mark = rng.choice(seeds), b"", b""
    if note.startswith(b"c2sp.org/tlog-proof"):
        before, mark, note = note.partition(b"\n\n")
        before = lines(rng, [before]) if rng.randrange(4) == 0 else before
    text, gap, signatures = note.rpartition(b"\n\n")
    if not gap:
        return lines(rng, seeds)
    text = lines(rng, [text + b"\n"]) if rng.randrange(3) else text + b"\n"
    if not text.endswith(b"\n"):
        text += b"\n"
    origin = text.split(b"\n")[0].decode("utf-8", "replace")
    key = KEYS.get(origin)
    signed = sign_note(text, [Ed25519Signer(origin, key)]) if key else text + b"\n"
    for line in signatures.splitlines(keepends=True):
        name = line.split(b" ")[1].decode("utf-8", "replace") if line.count(b" ") == 2 else ""
        if name in WITNESSES:
            made = Ed25519Cosigner(name, WITNESSES[name]).cosign(text, UNIX + rng.randrange(3))
            signed += made.line().encode() + b"\n"
        elif rng.randrange(4) == 0:
            signed += line
    return before + mark + signed


def questions(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A question with other values in it; what is given mostly stays."""
    kind, given, put = json.loads(rng.choice(seeds))
    others = [inside[key] for inside, key in places(put)] or [0]
    for _ in range(some(rng)):
        change(rng, given if given and rng.randrange(6) == 0 else put, others, word)
    return json.dumps([kind, given, put]).encode()


def pairs(data: bytes) -> object:
    """A file of secrets or check values of pairs of parties."""
    said = data.decode("ascii", "replace")
    found = read_pairs(said)
    spelled = "".join(spell_pair(*pair, value) for pair, value in found.items())
    holds(spelled.splitlines() == said.splitlines(), "two spellings of one file of pairs")
    return found


# --- records as files ------------------------------------------------------------------------------------------------
@cache
def _tables() -> bytes:
    """The tables of a record that an auditor reads, as a database file of a few kilobytes."""
    folder = scratch() / "store"
    with opened(folder) as store:
        for serial in range(1, ENTRIES + 1):
            store.commit([statement(serial)], Instant(serial, 1_795_000_000_000 + serial))
    path = scratch() / "small.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(f"PRAGMA page_size=512; PRAGMA user_version={SCHEMA_VERSION}; {LEDGER_SCHEMA}")
        database.execute("CREATE TABLE cosignature (epoch, size, hour, line)")
        database.execute("ATTACH ? AS whole", (str(folder / "ledger.db"),))
        database.execute("INSERT INTO entry SELECT seq, leaf, nodes, note, NULL FROM whole.entry")
        database.commit()
    return path.read_bytes()


def _audited(path: Path, exports: bool = True) -> object:
    """What an auditor does with a record. A verdict other than the lawful one is an answer as well."""
    verdicts = []
    with open_record(path) as logs:
        holds(bool(logs), "a record of no log")
        for log in logs:
            holds(all(isinstance(one, bytes) for one in (*log.notes, *log.cosigned)), "a head that is no byte string")
            note = log.notes[-1] if log.notes else None
            verdict = verify_log(log.leaves(), note, VERIFIER, log.hashes.get, log.notes[:-1])
            verdicts.append(verdict)
            lawful = verdict.outcome is not Outcome.VERIFIED or verdict.size <= ENTRIES
            holds(lawful, "more entries are verified than were ever signed")
            if log.read is not None and exports:
                with contextlib.suppress(HotlineError):
                    shutil.rmtree(scratch() / "export", ignore_errors=True)
                    write_export(log, scratch() / "export", lambda _: None)
    return verdicts


def record_database(data: bytes) -> object:
    """A copy of a database: bytes of a file, or cells that no program of ours would write."""
    path = scratch() / "copy.db"
    path.write_bytes(data if data[:1] == b"S" else _tables())
    if data[:1] != b"S":
        _rewritten(path, Arguments(data))
    return _audited(path)


def _rewritten(path: Path, take: Arguments) -> None:
    """The cells that `take` names get other values, of any type."""
    places = (("entry", ("leaf", "nodes", "note", "seq")), ("log", ("epoch",)), ("cosignature", ("size", "line")))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("ALTER TABLE entry RENAME TO strict")
        database.execute("CREATE TABLE entry AS SELECT * FROM strict")
        database.execute("ALTER TABLE log RENAME TO strict_log")
        database.execute("CREATE TABLE log AS SELECT * FROM strict_log")
        while not take.over:
            table, columns = places[take.byte() % len(places)]
            column, row = columns[take.byte() % len(columns)], take.byte() % (ENTRIES + 1)
            kind, number, said = take.byte() % 6, take.number(), take.text()
            value = (number % 2**63, float(number), said, said.decode("latin-1"), None, -(number % 2**60))[kind]
            if table == "cosignature":
                line = value if column == "line" else "\u2014 w AAAA"
                size = value if column == "size" else ENTRIES
                database.execute("INSERT INTO cosignature VALUES (1, ?, 0, ?)", (size, line))
            else:
                database.execute(f"UPDATE {table} SET {column}=? WHERE rowid=?", (value, row))


def _database_seeds() -> list[bytes]:
    whole = _tables()
    cells = [
        bytes((table, column, row, kind)) + number + text(said)
        for table, columns in ((0, 4), (1, 1), (2, 2))
        for column in range(columns)
        for row, kind, number, said in (
            (1, 0, b"\xff" + (10**10).to_bytes(8, "big"), b""),
            (2, 3, b"\1", b"text"),
            (ENTRIES, 2, b"\1", b"bytes"),
        )
    ]
    return [whole, b"\0\0\0\4\1\0\0", *cells]


NAMES = (
    *(tile_path(None, 0, ENTRIES), tile_path(0, 0, ENTRIES), tile_path(None, 0), tile_path(0, 0)),
    *("checkpoint", "cosigned", "unvouched", "tile", "tile/0/000.p"),
)
FOLDERS = ("1", "2", "01", "\u00b2", "\u0661", "x", "-1", "9" * 200)
"""Numbers of log epochs, and what is none."""


@cache
def _exported() -> dict[str, bytes]:
    """The files of an export."""
    path = scratch() / "small.db"
    path.write_bytes(_tables())
    shutil.rmtree(scratch() / "lawful", ignore_errors=True)
    with open_record(path) as logs:
        write_export(logs[0], scratch() / "lawful", lambda _: None)
    return {name: (scratch() / "lawful" / name).read_bytes() for name in (*NAMES[:2], "checkpoint")}


def record_export(data: bytes) -> object:
    """A folder of files, of which some are as they were exported."""
    folder, take, touched = scratch() / "exported", Arguments(data), _touched()
    for name in touched["1"] if folder.exists() else _exported():
        if name in _exported():
            _put(folder / "1" / name, _exported()[name])
        else:
            (folder / "1" / name).unlink(missing_ok=True)
    for other in touched.keys() - {"1"}:
        shutil.rmtree(folder / other, ignore_errors=True)
    touched.clear()
    while not take.over:
        number, name = FOLDERS[take.byte() % len(FOLDERS)], NAMES[take.byte() % len(NAMES)]
        place, content = folder / number / name, take.text()
        if number != "1" or not place.is_dir():
            touched[number].add(name)
        with contextlib.suppress(OSError):  # a file where a folder is, or the reverse
            _put(place, content) if content != b"-" else place.unlink()
    return _audited(folder, is_one_in(8, data))


@cache
def _touched() -> defaultdict[str, set[str]]:
    """What the last input wrote or took away, by folder: the rest stands as it was exported."""
    return defaultdict(set)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _export_seeds() -> list[bytes]:
    files = _exported()
    same = [bytes((0, place)) + text(files.get(name, b"")) for place, name in enumerate(NAMES)]
    others = [
        b"".join(bytes((folder, NAMES.index(name))) + text(files[name]) for name in files)
        for folder in range(1, len(FOLDERS))
    ]
    return [b"", *same, *others]


# --- questions and requests ------------------------------------------------------------------------------------------
def question(data: bytes) -> object:
    """A case that somebody else has made."""
    try:
        kind, given, put = json.loads(data)
    except (ValueError, RecursionError, TypeError) as error:
        raise ConfigError("no question") from error
    if not (isinstance(kind, str) and isinstance(given, dict) and isinstance(put, dict)):
        raise ConfigError("no question")
    found = answer(kind, given, put)
    json.dumps(found)
    if not found["accept"]:
        raise ConfigError(str(found["word"]))
    return found


def _question_seeds() -> list[bytes]:
    """For each kind the shortest questions."""
    found = []
    for kind in KINDS:
        if kind in published():
            given: Json = dict(published()[kind].given)
            every = [json.dumps([kind, given, case.asked]).encode() for case in published()[kind].cases]
            found += [one for one in sorted(every, key=len)[:3] if len(one) < 20_000]
    return found


@cache
def _proxy() -> Proxy:
    return Proxy([], None)


def proxy_request(data: bytes) -> object:
    """A line that a drill's proxy is told."""
    waiting: Any = _proxy()._answer(data)
    try:
        waiting.send(None)
    except StopIteration as done:
        holds(isinstance(done.value, dict) and isinstance(done.value["ok"], bool), "no answer")
        if not done.value["ok"]:
            raise ConfigError(done.value["error"]) from done
        return done.value
    raise AssertionError("it waits for something")


def _seeded(*seeds: bytes) -> Callable[[], list[bytes]]:
    return lambda: list(seeds)


EVIDENCE: dict[str, Target] = {
    "two-words": Target(two_words, _two_words_seeds, 6_000, words_altered),
    "exhibits": Target(exhibits, _exhibit_seeds, 6_000, exhibits_altered),
    "pairs": Target(
        pairs, _seeded(*(spell_pair("ALPHA", other, "0" * 64).encode() for other in ("BRAVO", "CHARLIE"))), 4_096, lines
    ),
    "record-database": Target(record_database, _database_seeds, 20_000),
    "record-export": Target(record_export, _export_seeds, 4_000),
    "question": Target(question, _question_seeds, 20_000, questions),
    "proxy-request": Target(
        proxy_request,
        _seeded(
            b'{"do": "list"}',
            b'{"do": "set", "links": [], "way": "up", "weather": {"mode": "pass"}}',
            b'{"do": "clear"}',
        ),
        600,
    ),
}
"""Name to target, as in `targets.TARGETS`."""
