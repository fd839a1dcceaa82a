"""Uploads that are cut at the worst moment, and networks that are larger together than one model may be."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from donna.errors import FailedPrecondition
from donna.graphs import Limits, strip
from donna.v1 import common_pb2
from donna.v1 import profiler_pb2 as pb
from services.profiler.models import ModelStore
from services.profiler.network import Network
from services.profiler.servicer import ProfilerServicer
from tests.unit.graphs import fragments as make
from tests.unit.profiler.test_models import model, put, sha


@pytest.mark.parametrize("step", ["_open", "_admit"])
def test_an_upload_that_is_cut_in_the_middle_of_a_step_is_in_nobodys_way(tmp_path, monkeypatch, step):
    store, data = ModelStore(tmp_path, quota_bytes=1 << 20), model(0)
    begun, go_on = threading.Event(), threading.Event()
    real = getattr(store, step)

    def slow(*arguments):
        begun.set()
        assert go_on.wait(20)
        return real(*arguments)

    monkeypatch.setattr(store, step, slow)
    servicer = ProfilerServicer(SimpleNamespace(store=None), None, None, None, store, None)

    async def chunks():
        chunk = common_pb2.Chunk(sha256=sha(data), total_bytes=len(data), data=data)
        yield pb.UploadModelRequest(chunk=chunk)

    async def cut():
        upload = asyncio.create_task(servicer.UploadModel(chunks(), None))
        await asyncio.to_thread(begun.wait, 20)
        upload.cancel()
        await asyncio.sleep(0.05)
        go_on.set()
        with suppress(asyncio.CancelledError):
            await upload

    asyncio.run(cut())
    assert put(store, data) == len(data)


def test_fragments_are_bounded_together(tmp_path):
    bare = strip(make.conv(4, 4, 8))
    bare.graph.initializer[0].dims[:] = [64, 64, 3, 3]  # 147,456 bytes when it is filled
    store = ModelStore(tmp_path, quota_bytes=1 << 20, limits=Limits(size_bytes=400_000))
    data = bare.SerializeToString()
    put(store, data)
    with pytest.raises(FailedPrecondition, match="have more than 400000 bytes with their weights") as caught:
        Network(fragments=(sha(data),) * 3).load(store)
    assert caught.value.reason == "INVALID_MODEL"
