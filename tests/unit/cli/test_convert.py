"""`donna convert`: tensors come out as they went in; a file that would run code is refused, and does not run it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import DonnaError, FailedPrecondition, InvalidArgument, NotFound

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(3)}


def convert(*words: object) -> Any:
    done = CliRunner().invoke(build(), ["convert", *map(str, words), "--json"])
    if isinstance(done.exception, DonnaError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
def test_tensors_come_out_as_they_went_in(tmp_path: Path, wrap: Any) -> None:
    source, target = tmp_path / "w.pth", tmp_path / "w.safetensors"
    shared = {**STATE, "tied": STATE["a.weight"], "turned": STATE["a.weight"].T}
    torch.save(wrap(shared), source)
    assert convert(source, target) == {"tensors": 4, "values": 19, "target": str(target)}
    found = load_file(target)
    assert found.keys() == shared.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in shared.items())
    with pytest.raises(InvalidArgument, match="exists; --force overwrites it"):
        convert(source, target)
    convert(source, target, "--force")


class Malicious:
    """Makes a folder as soon as somebody unpickles it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._folder),)


def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path) -> None:
    source, target, harm = tmp_path / "w.pth", tmp_path / "w.safetensors", tmp_path / "harm"
    torch.save({**STATE, "b": Malicious(harm)}, source)
    with pytest.raises(
        FailedPrecondition, match="holds more than weights, or is damaged; nothing in it was run"
    ):
        convert(source, target)
    assert not harm.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.pth"]
    torch.load(source, weights_only=False)  # the same file does harm to those who trust it
    assert harm.exists()


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ({"epoch": 3}, (), "'epoch' is no tensor but int"),
        (STATE, ("--key", "ema"), "'ema' is not in the file; it has a.weight, a.count"),
        ([1, 2], (), "there are no named tensors here, but a list"),
    ],
)
def test_what_is_no_state_dict_is_said(tmp_path: Path, content: Any, words: Any, said: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(FailedPrecondition, match=said):
        convert(tmp_path / "w.pth", tmp_path / "w.safetensors", *words)


def test_junk_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"junk" * 100)
    with pytest.raises(FailedPrecondition, match="is damaged"):
        convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    with pytest.raises(NotFound):
        convert(tmp_path / "none.pth", tmp_path / "w.safetensors")
