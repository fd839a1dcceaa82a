"""The state of a group of students in training as named tensors, and back: bit for bit, so that training that
was interrupted ends in the same weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from donna.errors import DataLoss
from donna.nets import optimizers
from donna.nets.weights import load_state
from services.distiller.student import Student

_STEP = "step"


def pack(students: Sequence[Student], step: int) -> dict[str, Tensor]:
    """Weights, buffers and optimiser states of all students after `step` steps."""
    state: dict[str, Tensor] = {_STEP: torch.tensor(step)}
    for student in students:
        state[f"{student.key}/seen"] = torch.tensor(True)  # also where there are no weights
        for name, tensor in student.module.state_dict().items():
            state[f"{student.key}/module/{name}"] = tensor
        if student.curve:
            points = [[float(at), value] for at, value in student.curve.items()]
            state[f"{student.key}/curve"] = torch.tensor(points, dtype=torch.float64)
        if student.failed:
            state[f"{student.key}/failed"] = torch.tensor(list(student.failed.encode()), dtype=torch.uint8)
        elif student.optimizer is not None:
            for name, tensor in optimizers.state(student.optimizer).items():
                state[f"{student.key}/optimizer/{name}"] = tensor
    return state


def share(keys: Iterable[str], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of a state concerns the students of these keys: a smaller group goes on from it as from its own."""
    wanted = {_STEP, *keys}
    return {name: tensor for name, tensor in state.items() if name.partition("/")[0] in wanted}


def unpack(students: Sequence[Student], state: Mapping[str, Tensor]) -> int:
    """Puts the state back into freshly enrolled students; returns the number of steps done, which is 0, and
    nothing is changed, when the state is not of all of these students (others may be in it).

    Raises DataLoss when the state is damaged.
    """
    by_student: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        key, slash, rest = name.partition("/")
        if slash:
            by_student.setdefault(key, {})[rest] = tensor
    if not state:
        return 0
    if _STEP not in state:
        raise DataLoss("the checkpoint does not say how many steps were done")
    if any(student.key not in by_student for student in students):
        return 0
    for student in students:
        _restore(student, by_student[student.key])
    return int(state[_STEP])


def _restore(student: Student, state: Mapping[str, Tensor]) -> None:
    load_state(student.module, _under("module/", state), "checkpoint")
    if "curve" in state:
        student.curve = {int(at): value for at, value in state["curve"].tolist()}
    if "failed" in state:
        student.failed = bytes(state["failed"].tolist()).decode()
        student.optimizer = None
    if student.optimizer is not None:
        optimizers.restore(student.optimizer, _under("optimizer/", state))


def _under(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}
