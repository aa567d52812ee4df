"""`python -m relay` is `hotline-relay`."""

from relay.cli import main

main()
