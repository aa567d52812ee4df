"""What opens the commitments of an entry, from where it rests: beside the entry, or in the statement it tells of."""

from __future__ import annotations

import sqlite3
from typing import Final

from hotline.errors import KeyFileError, Malformed
from hotline.ledger.record import Leaf, Opening
from hotline.protocol.language import decode_local
from hotline.protocol.statements import decode_statement
from hotline.protocol.tables import scoped
from hotline.runtime.contentkeys import ContentKeys, read_openings
from hotline.runtime.ledgerstore import log_table
from hotline.runtime.lookups import label, scopes

_TABLES: Final = {"msg.recv": "received", "msg.translated": "translation"}
"""Where the text lies that an entry of this type tells of; else among what was sent."""


def openings_of(database: sqlite3.Connection, keys: ContentKeys, epoch: int, leaf: Leaf) -> list[Opening] | None:
    """Everything that opens a commitment of `leaf`; None if it was destroyed with its content key.

    Nothing is checked against the commitments. Raises KeyFileError if what is stored is damaged; sqlite3.Error.
    """
    sql = f"SELECT box FROM {log_table(database, epoch)} WHERE seq=?"  # noqa: S608 - names are ours
    row = database.execute(sql, (leaf.seq,)).fetchone()
    found: list[Opening] = []
    if row is not None and row[0] is not None:
        content = keys.open(f"opening/{epoch}/{leaf.seq}", bytes(row[0]))
        if content is None:
            return None
        found += read_openings(content)
    if "body" in leaf.commit and all(one.tag != "body" for one in found):  # a draft's rests beside its entry
        body = _body(database, keys, leaf)
        if body is None:
            return None
        found.append(body)
    return found


def _body(database: sqlite3.Connection, keys: ContentKeys, leaf: Leaf) -> Opening | None:
    """The text that an entry tells of, with the salt that its sender, or whoever kept a translation, chose."""
    table = _TABLES.get(leaf.type, "sent")
    plane, serial = leaf.fields.get("plane"), leaf.fields.get("new", leaf.fields.get("serial"))
    if table == "translation":
        serial = leaf.fields.get("number")
    party = leaf.fields.get("party")
    place = scoped(table, str(party) if party in scopes(database) else "")
    sql = f'SELECT content FROM "{place}" WHERE plane=? AND serial=?'  # noqa: S608 - names are ours
    row = database.execute(sql, (plane, serial)).fetchone()
    if row is None:
        raise KeyFileError(f"{place} {serial}, of which entry {leaf.seq} tells, is not in the store")
    content = keys.open(label(place, plane, serial), bytes(row[0]))
    if content is None:
        return None
    try:
        statement = decode_local(content) if table == "translation" else decode_statement(content)
    except Malformed as error:
        raise KeyFileError(f"{place} {serial} is not readable: the store is damaged") from error
    return Opening("body", statement.body_salt, statement.text.encode())
