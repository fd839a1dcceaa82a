"""Makes random secrets: `python -m donna.rpc.secret FILE[:DIGEST_FILE]...`.

A file that is there already stays as it is. With a second file it also says the digest of the secret, which is all that
a service needs of a token that lets others in.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from donna.rpc.authentication import digest_of

BYTES = 32


def new_secret() -> str:
    """A random one, as text that may stand in a URL."""
    return secrets.token_urlsafe(BYTES)


def written_digest(secret: str) -> str:
    """What a service is given instead of a token that lets others in: `sha256:<hex>`."""
    return f"sha256:{digest_of(secret)}"


def make_secret(path: Path) -> bool:
    """Writes a new secret, readable by the owner and the group; False when there was one.

    The file appears whole or not at all. Raises OSError when it cannot be written.
    """
    return _write(path, new_secret())


def _write(path: Path, content: str) -> bool:
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    try:
        os.link(written, path)  # unlike a rename it does not replace what another has made meanwhile
    except FileExistsError:
        return False
    finally:
        written.unlink()
    return True


def main(arguments: list[str]) -> int:
    """Makes the secrets that are missing, and their digests, and says which."""
    for argument in arguments:
        name, _, digest = argument.partition(":")
        sys.stdout.write(f"{name}: {'made' if make_secret(Path(name)) else 'kept'}\n")
        if digest:
            _write(Path(digest), written_digest(Path(name).read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
