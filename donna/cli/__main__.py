"""`python -m donna.cli` is the `donna` command."""

from donna.cli import main

if __name__ == "__main__":
    main()
