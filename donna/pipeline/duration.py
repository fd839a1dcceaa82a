"""A time as a person says it."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """12 s, 3 min, 5 h 20 min; below ten seconds two digits; ? for what is not known."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"
