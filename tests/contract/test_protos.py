"""The contract itself: linted, commented, and what was generated from it is what it says now."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.contract.import_rules import ROOT

PROTOS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "protos/donna/v1").glob("*.proto"))
# What code or configuration lists: it does not grow with use.
A_HANDFUL = ("ListProviders", "ListSearchDevices")


def buf() -> str:
    found = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if found is None:
        pytest.skip("needs buf (pip install buf-bin)")
    return found


def test_buf_finds_nothing_to_complain_about() -> None:
    said = subprocess.run([buf(), "lint", "protos"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_buf_would_complain(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    common = tmp_path / "protos/donna/v1/common.proto"
    common.write_text(common.read_text() + "\nmessage Uncommented {\n  string camelCase = 1;\n}\n")
    said = subprocess.run(
        [buf(), "lint", "protos"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert said.returncode != 0
    assert "Uncommented" in said.stdout
    assert "camel_case" in said.stdout


def breaking(folder: Path) -> subprocess.CompletedProcess[str]:
    against = str(ROOT / "protos" / "released.binpb")
    command = [buf(), "breaking", "protos", "--against", against]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_clients_of_the_last_release_go_on_working() -> None:
    said = breaking(ROOT)
    assert (said.returncode, said.stdout + said.stderr) == (0, ""), "docs/versioning.md says what may change"


def test_a_field_that_is_gone_would_be_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    common = tmp_path / "protos/donna/v1/common.proto"
    common.write_text(common.read_text().replace("string sha256 = 2;", "string digest = 2;"))
    said = breaking(tmp_path)
    assert said.returncode != 0 and "sha256" in said.stdout


def test_what_is_generated_is_what_the_contract_says(tmp_path: Path) -> None:
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", "protos", *outputs, *PROTOS],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    made = {path.name: path.read_text() for path in (tmp_path / "donna/v1").iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "donna/v1").glob("*_pb2*.py*")}
    assert set(kept) == set(made)
    stale = [name for name in made if made[name] != kept[name]]
    assert not stale, f"run `make protos`: {stale} are not what protos/ says now"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptor]:
    """The descriptors of all files of ours, from the files themselves."""
    out = tmp_path_factory.mktemp("descriptors") / "all.bin"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I", "protos", "--include_imports"),
            *(f"--descriptor_set_out={out}", *PROTOS),
        ],
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    pool = descriptor_pool.DescriptorPool()
    described = FileDescriptorSet.FromString(out.read_bytes()).file
    for file in described:
        pool.Add(file)  # type: ignore[attr-defined]
    return [pool.FindFileByName(file.name) for file in described if file.package == "donna.v1"]


def test_one_package_and_one_service_per_file(files: list[FileDescriptor]) -> None:
    services = {file.name: list(file.services_by_name) for file in files}
    assert services.pop("donna/v1/common.proto") == []
    assert services.pop("donna/v1/hub.proto") == ["DeviceHubService"]
    assert services == {
        f"donna/v1/{name}.proto": [f"{name.removesuffix('s').capitalize()}Service"]
        for name in ("artifacts", "distiller", "predictor", "searcher", "profiler", "finetuner")
    }


def test_whatever_creates_a_job_is_idempotent_and_can_be_seen_through(files: list[FileDescriptor]) -> None:
    for service in (service for file in files for service in file.services_by_name.values()):
        rpcs = service.methods_by_name
        for name in rpcs:
            if not name.startswith("Create"):
                continue
            resource = name.removeprefix("Create")
            plural = resource[:-1] + "ies" if resource.endswith("y") else resource + "s"
            plurals = {plural, resource + "es"}
            assert {f"{verb}{resource}" for verb in ("Get", "Delete", "Cancel", "Watch")} <= set(rpcs), (
                resource
            )
            assert plurals & {rpc.removeprefix("List") for rpc in rpcs}, resource
            assert {"request_id", "validate_only"} <= set(rpcs[name].input_type.fields_by_name), name
            assert rpcs[f"Watch{resource}"].server_streaming


def test_every_list_is_paged(files: list[FileDescriptor]) -> None:
    for service in (service for file in files for service in file.services_by_name.values()):
        for name, rpc in service.methods_by_name.items():
            if name.startswith("List") and name not in A_HANDFUL:
                assert {"page_size", "page_token"} <= set(rpc.input_type.fields_by_name), name
                assert "next_page_token" in rpc.output_type.fields_by_name, name


def test_raw_bytes_are_chunks_of_files_and_packed_numbers_never_weights(files: list[FileDescriptor]) -> None:
    raw = {
        f"{message.name}.{field.name}"
        for file in files
        for message in file.message_types_by_name.values()
        for field in message.fields
        if field.type == FieldDescriptor.TYPE_BYTES
    }
    packed = {
        "ArchitectureMatrix": ("choices",),
        "PredictResponse": ("accuracies", "lows", "highs", "extrapolated"),
        "PredictorTables": ("cross",),
        "PredictorBlockTables": ("unary", "inputs", "extrapolated"),
    }
    assert raw == {"Chunk.data", "ConnectionData.data"} | {
        f"{message}.{name}" for message, names in packed.items() for name in names
    }
