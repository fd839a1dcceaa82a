"""Named files and folders under the data root of this machine: the only paths this project reads data
from. A request gives a name, never a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from donna.errors import FailedPrecondition, InvalidArgument, NotFound

_FORBIDDEN = ("/", "\\", "..", "\0", ":")


def check_name(arguments: Mapping[str, Any], key: str, *, required: bool = True) -> str | None:
    """The name in `arguments[key]`. Raises InvalidArgument when it is missing or is not a plain name."""
    field, name = f"dataset.arguments.{key}", arguments.get(key)
    if name is None and not required:
        return None
    if not isinstance(name, str) or not name or len(name) > 200 or name.startswith((".", "~")):
        raise InvalidArgument.of(field, f"must name something in the data root, got {name!r}")
    if any(part in name for part in _FORBIDDEN):
        raise InvalidArgument.of(field, f"must be a name without a path in it, got {name!r}")
    return name


def check_known(arguments: Mapping[str, Any], known: tuple[str, ...], provider: str) -> None:
    """Raises InvalidArgument for an argument that the provider does not have."""
    for name in arguments:
        if name not in known:
            raise InvalidArgument.of(
                f"dataset.arguments.{name}", f"is not known; {provider} takes {', '.join(known)}"
            )


def check_image_size(arguments: Mapping[str, Any]) -> tuple[int, int] | None:
    """(H, W) from `image_size`: a number or a pair; None when it is not given. Raises InvalidArgument."""
    size = arguments.get("image_size")
    if size is None:
        return None
    pair = [size, size] if isinstance(size, int) else size
    good = isinstance(pair, (list, tuple)) and len(pair) == 2
    if not good or not all(type(v) is int and 1 <= v <= 4096 for v in pair):
        raise InvalidArgument.of("dataset.arguments.image_size", f"must be pixels in 1..4096, got {size!r}")
    return pair[0], pair[1]


def require_root(root: Path | None, provider: str) -> Path:
    """The data root. Raises FailedPrecondition when this machine has none."""
    if root is None:
        raise FailedPrecondition(
            f"dataset.provider: {provider} reads files, and this service has no data root (DONNA_DATA_ROOT)",
            reason="NO_DATA_ROOT",
        )
    return root


def find(root: Path, name: str, key: str, *, suffix: str = "") -> Path:
    """The file `name` or `name`+suffix, or the folder, in the root. Raises NotFound when there is none,
    also when a link leads out of the root."""
    for candidate in (root / name, root / f"{name}{suffix}"):
        if candidate.exists() and not _leads_out(root, candidate):
            return candidate
    raise NotFound(f"dataset.arguments.{key}: the data root has no {name!r}", reason="NO_SUCH_DATASET")


def check_inside(root: Path, path: Path, key: str) -> Path:
    """The path of something below what `find` found. Raises InvalidArgument when it is a link out of the root."""
    if path.is_symlink() and _leads_out(root, path):
        where = path.relative_to(root)
        raise InvalidArgument.of(
            f"dataset.arguments.{key}", f"{where} is a link that leads out of the data root"
        )
    return path


def _leads_out(root: Path, path: Path) -> bool:
    return not path.resolve().is_relative_to(root.resolve())
