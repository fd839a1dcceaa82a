"""The devices of a spec: which one a latency without a device means, and whether there is each that is named. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from donna.client.devices import choose, names
from donna.errors import InvalidArgument, NotFound, Unavailable
from donna.pipeline.sections import LATENCY
from donna.pipeline.spec import Spec
from donna.v1.searcher_pb2 import SearchDevice

LOCAL = "local"


def name_devices(spec: Spec, known: Sequence[SearchDevice], default: str) -> Spec:
    """The spec with a device for every latency, the default where none is written. Raises InvalidArgument naming the
    place."""
    named = {}
    for group in ("objectives", "bounds"):
        items = list(getattr(spec.search, group))
        for index, item in enumerate(items):
            if item.metric != LATENCY:
                continue
            place = f"search.{group}[{index}]"
            device = item.device or default
            if not device:
                listed = ", ".join(names(known)) or "none"
                raise InvalidArgument.of(f"{place}.device", f"must name one of several devices: {listed}")
            _check_known(device, known, place)
            items[index] = item.model_copy(update={"device": device})
        named[group] = tuple(items)
    for index, objective in enumerate(named["objectives"]):
        if objective in named["objectives"][:index]:
            told = objective.metric + (f" on {objective.device}" if objective.device else "")
            raise InvalidArgument.of(f"search.objectives[{index}]", f"{told} is there twice")
    return spec.model_copy(update={"search": spec.search.model_copy(update=named)})


def default_device(known: Sequence[SearchDevice]) -> str:
    """What a latency without a device means: the only device, this machine ("local") if that is one of several, or the
    kind that they all are of; "" when that cannot be said."""
    own = [device.name for device in known]
    if len(own) == 1 or LOCAL in own:
        return LOCAL if LOCAL in own else own[0]
    kinds = {device.kind for device in known}
    return kinds.pop() if len(kinds) == 1 else ""


def measured_on(spec: Spec, default: str) -> list[str]:
    """The devices that the search of a spec looks at, or else the default one: what models are measured on."""
    named = list(dict.fromkeys(item.device for item in spec.search.latencies))
    return named or ([default] if default else [])


def away(devices: Sequence[str], known: Sequence[SearchDevice]) -> list[str]:
    """A sentence for each of the devices that does not answer now."""
    told = []
    for name in devices:
        try:
            choose(name, known)
        except Unavailable as error:
            told.append(error.message)
    return told


def _check_known(name: str, known: Sequence[SearchDevice], place: str) -> None:
    try:
        choose(name, known)
    except Unavailable:
        pass  # it is known, and may be back when it is needed
    except NotFound:
        listed = ", ".join(names(known)) or "none"
        raise InvalidArgument.of(f"{place}.device", f"{name!r} is no device; known are {listed}") from None
