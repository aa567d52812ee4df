"""The record: a Merkle tree that only grows, signed heads, and the check an auditor makes. Pure.

tree         RFC 6962: append, prove, check
note         C2SP signed notes
checkpoint   C2SP checkpoints: origin, size, root
record       the leaf: canonical JSON, blinded, content only as commitments
proof        C2SP proofs: one leaf shown to somebody who does not have the log
log          the sequencer of one terminal's log
verify       an auditor's check of a whole log
cosignature  C2SP cosignatures of witnesses and of the peer
policy       C2SP policies: which logs, which witnesses, what quorum
witness      what a witness answers (C2SP add-checkpoint)
tiles        C2SP tiles: a log as files that other programs read
conviction   two signed things that cannot both be true
"""
