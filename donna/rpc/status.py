"""Errors on the wire: donna.errors <-> gRPC status with google.rpc details."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from donna import errors

DOMAIN = "donna"
# Bytes of the parts of a status.
MAX_MESSAGE = 800
MAX_VIOLATIONS = 2000
MAX_METADATA = 800

CODES: dict[type[errors.DonnaError], int] = {
    errors.InvalidArgument: code_pb2.INVALID_ARGUMENT,
    errors.FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.PermissionDenied: code_pb2.PERMISSION_DENIED,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    errors.Unavailable: code_pb2.UNAVAILABLE,
    errors.DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    errors.Cancelled: code_pb2.CANCELLED,
    errors.DataLoss: code_pb2.DATA_LOSS,
    errors.Internal: code_pb2.INTERNAL,
}
BROKEN = "CONNECTION_BROKEN"
"""Reason of an error that no server has told, but the connection, when it broke in the middle of a call."""
_BREAKS = (code_pb2.CANCELLED, code_pb2.INTERNAL, code_pb2.UNKNOWN)
_CLASSES = {code: error for error, code in CODES.items()}


def to_status(error: errors.DonnaError) -> status_pb2.Status:
    """The status of an error; a subclass has the code of its nearest ancestor in the tree.

    It fits into the trailing metadata of a call, of which gRPC allows 8 KiB with the message in it twice, once
    percent-encoded: long texts are cut, and of many violations the first are told.
    """
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), code_pb2.INTERNAL)
    metadata = dict(_fitting(((n, str(v)) for n, v in error.metadata.items()), MAX_METADATA))
    details = [_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))]
    if error.violations:
        told = _fitting(((v.field, v.description) for v in error.violations), MAX_VIOLATIONS)
        violations = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in told]
        details.append(_packed(error_details_pb2.BadRequest(field_violations=violations)))
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=code, message=_cut(error.message, MAX_MESSAGE), details=details)


def _fitting(pairs: Iterable[tuple[str, str]], size: int) -> Iterator[tuple[str, str]]:
    """The first pairs, each cut to a sensible length, that take at most `size` bytes together."""
    for pair in pairs:
        name, value = _cut(pair[0], 200), _cut(pair[1], 400)
        size -= len(name.encode()) + len(value.encode()) + 8
        if size < 0:
            return
        yield name, value


def _cut(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8."""
    data = text.encode("utf-8", "replace")
    if len(data) <= size:
        return data.decode()
    return data[: size - 3].decode("utf-8", "ignore") + "…"


def _packed(message: object) -> any_pb2.Any:
    wrapped = any_pb2.Any()
    wrapped.Pack(message)  # type: ignore[arg-type]
    return wrapped


def from_rpc_error(error: grpc.RpcError) -> errors.DonnaError:
    """The error that the server raised, as the same class; transport failures are Unavailable and the like."""
    code: int = error.code().value[0]
    message = error.details() or error.code().name
    reason, metadata, violations, retry = "", {}, [], None
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # details of somebody in between, which do not belong to this status
        status = None
    for detail in status.details if status is not None else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(detail.value)
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            found = error_details_pb2.BadRequest.FromString(detail.value).field_violations
            violations = [errors.Violation(field=v.field, description=v.description) for v in found]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo.FromString(detail.value).retry_delay
            retry = delay.ToMilliseconds() / 1000
    if not reason and code in _BREAKS:
        reason = BROKEN
    kind = _CLASSES.get(code, errors.Internal)
    return kind(message, reason=reason, violations=violations, metadata=metadata, retry_after_s=retry)
