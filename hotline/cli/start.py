"""Where `hotline` begins: before anything that takes time to load."""

from __future__ import annotations

import signal
from typing import NoReturn


def hotline() -> NoReturn:
    """Entry point. Until the program listens, Ctrl-C ends it without a word: nothing has been done yet."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from hotline.cli.main import main

    main()
