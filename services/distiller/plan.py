"""Which options are trained, and in which groups: few, since each costs its own passes of the reference, but as many
as there are workers, with about the same work for each, and no more in one than the memory budget holds."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from services.distiller.variants import Variant


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`groups` are trained one reference pass per batch each; `reused` are known already."""

    groups: tuple[tuple[Variant, ...], ...]
    reused: tuple[Variant, ...]
    memory_bytes: int

    @property
    def blocks_to_train(self) -> int:
        """Number of variants in all groups."""
        return sum(map(len, self.groups))


def make_plan(
    found: Sequence[Variant],
    known: Collection[str],
    *,
    budget_bytes: int,
    shared_bytes: int,
    reference_macs: int,
    batch_size: int,
    threads: int,
    workers: int,
) -> Plan:
    """Groups the variants whose key is not `known` for so many workers that train at the same time.

    `shared_bytes` is what a group needs whatever its variants: the reference and the feature maps of two batches, of
    whose images one costs `reference_macs`; up to `threads` steps are taken at once. As few groups as the budget
    allows are split where one has more than a worker's share of the work, but not so far that a part is not worth
    its own passes of the reference. The group with the most work is the first, so that it starts first.
    A group holds at least one variant, however small the budget; equal keys are trained once.
    """
    missing: dict[str, Variant] = {}
    for variant in found:
        if variant.key not in known:
            missing.setdefault(variant.key, variant)

    def need(group: Sequence[Variant]) -> int:
        return shared_bytes + _need(group, batch_size, threads)

    total = _work(missing.values())
    groups: list[list[Variant]] = []
    for together in _pack(missing.values(), lambda group: need(group) <= budget_bytes):
        work = _work(together)
        shares = math.ceil(workers * work / max(1, total))
        groups += _split(together, max(1, min(shares, work // max(1, reference_macs))))
    groups.sort(key=_work, reverse=True)
    return Plan(
        groups=tuple(tuple(sorted(group, key=lambda v: (v.n, v.m))) for group in groups),
        reused=tuple(variant for variant in found if variant.key in known),
        memory_bytes=max(map(need, groups), default=0),
    )


def _pack(variants: Iterable[Variant], fits: Callable[[Sequence[Variant]], bool]) -> list[list[Variant]]:
    """Few groups that fit into memory: those with large steps come together, since only the largest count."""
    groups: list[list[Variant]] = []
    for variant in sorted(variants, key=lambda variant: -variant.step_bytes):
        if not groups or not fits([*groups[-1], variant]):
            groups.append([])
        groups[-1].append(variant)
    return groups


def _split(group: Sequence[Variant], parts: int) -> list[list[Variant]]:
    """A group in at most so many parts, the largest variants dealt out first, each to the part with the least work
    (Graham 1969: the busiest has at most 4/3 of the least that is possible). Parts of what fits, fit."""
    heap: list[tuple[int, int, list[Variant]]] = [(0, number, []) for number in range(parts)]
    for variant in sorted(group, key=lambda variant: -variant.work_macs):
        work, number, part = heap[0]
        part.append(variant)
        heapq.heapreplace(heap, (work + variant.work_macs, number, part))
    return [part for _, _, part in heap if part]


def _work(group: Iterable[Variant]) -> int:
    return sum(variant.work_macs for variant in group)


def _need(group: Sequence[Variant], batch_size: int, threads: int) -> int:
    at_once = sorted((variant.step_bytes for variant in group), reverse=True)[:threads]
    stepping, writing = batch_size * sum(at_once), sum(variant.checkpoint_bytes for variant in group)
    return sum(variant.resident_bytes for variant in group) + max(stepping, writing)
