"""Kinds that searches can name, and as fine as what decides a latency."""

from __future__ import annotations

import pytest

from services.profiler.device import kind_of
from services.profiler.host import nvidia
from services.profiler.local_device import LocalDevice
from services.searcher.metric import Metric


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (
            ("x86_64", "Intel(R) Xeon(R) Platinum 8480C CPU @ 2.00GHz", "8c"),
            "x86_64-Intel-Xeon-Platinum-8480C-8c",
        ),
        (("x86_64", "AMD EPYC 9V74 80-Core Processor", "16c"), "x86_64-AMD-EPYC-9V74-80-Core-16c"),
        (("aarch64", "Raspberry Pi 5 Model B Rev 1.0", "4c"), "aarch64-Raspberry-Pi-5-Model-B-Rev-1-0-4c"),
        (
            ("x86_64", "NVIDIA H100 80GB HBM3", "CUDAExecutionProvider"),
            "x86_64-NVIDIA-H100-80GB-HBM3-CUDAExecutionProvider",
        ),
        (("", "phone"), "phone"),
        (("Google", "Pixel 7"), "Google-Pixel-7"),
        (("", "…"), "unknown"),
        (("x" * 200,), "x" * 63),
    ],
)
def test_kinds_can_be_named_by_searches(parts, kind):
    assert kind_of(*parts) == kind
    assert Metric.parse(f"latency_ms[{kind}]").device == kind


def test_gpus_are_told_by_their_driver(tmp_path):
    assert nvidia(tmp_path / "nothing") == {}
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / "gpus" / slot).mkdir(parents=True)
        (tmp_path / "gpus" / slot / "information").write_text(
            "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 42\nGPU UUID: \t GPU-1\n"
        )
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n"
        "GCC version:  gcc version 12.3.0\n"
    )
    assert nvidia(tmp_path) == {"gpu": "NVIDIA H100 80GB HBM3", "gpu_driver": "535.129.03"}


def test_this_machine_has_a_kind():
    device = LocalDevice(device_id="local")
    assert Metric.parse(f"latency_ms[{device.identity.kind}]")
    assert device.fingerprint()
