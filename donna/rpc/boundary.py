"""Between the wire and the servicers: who may call, how many at once, threads for unary calls, errors as statuses.

Nothing of a request is read before its caller is let in and there is room for it: every method is served as one
whose requests stream, and the message of those that have one is taken here.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from donna.errors import DeadlineExceeded, DonnaError, Internal, InvalidArgument, Unavailable
from donna.jobs.store import as_unavailable
from donna.rpc.authentication import Gate
from donna.rpc.limits import MOST, Limit, kind_of
from donna.rpc.status import to_status

log = logging.getLogger("donna.rpc")

UNARY_THREADS = 16
MESSAGE_S = 60.0
"""How long a caller who was let in may take to send its one message."""
LASTING = ("watches", "agents")
"""Calls that last as long as their caller likes: nothing of them is worth a server's waiting when it stops."""

LetIn = Callable[[Any], None]
"""Raises unless the caller, with these properties of its connection, may make the call."""


class Boundary(grpc.aio.ServerInterceptor):
    """The innermost interceptor of a server. Health and reflection are let in without proof of who asks."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._pool = ThreadPoolExecutor(UNARY_THREADS, thread_name_prefix="rpc")
        self._limits = {kind: Limit(most, kind) for kind, most in MOST.items()}
        self._waiting: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        kind = kind_of(
            details.method,
            request_streaming=handler.request_streaming,
            response_streaming=handler.response_streaming,
        )
        let_in: LetIn = lambda connection: None  # noqa: E731
        if kind != "probes":
            let_in = functools.partial(self._gate.check, details.method, dict(details.invocation_metadata))
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                functools.partial(self._many, handler, kind, let_in),
                response_serializer=handler.response_serializer,
            )
        return grpc.stream_unary_rpc_method_handler(
            functools.partial(self._one, handler, kind, let_in),
            response_serializer=handler.response_serializer,
        )

    async def _one(self, handler: Any, kind: str, let_in: LetIn, requests: Any, context: Any) -> Message:
        async with _errors_as_statuses(context):
            let_in(context.auth_context())
            limit = self._limits[kind]
            if handler.request_streaming:
                with limit.held():
                    return await handler.stream_unary(_parsed_each(handler, requests), context)
            if inspect.iscoroutinefunction(handler.unary_unary):
                with limit.held():
                    return await handler.unary_unary(await _only(handler, context), context)
            limit.take()
            return await self._in_a_thread(handler, limit, context)

    async def _in_a_thread(self, handler: Any, limit: Limit, context: Any) -> Message:
        """The answer of a plain function. The place in `limit`, which is left here, is held until a thread has
        looked at the call: one whose caller has gone still waits, with its message, for its turn."""
        gone = threading.Event()
        try:
            message = await _only(handler, context)
            within = contextvars.copy_context()  # what traces a call goes with it into the thread
            done = self._pool.submit(within.run, _called, handler.unary_unary, message, context, gone)
        except BaseException:
            limit.leave()
            raise
        done.add_done_callback(lambda _: limit.leave())
        answer = asyncio.wrap_future(done)
        answer.add_done_callback(_seen)
        try:
            await asyncio.wait((answer,))  # which lets go of it without cancelling it
        except asyncio.CancelledError:
            gone.set()
            raise
        return answer.result()

    async def _many(
        self, handler: Any, kind: str, let_in: LetIn, requests: Any, context: Any
    ) -> AsyncIterator[Message]:
        async with _errors_as_statuses(context):
            let_in(context.auth_context())
            with self._limits[kind].held():
                if handler.request_streaming:
                    answers = handler.stream_stream(_parsed_each(handler, requests), context)
                else:
                    answers = handler.unary_stream(await _only(handler, context), context)
                if inspect.iscoroutine(answers):  # health's Watch, which writes by itself
                    await answers
                    return
                async with aclosing(answers):
                    async for answer in self._until_the_end(answers) if kind in LASTING else answers:
                        yield answer

    async def _until_the_end(self, answers: AsyncIterator[Message]) -> AsyncIterator[Message]:
        """The answers of a lasting call, which ends, UNAVAILABLE, when the server stops.

        It is interrupted only while it waits for the next answer: while one is written nobody would tell the caller.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - every call has one
        while not self._stopping:
            self._waiting.add(task)
            try:
                answer = await anext(answers)
            except StopAsyncIteration:
                return
            except asyncio.CancelledError:
                if not self._stopping:
                    raise
                break
            finally:
                self._waiting.discard(task)
            yield answer
        raise Unavailable("the service stops", reason="STOPPING")

    def stop_lasting(self) -> None:
        """Ends the calls that would never end by themselves."""
        self._stopping = True
        for task in self._waiting:
            task.cancel()

    def close(self) -> None:
        """No more calls."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _seen(answer: asyncio.Future[Any]) -> None:
    """An error that nobody waits for any more is no news for the log."""
    if not answer.cancelled():
        answer.exception()


def _called(method: Any, message: Any, context: Any, gone: threading.Event) -> Any:
    if gone.is_set():
        return None
    try:
        return method(message, context)
    except StopIteration as error:  # a future cannot carry it, and the call would never end
        raise RuntimeError("an iterator was empty") from error


async def _only(handler: Any, context: Any) -> Any:
    """The one message of a call."""
    try:
        async with asyncio.timeout(MESSAGE_S):
            request = await context.read()
    except TimeoutError:
        raise DeadlineExceeded(f"the request did not come within {MESSAGE_S:g} s") from None
    if request is grpc.aio.EOF:
        raise InvalidArgument("the call has no request", reason="MALFORMED_REQUEST")
    return _parsed(handler, request)


async def _parsed_each(handler: Any, requests: Any) -> AsyncIterator[Any]:
    async for request in requests:
        yield _parsed(handler, request)


def _parsed(handler: Any, request: bytes) -> Any:
    """Parsed in here, so that bytes which are no message are the caller's error."""
    try:
        return handler.request_deserializer(request)
    except DecodeError:
        raise InvalidArgument("the request is no message of this rpc", reason="MALFORMED_REQUEST") from None


@asynccontextmanager
async def _errors_as_statuses(context: Any) -> AsyncIterator[None]:
    try:
        yield
    except (grpc.aio.AbortError, grpc.aio.UsageError):
        raise
    except Exception as error:
        if (away := as_unavailable(error)) is not None:
            log.warning("a call failed: %s", away.message)
            error = away
        if not isinstance(error, DonnaError):
            log.error("a call failed by a defect", exc_info=error)
            error = Internal("the service failed by a defect; its log has the details")
        status = rpc_status.to_status(to_status(error))
        await context.abort(status.code, status.details, status.trailing_metadata)
