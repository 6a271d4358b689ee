"""Figures as people read them; what is not known is a dash."""

from __future__ import annotations

UNKNOWN = "-"
_SECONDS, _MINUTE, _HOUR, _DAY = 10, 60, 3600, 86_400
_GIB = 1024


def span(seconds: float | None) -> str:
    """A length of time: `3.2 s`, `42 s`, `4:05`, `2:03:04`, `3 d 04:05`."""
    if seconds is None:
        return UNKNOWN
    if seconds < _SECONDS:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // 60}:{whole % 60:02}"
    if whole < _DAY:
        return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
    return f"{whole // _DAY} d {whole % _DAY // 3600:02}:{whole % 3600 // 60:02}"


def brief(seconds: float | None) -> str:
    """The length of a lap or a pause, with three digits that count."""
    if seconds is None:
        return UNKNOWN
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def mib(size: float | None) -> str:
    """Memory, given in MiB."""
    if size is None:
        return UNKNOWN
    return f"{size / _GIB:.2f} GiB" if size >= _GIB else f"{size:.1f} MiB"


def percent(share: float | None) -> str:
    """A share in percent."""
    return UNKNOWN if share is None else f"{share:.0f} %"


def number(count: float | None) -> str:
    """A count."""
    return UNKNOWN if count is None else f"{count:,}"


def first_line(text: str | None) -> str:
    """What fits a table: the first line, nothing in it that would steer a terminal."""
    return shown((text or "").split("\n", 1)[0])


def shown(text: str) -> str:
    """The text with what would steer a terminal made visible; lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode() for each in text
    )
