"""An endpoint daemon with one protection taken out, named by HOTLINE_WEAKNESS; the same arguments as `hotline`."""

from __future__ import annotations

import os

from hotline.cli.main import main
from tests.sabotage.weaknesses import WEAKNESSES

WEAKNESSES[os.environ["HOTLINE_WEAKNESS"]]()
main()
