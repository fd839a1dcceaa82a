"""The spec of a run: a YAML file, checked key by key before anything starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError, model_validator

from donna.errors import InvalidArgument, NotFound, Violation
from donna.pipeline.sections import (
    Dataset,
    DistillationRecipe,
    Finetune,
    Improve,
    Predictor,
    Reference,
    Search,
    Section,
    Seed,
    Space,
)

MAX_SPEC_BYTES = 1 << 20


class Spec(Section):
    """A whole run."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """What the run is called."""
    seed: Seed = 0
    """Of everything that is drawn and has no seed of its own."""
    reference: Reference
    """The network to improve upon."""
    dataset: Dataset
    """The data."""
    space: Space
    """What may replace what."""
    distillation: DistillationRecipe
    """How blocks are trained."""
    predictor: Predictor
    """How accuracy is predicted."""
    search: Search = Search()
    """How the front is searched."""
    improve: Improve = Improve()
    """Rounds of improvement."""
    finetune: Finetune
    """What becomes of the winners."""

    @model_validator(mode="after")
    def _models_can_be_measured(self) -> Spec:
        fixed, measured = self.finetune.fixed_batch, self.search.measurement.batch_size
        if fixed not in (0, measured):
            raise ValueError(
                f"finetune.fixed_batch must be search.measurement.batch_size, {measured}, or 0, got {fixed}"
            )
        return self

    @property
    def search_seed(self) -> int:
        """The seed of the evolution: the search's own, or the run's."""
        return self.seed if self.search.seed is None else self.search.seed

    def resolved(self) -> dict[str, Any]:
        """The spec with every default written out, as plain JSON values."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """sha256 of the resolved spec: equal specs are the same run."""
        return hashlib.sha256(json.dumps(self.resolved(), sort_keys=True).encode()).hexdigest()


def read_spec(path: Path, overrides: Sequence[str] = ()) -> Spec:
    """The spec in a YAML file, with `section.key=value` overrides (values are YAML too).

    Raises NotFound or InvalidArgument naming the file or every wrong key.
    """
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise InvalidArgument.of(str(path), f"is larger than {MAX_SPEC_BYTES} bytes")
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from None
    raw = _load(text, str(path))
    if not isinstance(raw, dict):
        raise InvalidArgument.of(str(path), "must be a mapping of sections")
    for override in overrides:
        _apply(raw, override)
    return parse_spec(raw)


def parse_spec(raw: dict[str, Any]) -> Spec:
    """The spec from plain values. Raises InvalidArgument naming every wrong key."""
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        raise InvalidArgument.all_of(
            Violation(field=_path(problem["loc"]), description=_sentence(problem))
            for problem in error.errors()
        ) from None


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a small file must not become a large one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases are not allowed", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)


def _load(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader, made stricter
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        raise InvalidArgument.of(
            where, f"is not YAML{at}: {getattr(error, 'problem', None) or error}"
        ) from None


def _apply(raw: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise InvalidArgument.of("--set", f"must read like search.seed=1, got {override!r}")
    for key in keys[:-1]:
        raw = raw.setdefault(key, {})
        if not isinstance(raw, dict):
            raise InvalidArgument.of("--set", f"{key!r} in {override!r} is not a section")
    raw[keys[-1]] = _load(value, f"--set {path}")


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part[:1].isupper() and part not in ("str",):  # pydantic names the branches of a union
            text += f".{part}" if text else part
    return text or "spec"


def _sentence(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return "is not a key of this section"
    if problem["type"] == "missing":
        return "is missing"
    return f"{message[0].lower()}{message[1:]}, got {str(problem['input'])[:80]!r}"
