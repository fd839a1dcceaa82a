"""Prints what pyproject.toml asks for, with the extras named on the command line, one requirement a line.

    python deploy/dependencies.py searcher cluster

The images install this before they copy any code, so that a change of code leaves the layers of the
dependencies as they are. What only the `donna` command needs is left out: images hold services.
Standard library only: it runs where nothing is installed yet.
"""

import re
import sys
import tomllib
from pathlib import Path

COMMAND = frozenset({"typer", "rich"})


def dependencies(pyproject: Path, extras: list[str]) -> list[str]:
    """The requirements of the project and of some of its extras, with those that they name. Raises KeyError for an
    unknown extra."""
    project = tomllib.loads(pyproject.read_text())["project"]
    every: dict[str, None] = {}
    todo = [*project["dependencies"], *(f"donna[{extra}]" for extra in extras)]
    while todo:
        requirement = todo.pop(0)
        own = re.fullmatch(r"donna\[(.+)\]", requirement)
        if own is None:
            every[requirement] = None
        else:
            todo += [r for extra in own[1].split(",") for r in project["optional-dependencies"][extra]]
    return [requirement for requirement in every if re.match(r"[\w-]+", requirement)[0] not in COMMAND]  # type: ignore[index]


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in dependencies(Path("pyproject.toml"), sys.argv[1:]))
