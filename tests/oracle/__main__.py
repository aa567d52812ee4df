"""Answer a folder of questions: python -m tests.oracle QUESTIONS ANSWERS."""

import sys
from pathlib import Path

from tests.oracle import answer_all

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("give a folder of questions and a folder for the answers")
    answer_all(Path(sys.argv[1]), Path(sys.argv[2]))
