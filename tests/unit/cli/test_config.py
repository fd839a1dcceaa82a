"""Where the services are: command line, environment, file; wrong text is named with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from donna.cli.config import read_connection
from donna.cli.connect import connect
from donna.errors import InvalidArgument

TLS = ("DONNA_TLS_CA", "DONNA_TLS_CERTIFICATE", "DONNA_TLS_KEY")


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DONNA_ENDPOINTS", "DONNA_TOKEN_FILE", "DONNA_CONFIG", *TLS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("donna.cli.config.DEFAULT_FILE", tmp_path / "none.yaml")


def test_the_command_line_goes_before_the_environment_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "endpoints: {distiller: 'file:1', predictor: 'file:2', device.phone: 'file:3'}\ntoken_file: t\n"
    )
    monkeypatch.setenv("DONNA_CONFIG", str(file))
    monkeypatch.setenv("DONNA_ENDPOINTS", "predictor=variable:2, searcher=variable:4")
    found = read_connection(["searcher=option:4"])
    assert found.services == {"distiller": "file:1", "predictor": "variable:2", "searcher": "option:4"}
    assert found.devices == {"phone": "file:3"}
    assert found.token_file == "t"


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("DONNA_ENDPOINTS", "distiler=x:1", "DONNA_ENDPOINTS: 'distiler' is no service"),
        ("DONNA_ENDPOINTS", "distiller=x", "DONNA_ENDPOINTS: must read like"),
        ("DONNA_CONFIG", "/nowhere/at/all.yaml", "DONNA_CONFIG: /nowhere/at/all.yaml does not exist"),
    ],
)
def test_wrong_text_is_named_with_its_source(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(InvalidArgument, match=sentence):
        read_connection([])


@pytest.mark.parametrize("text", ["endpoint: {}", "[1, 2]", "endpoints: [", "token_file: {}"])
def test_a_file_that_is_no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    monkeypatch.setenv("DONNA_CONFIG", str(file))
    with pytest.raises(InvalidArgument, match=r"config\.yaml"):
        read_connection([])


def test_tokens_are_not_sent_to_services_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DONNA_TOKEN_FILE", str(tmp_path / "token"))
    with (
        pytest.raises(InvalidArgument, match="missing: predictor"),
        connect(["searcher=127.0.0.1:1"], tmp_path, ("searcher", "predictor")),
    ):
        pass


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("CERTIFICATE", "KEY"), "tls_ca"),
        (("CA", "CERTIFICATE"), "tls_key"),
        (("CA", "KEY"), "tls_certificate"),
    ],
)
def test_half_a_tls_is_refused_and_the_token_stays_here(
    names: tuple[str, ...], missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in names:
        monkeypatch.setenv(f"DONNA_TLS_{name}", str(tmp_path / name))
        (tmp_path / name).write_text("pem")
    with (
        pytest.raises(InvalidArgument, match=missing),
        connect(["predictor=127.0.0.1:1"], tmp_path, ("predictor",)),
    ):
        pass
