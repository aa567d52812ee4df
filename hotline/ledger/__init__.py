"""The record: a Merkle tree that only grows, signed heads, and the check an auditor makes. Pure.

tree         RFC 6962: append, prove, check
note         C2SP signed notes
checkpoint   C2SP checkpoints: origin, size, root
record       the leaf: canonical JSON, blinded, content only as commitments
proof        C2SP proofs: one leaf shown to somebody who does not have the log
log          the sequencer of one terminal's log
verify       an auditor's check of a whole log
"""
