"""Makes random secrets: `python -m donna.rpc.secret FILE...`. A file that is there already stays as it is."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

BYTES = 32


def make_secret(path: Path) -> bool:
    """Writes a new secret, readable by the owner and the group; False when there was one.

    The file appears whole or not at all. Raises OSError when it cannot be written.
    """
    if path.exists():
        return False
    written = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(BYTES))
    try:
        os.link(written, path)  # unlike a rename it does not replace what another has made meanwhile
    except FileExistsError:
        return False
    finally:
        written.unlink()
    return True


def main(arguments: list[str]) -> int:
    """Makes the secrets that are missing and says which."""
    for path in map(Path, arguments):
        sys.stdout.write(f"{path}: {'made' if make_secret(path) else 'kept'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
