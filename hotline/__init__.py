"""A leader-to-leader text hotline: endpoint, protocol, ledger, ceremony and operator tools.

Start at ARCHITECTURE.md for the rooms and at docs/protocol.md for what crosses the wire.
"""

import os

__version__ = "0.1.0"

# gRPC reads its environment once, when it is first imported: set any later, this is ignored without a word.
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"  # no TLS 1.2 with our certificates: credentials.py
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # its own lines on stderr would break a log in JSON
