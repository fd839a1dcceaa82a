"""What can go wrong, once, for every service and client.

    DonnaError
    ├── InvalidArgument      the request is wrong in itself; `violations` name the fields
    ├── FailedPrecondition   the request is right, the world is not (a bound that nothing meets)
    ├── NotFound             the named thing does not exist
    ├── AlreadyExists        the same request_id came with another request
    ├── PermissionDenied     the caller may not do this
    ├── Unauthenticated      the caller did not say who it is
    ├── ResourceExhausted    a limit was reached; `retry_after_s` says when to come back
    ├── Unavailable          a dependency is away; trying again may help
    ├── DeadlineExceeded     it took longer than allowed
    ├── Cancelled            somebody asked for it to stop
    ├── DataLoss             stored bytes are not the bytes that were stored
    └── Internal             a defect of ours

A message is one sentence with the value in it. `reason` is a stable UPPER_SNAKE word for programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One wrong field: `field` is its path in the request (`space.blocks[2].name`)."""

    field: str
    description: str


class DonnaError(Exception):
    """The root of the tree. `str(error)` is the sentence for a person."""

    default_reason = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        violations: Iterable[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s


class InvalidArgument(DonnaError):
    """The request is wrong in itself."""

    default_reason = "INVALID_ARGUMENT"

    @classmethod
    def of(cls, field: str, description: str) -> InvalidArgument:
        """The usual case: one field is wrong. The message is `field: description`."""
        return cls(f"{field}: {description}", violations=[Violation(field=field, description=description)])

    @classmethod
    def all_of(cls, violations: Iterable[Violation]) -> InvalidArgument:
        """Several fields are wrong; the message names every one of them."""
        found = tuple(violations)
        return cls("; ".join(f"{v.field}: {v.description}" for v in found), violations=found)


class Checks:
    """Collects what is wrong with a request, so that one answer names it all."""

    def __init__(self) -> None:
        self.wrong: list[Violation] = []

    def field(self, name: str, holds: bool, description: str) -> bool:
        """Notes `description` against the field unless the condition holds."""
        if not holds:
            self.wrong.append(Violation(field=name, description=description))
        return holds

    def done(self) -> None:
        """Raises InvalidArgument with what was noted, MOST_SHOWN at most: it has to fit into the trailer of a call."""
        if self.wrong:
            raise InvalidArgument.all_of(self.wrong[:MOST_SHOWN])


class FailedPrecondition(DonnaError):
    """The request is right in itself, but the state of the world does not allow it."""

    default_reason = "FAILED_PRECONDITION"


class NotFound(DonnaError):
    """The named thing does not exist."""

    default_reason = "NOT_FOUND"


class AlreadyExists(DonnaError):
    """The name or request_id is taken by something else."""

    default_reason = "ALREADY_EXISTS"


class PermissionDenied(DonnaError):
    """The caller is known and may not do this."""

    default_reason = "PERMISSION_DENIED"


class Unauthenticated(DonnaError):
    """The caller did not prove who it is."""

    default_reason = "UNAUTHENTICATED"


class ResourceExhausted(DonnaError):
    """A limit was reached; `retry_after_s` says when to come back."""

    default_reason = "RESOURCE_EXHAUSTED"


class Unavailable(DonnaError):
    """Something this depends on is away; the same call may succeed later."""

    default_reason = "UNAVAILABLE"


class DeadlineExceeded(DonnaError):
    """It took longer than it was allowed to."""

    default_reason = "DEADLINE_EXCEEDED"


class Cancelled(DonnaError):
    """Somebody asked for it to stop."""

    default_reason = "CANCELLED"


class DataLoss(DonnaError):
    """Stored bytes are not the bytes that were stored."""

    default_reason = "DATA_LOSS"


class Internal(DonnaError):
    """A defect of ours; the log has the details, the message does not."""

    default_reason = "INTERNAL"
