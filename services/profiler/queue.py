"""Who may measure next: one exclusive lease per device, priorities, expiry. Pure; times in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, eq=False)
class Ticket:
    """A place in the queue; larger `priority` goes first."""

    priority: int


class DeviceQueue:
    """Waiting tickets and the one that holds the lease.

    Among tickets of one priority the next is drawn by `draw(n)` (a number in 0..n-1): in a random order, a
    device that slows down or warms up hits all candidates alike instead of the last ones.
    """

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw
        self._waiting: list[Ticket] = []
        self._next: Ticket | None = None
        self._holder: Ticket | None = None
        self._until = 0.0

    def __len__(self) -> int:
        """Tickets that wait."""
        return len(self._waiting)

    def enter(self, priority: int) -> Ticket:
        """A new ticket at its place."""
        ticket = Ticket(priority=priority)
        self._waiting.append(ticket)
        if self._next is not None and priority > self._next.priority:
            self._next = None
        return ticket

    def take(self, ticket: Ticket, now: float, lease_s: float) -> bool:
        """Gives `ticket` the lease for `lease_s` seconds if it is free (or has expired) and it is its turn."""
        if self._holder is not None and now < self._until:
            return False
        if self._next is None:
            best = max(waiting.priority for waiting in self._waiting)
            candidates = [waiting for waiting in self._waiting if waiting.priority == best]
            self._next = candidates[self._draw(len(candidates))]
        if self._next is not ticket:
            return False
        self._waiting.remove(ticket)
        self._next = None
        self._holder, self._until = ticket, now + lease_s
        return True

    def holds(self, ticket: Ticket, now: float) -> bool:
        """Whether `ticket` has the lease and may go on."""
        return self._holder is ticket and now < self._until

    def leave(self, ticket: Ticket) -> None:
        """Gives the lease back, or gives up waiting. Leaving twice is fine."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        if self._next is ticket:
            self._next = None
        if self._holder is ticket:
            self._holder = None
