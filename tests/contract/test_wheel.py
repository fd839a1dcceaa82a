"""The wheel: whole, and its SDK and command run with the base dependencies alone."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from donna.local import services

ROOT = Path(__file__).parents[2]

# Runs in a fresh interpreter, in which nothing is installed beside the base dependencies.
GUARDED = """
import sys
denied = set({denied!r})

class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in denied:
            raise ModuleNotFoundError(f"{{name}} is no base dependency", name=name)

sys.meta_path.insert(0, Guard())
sys.path.insert(0, {wheel!r})
import donna
assert donna.__file__.startswith({wheel!r}), donna.__file__
{code}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    kept = ["donna", "services", "pyproject.toml", "*.md", "LICENSE"]
    list_files = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *kept]
    listed = subprocess.run(list_files, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs the git checkout")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            copy = source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("donna-*.whl")
    return found


def other_modules(unpacked: Path, extra: str) -> set[str]:
    """Top-level modules of what is installed here and is no dependency of the wheel, or of its `extra`, nor one of
    theirs."""
    (own,) = map(metadata.PathDistribution, unpacked.glob("donna-*.dist-info"))

    def of(extra: str) -> list[str]:
        marks = (f'extra == "{extra}"', f"extra == '{extra}'") if extra else ("",)
        return [r for r in own.requires or [] if r.partition(";")[2].strip() in marks]

    seen: set[str] = set()
    todo = [*of(""), *(of(extra) if extra else ())]
    while todo:
        requirement = todo.pop()
        if inner := re.match(r"donna\[([\w,]+)\]", requirement):
            todo += [r for named in inner[1].split(",") for r in of(named)]
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        if key(name) in seen:
            continue
        try:
            more = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform
        seen.add(key(name))
        todo += [r for r in more if "extra ==" not in r]
    tops = metadata.packages_distributions()
    found = {top for top, owners in tops.items() if not {key(owner) for owner in owners} & seen}
    return found - {"donna", "services", "google"} - set(sys.stdlib_module_names)


def key(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_everything_that_runs_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    parts = {f"donna/report/parts/{path.name}" for path in (ROOT / "donna/report/parts").iterdir()}
    assert parts <= names
    assert {"donna/py.typed", "donna/v1/searcher_pb2.py", "services/profiler/__main__.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "docs/"))]
    assert [name for name in names if name.endswith("LICENSE")]


@pytest.fixture(scope="module")
def unpacked(wheel: Path) -> Path:
    folder = wheel.with_name("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run_guarded(unpacked: Path, code: str, extra: str = "") -> subprocess.CompletedProcess[str]:
    program = GUARDED.format(denied=sorted(other_modules(unpacked, extra)), wheel=str(unpacked), code=code)
    return subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd=unpacked)


CODE = """
import contextlib, donna.client, donna.local, donna.pipeline.run, donna.report, donna.cli
donna.client.Client(donna.client.Endpoints()).close()
for words in (["--version"], ["search", "--help"]):
    sys.argv = ["donna", *words]
    with contextlib.suppress(SystemExit):
        donna.cli.main()
"""


def test_sdk_and_command_need_the_base_dependencies_only(unpacked: Path) -> None:
    done = run_guarded(unpacked, CODE)
    assert done.returncode == 0, done.stderr
    assert "donna 0." in done.stdout and "--check" in done.stdout


AGENT = """
import tempfile
from pathlib import Path
from importlib.metadata import EntryPoint
from donna.service import open_stores
from services.profiler.settings import ProfilerSettings
import services.profiler.nursery
program = EntryPoint("donna-profiler", "services.profiler.__main__:main", "console_scripts").load()
settings = ProfilerSettings(state=Path(tempfile.mkdtemp()))
build = sys.modules[program.__module__].build
print(*(endpoint.name for endpoint in build(settings, *open_stores(settings, "profiler")).endpoints))
"""


def test_an_agent_needs_its_own_extra_only(wheel: Path, unpacked: Path) -> None:
    done = run_guarded(unpacked, AGENT, extra="profiler")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["donna.v1.ProfilerService"]
    scripts = next(n for n in zipfile.ZipFile(wheel).namelist() if n.endswith("entry_points.txt"))
    assert "donna-profiler = services.profiler.__main__:main" in zipfile.ZipFile(wheel).read(scripts).decode()


def test_the_guard_bites(unpacked: Path) -> None:
    assert "onnx is no base dependency" in run_guarded(unpacked, "import onnx").stderr


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The python of an empty environment into which the wheel was installed as a user would."""
    venv = wheel.with_name("venv")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    done = subprocess.run([*install, str(wheel)], capture_output=True, text=True)
    if done.returncode:
        reached = "No matching distribution" not in done.stderr and "connection" not in done.stderr.lower()
        assert not reached, done.stderr
        pytest.skip("no package index can be reached")
    return python


MODELS = """
import sys
from donna.client import Client, Endpoints
from donna.errors import NotFound
with Client(Endpoints(predictor=sys.argv[1])) as client:
    print(len(list(client.list("predictors"))))
    try:
        client.get("predictors/none")
    except NotFound as error:
        print(error.message)
"""


@pytest.mark.slow
def test_the_sdk_runs_in_an_environment_of_its_own(installed: Path, tmp_path: Path) -> None:
    listed = subprocess.run([str(installed), "-m", "pip", "list"], capture_output=True, text=True, check=True)
    packages = {key(line.split()[0]) for line in listed.stdout.splitlines()[2:]}
    assert "donna" in packages and not packages & {
        "torch",
        "sqlalchemy",
        "onnx",
        "onnxruntime",
        "pymoo",
        "scipy",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(installed), "-I", *words], capture_output=True, text=True, cwd=tmp_path)

    with services(tmp_path / "state", only=["predictor"]) as client:
        address = client.endpoints.predictor
        done = run("-c", MODELS, address)
        assert done.stdout.splitlines() == ["0", "predictors/none does not exist"], done.stderr
        asked = run("-m", "donna.cli", "status", "--endpoint", f"predictor={address}", "--json")
        assert '"SERVING"' in asked.stdout, asked.stderr
    alone = run("-m", "donna.cli", "plan", str(ROOT / "examples" / "digits.yaml"))
    assert alone.returncode == 2 and "donna[local]" in alone.stderr, alone.stderr
