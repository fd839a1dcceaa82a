"""A real server on loopback with a small servicer, for as long as a `with` lasts."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from donna.jobs import Job, JobStore
from donna.rpc.messages import job_message
from donna.rpc.server import Endpoint, Server
from donna.rpc.watch import Watcher
from donna.v1 import profiler_pb2 as pb
from donna.v1 import profiler_pb2_grpc

NAME = pb.DESCRIPTOR.services_by_name["ProfilerService"].full_name


class Small(profiler_pb2_grpc.ProfilerServiceServicer):
    """GetDevice answers what `answer` returns or raises; ListDevices is asynchronous and does the same;
    WatchMeasurement watches a job, or streams two answers where there is no store."""

    def __init__(self, store: JobStore | None = None) -> None:
        self.answer: Callable[[Any], Any] = lambda request: None
        self.watcher = Watcher(store, _watched) if store is not None else None

    def GetDevice(self, request: pb.GetDeviceRequest, context: Any) -> pb.GetDeviceResponse:
        self.answer(request)
        return pb.GetDeviceResponse(device=pb.Device(name=request.name))

    async def ListDevices(self, request: pb.ListDevicesRequest, context: Any) -> pb.ListDevicesResponse:
        self.answer(request)
        return pb.ListDevicesResponse()

    async def WatchMeasurement(
        self, request: pb.WatchMeasurementRequest, context: Any
    ) -> AsyncIterator[pb.WatchMeasurementResponse]:
        if self.watcher is not None:
            async for response in self.watcher.watch(request.name):
                yield response
            return
        yield pb.WatchMeasurementResponse(measurement=pb.Measurement(name="first"))
        self.answer(request)
        yield pb.WatchMeasurementResponse(measurement=pb.Measurement(name="second"))


def _watched(job: Job) -> pb.WatchMeasurementResponse:
    return pb.WatchMeasurementResponse(measurement=pb.Measurement(name=job.name, job=job_message(job)))


def endpoint(servicer: Any) -> Endpoint:
    return Endpoint(add=profiler_pb2_grpc.add_ProfilerServiceServicer_to_server, servicer=servicer, name=NAME)


@contextmanager
def serving(*endpoints: Endpoint, healthy: Callable[[], bool] = lambda: True, **more: Any) -> Iterator[str]:
    """The address of a server that runs in a loop of its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    server = Server(endpoints, **{"listen": "127.0.0.1:0", "healthy": healthy, **more})
    try:
        yield wait(server.start())
    finally:
        wait(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
