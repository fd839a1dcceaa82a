"""Five services of one shape: the same files, every rpc implemented, every setting told."""

import importlib
import inspect

import pytest

from donna.jobs.work import Work
from donna.rpc.artifact_servicer import ArtifactServicer
from donna.rpc.hub import DeviceHub
from donna.settings import ServiceSettings
from tests.contract.import_rules import ROOT

SERVICES = ("distiller", "predictor", "searcher", "profiler", "finetuner")
FILES = ("__init__.py", "__main__.py", "settings.py", "servicer.py", "work.py", "README.md", "Dockerfile")


def test_there_are_five() -> None:
    assert sorted(path.parent.name for path in (ROOT / "services").glob("*/__init__.py")) == sorted(SERVICES)
    protos = {path.stem for path in (ROOT / "protos/donna/v1").glob("*.proto")}
    assert protos == {*SERVICES, "artifacts", "common", "hub"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_same_files_as_the_others(service: str) -> None:
    missing = [name for name in FILES if not (ROOT / "services" / service / name).is_file()]
    assert not missing, f"services/{service} lacks {missing}"


def servicer_class(service: str) -> type:
    if service == "Artifact":
        return ArtifactServicer
    if service == "DeviceHub":
        return DeviceHub
    module = importlib.import_module(f"services.{service.lower()}.servicer")
    return getattr(module, f"{service}Servicer")


@pytest.mark.parametrize("service", [*map(str.capitalize, SERVICES), "Artifact", "DeviceHub"])
def test_every_rpc_is_implemented_and_nothing_else_looks_like_one(service: str) -> None:
    stem = {"Artifact": "artifacts", "DeviceHub": "hub"}.get(service, service.lower())
    pb = importlib.import_module(f"donna.v1.{stem}_pb2")
    grpc_module = importlib.import_module(f"donna.v1.{stem}_pb2_grpc")
    name = f"{service}Service"
    base = getattr(grpc_module, f"{name}Servicer")
    found = servicer_class(service)
    assert issubclass(found, base)
    rpcs = pb.DESCRIPTOR.services_by_name[name].methods_by_name
    lacking = [rpc for rpc in rpcs if getattr(found, rpc) is getattr(base, rpc)]
    assert not lacking, f"{found.__name__} does not implement {lacking}"
    spelled_like_rpcs = {member for member in vars(found) if member[0].isupper()}
    assert spelled_like_rpcs <= set(rpcs), f"no proto knows {spelled_like_rpcs - set(rpcs)}"
    for rpc, method in rpcs.items():
        implementation = getattr(found, rpc)
        if method.server_streaming:
            answers = inspect.signature(implementation).return_annotation
            assert answers.startswith("AsyncIterator["), f"{rpc} must stream its answers"
        elif method.client_streaming:
            assert inspect.iscoroutinefunction(implementation), f"{rpc} must be a coroutine"
        else:
            assert not inspect.isasyncgenfunction(implementation), f"{rpc} answers once"


def settings_class(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    return getattr(module, f"{service.capitalize()}Settings")


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_is_described(service: str) -> None:
    found = settings_class(service)
    assert found.model_config["env_prefix"] == f"DONNA_{service.upper()}_"
    plain = [name for name, field in found.model_fields.items() if len(field.description or "") < 10]
    assert not plain, f"{found.__name__} does not describe {plain}"


@pytest.mark.parametrize("service", SERVICES)
def test_settings_can_be_read_from_nothing(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DONNA_DATA_ROOT", raising=False)
    settings_class(service)()


@pytest.mark.parametrize("service", SERVICES)
def test_the_work_is_what_the_engine_expects(service: str) -> None:
    module = importlib.import_module(f"services.{service}.work")
    works = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if member.__module__ == module.__name__ and hasattr(member, "kind") and hasattr(member, "run")
    ]
    assert len(works) == 1, works
    for method in ("tasks", "run", "result"):
        expected = list(inspect.signature(getattr(Work, method)).parameters)
        assert list(inspect.signature(getattr(works[0], method)).parameters) == expected, method
