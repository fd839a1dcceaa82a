"""Between the contract's messages and the service's own words."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from google.protobuf import timestamp_pb2

from donna.artifacts import check_sha256
from donna.errors import InvalidArgument
from donna.jobs import Job
from donna.rpc.messages import job_message
from donna.v1 import common_pb2
from donna.v1 import profiler_pb2 as pb
from services.profiler.measurement import MeasurementSettings, unpacked
from services.profiler.network import MAX_FRAGMENTS, Network

_FIGURES = {field.name for field in pb.MeasurementResult.DESCRIPTOR.fields}


def read_settings(message: common_pb2.MeasurementSettings) -> MeasurementSettings:
    """The settings of a request, defaults filled in. Raises InvalidArgument naming every wrong field."""
    told: dict[str, Any] = {}
    for field in fields(MeasurementSettings):
        value = getattr(message, field.name)
        if value:
            told[field.name] = value
    if "provider_options" in told:
        told["provider_options"] = dict(message.provider_options)
    if "affinity" in told:
        told["affinity"] = tuple(message.affinity)
    settings = MeasurementSettings(**told)
    settings.check()
    return settings


def settings_message(settings: MeasurementSettings) -> common_pb2.MeasurementSettings:
    """Settings on the wire."""
    return common_pb2.MeasurementSettings(**settings.to_json())


def read_network(message: pb.MeasuredNetwork) -> Network:
    """What a request wants measured. Raises InvalidArgument."""
    which = message.WhichOneof("network")
    if which == "model_sha256":
        return Network(model=check_sha256(message.model_sha256, "network.model_sha256"))
    if which != "fragments" or not message.fragments.sha256:
        raise InvalidArgument.of("network", "must be the hash of a model, or a list of fragments")
    hashes = message.fragments.sha256
    if len(hashes) > MAX_FRAGMENTS:
        raise InvalidArgument.of(
            "network.fragments", f"at most {MAX_FRAGMENTS} are stitched, got {len(hashes)}"
        )
    return Network(
        fragments=tuple(check_sha256(h, f"network.fragments.sha256[{i}]") for i, h in enumerate(hashes))
    )


def network_message(network: Network) -> pb.MeasuredNetwork:
    """A network on the wire."""
    if network.model:
        return pb.MeasuredNetwork(model_sha256=network.model)
    return pb.MeasuredNetwork(fragments=pb.FragmentList(sha256=network.fragments))


def measurement_message(job: Job, *, brief: bool = False, raw: bool = True) -> pb.Measurement:
    """A measurement on the wire; with figures once it has succeeded. A brief one leaves out what was asked, and the
    raw samples: on a slow line they would cost more than everything else. Without `raw` only they are left out."""
    spec = job.spec
    message = pb.Measurement(name=job.name, device=spec["device"], job=job_message(job))
    if not brief:
        message.network.CopyFrom(network_message(Network.from_json(spec["network"])))
        message.settings.CopyFrom(settings_message(MeasurementSettings.from_json(spec["settings"])))
    if job.result is not None:
        message.cached = job.result["cached"]
        message.result.CopyFrom(_result_message(job.result, raw=raw and not brief))
    return message


def _result_message(result: dict[str, Any], *, raw: bool) -> pb.MeasurementResult:
    told = {"steady_ms": result["median_ms"]}  # of before there was a canary beside the network
    told |= {name: value for name, value in result.items() if name in _FIGURES}
    told["samples_ms"] = unpacked(result["samples_ms"]) if raw else []
    told["layers"] = [pb.LayerLatency(**layer) for layer in result["layers"]]
    message = pb.MeasurementResult(**told)
    stamp = timestamp_pb2.Timestamp()
    stamp.FromNanoseconds(int(result["measured_at"] * 1e9))
    message.measure_time.CopyFrom(stamp)
    return message
