"""The health check of the containers, against a real server."""

from pathlib import Path

from donna.rpc.authentication import digest_of, read_tokens
from donna.rpc.probe import main, probe
from donna.rpc.secret import main as make_secrets
from donna.rpc.secret import make_secret
from tests.unit.rpc.serving import Small, endpoint, serving


def test_it_says_whether_the_service_serves() -> None:
    with serving(endpoint(Small())) as address:
        assert probe(address) == "SERVING"
        assert main([address]) == 0
    with serving(endpoint(Small()), healthy=lambda: False) as address:
        assert probe(address) == "NOT_SERVING"
        assert main([address]) == 1


def test_nobody_at_the_address_is_a_sentence(capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["127.0.0.1:1"]) == 1
    assert capsys.readouterr().out.startswith("127.0.0.1:1 does not answer: ")
    assert main([]) == 2


def test_a_secret_is_made_once_and_for_the_group_at_most(tmp_path: Path) -> None:
    token = tmp_path / "token"
    assert make_secret(token) and len(token.read_text()) >= 40
    assert token.stat().st_mode & 0o777 == 0o440
    before = token.read_text()
    assert make_secrets([str(token), str(tmp_path / "other")]) == 0
    assert token.read_text() == before != (tmp_path / "other").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "token"]


def test_a_service_is_given_the_digest_of_a_token(tmp_path: Path) -> None:
    """The holder of the token is let in by whoever knows the digest alone; made again, both stay."""
    token, admitted = tmp_path / "callers" / "token", tmp_path / "admitted" / "tokens" / "searcher"
    for _ in range(2):
        assert make_secrets([f"{token}:{admitted}"]) == 0
        assert read_tokens("", str(admitted.parent)) == {digest_of(token.read_text()): "searcher"}
    assert token.read_text() not in admitted.read_text()
