"""A misspelt variable is named with the one that was meant; what others set is left alone."""

from pathlib import Path

import pytest

from donna.cli.config import read_connection
from donna.errors import InvalidArgument
from donna.settings import read_settings
from services.distiller.settings import DistillerSettings
from services.searcher.settings import SearcherSettings


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "DONNA_SEARCHER_PREDICTER",
            "DONNA_SEARCHER_PREDICTER: is no setting; did you mean DONNA_SEARCHER_PREDICTOR?",
        ),
        ("DONNA_SEARCHER_LISTN", "did you mean DONNA_SEARCHER_LISTEN?"),
        ("DONNA_SEARCHER_COFFEE", "DONNA_SEARCHER_COFFEE: is no setting"),
    ],
)
def test_a_service_refuses_it(monkeypatch: pytest.MonkeyPatch, name: str, sentence: str) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(InvalidArgument) as caught:
        read_settings(SearcherSettings)
    assert sentence in caught.value.message


def test_what_is_known_and_what_is_of_others_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "DONNA_SEARCHER_PORT": "tcp://10.0.0.1:50051",
        "DONNA_SEARCHER_PORT_50051_TCP_ADDR": "10.0.0.1",
        "DONNA_SEARCHER_SERVICE_HOST": "10.0.0.1",
        "DONNA_SEARCHER_SERVICE_PORT_GRPC": "50051",
        "DONNA_DISTILLER_DATA_ROOT": str(tmp_path),
        "DONNA_VERSION": "1",
    }.items():
        monkeypatch.setenv(name, value)
    assert read_settings(SearcherSettings).predictor == ""
    assert read_settings(DistillerSettings).data_root == tmp_path


def test_the_command_asks_what_was_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("donna.cli.config.DEFAULT_FILE", tmp_path / "none.yaml")
    monkeypatch.setenv("DONNA_VERSION", "1")
    read_connection([])
    monkeypatch.setenv("DONNA_ENDPOINT", "searcher=x:1")
    with pytest.raises(InvalidArgument, match="DONNA_ENDPOINT: is no setting; did you mean DONNA_ENDPOINTS"):
        read_connection([])
