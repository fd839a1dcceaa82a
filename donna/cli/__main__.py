"""`python -m donna.cli` is the `donna` command."""

from donna.cli import main

main()
