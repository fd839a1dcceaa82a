"""Prints what pyproject.toml asks for, with the extras named on the command line, one requirement a line.

    python deploy/dependencies.py searcher cluster

The images install this before they copy any code, so that a change of code leaves the layers of the
dependencies as they are. Standard library only: it runs where nothing is installed yet.
"""

import sys
import tomllib
from pathlib import Path


def dependencies(pyproject: Path, extras: list[str]) -> list[str]:
    """The requirements of the project and of some of its extras. Raises KeyError for an unknown extra."""
    project = tomllib.loads(pyproject.read_text())["project"]
    groups = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return list(dict.fromkeys(requirement for group in groups for requirement in group))


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in dependencies(Path("pyproject.toml"), sys.argv[1:]))
