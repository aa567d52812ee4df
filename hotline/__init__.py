"""A leader-to-leader text hotline: endpoint, protocol, ledger, ceremony and operator tools.

Start at ARCHITECTURE.md for the rooms and at docs/protocol.md for what crosses the wire.
"""

__version__ = "0.1.0"
