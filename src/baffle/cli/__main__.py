"""`python -m baffle.cli` is the `baffle` command."""

from baffle.cli import main

main()
