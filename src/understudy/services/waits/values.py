"""What the waits have in common as values: a repr that reads as the constructor, and checks of their fields."""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import MISSING, fields
from numbers import Integral, Real

from understudy.errors import ConfigError
from understudy.settings import LONGEST, shown

USUAL = 30.0
"""Seconds after which a wait is given up that was given no timeout."""

_PATH = "a path, as text or as a pathlib.Path"


class Value:
    """Prints as the call that makes it: the first field bare, the others where they are not as usual."""

    def __repr__(self) -> str:
        first, *others = fields(self)  # type: ignore[arg-type]  # all of these are dataclasses
        told = [repr(getattr(self, first.name))]
        for one in others:
            value = getattr(self, one.name)
            if one.default is MISSING or value != one.default:
                told.append(f"{one.name}={value!r}")
        return f"{type(self).__name__}({', '.join(told)})"


def seconds(field: str, value: object) -> float | None:
    """The value as a time of more than no seconds, or None."""
    if value is None:
        return None
    number = math.nan
    if not isinstance(value, bool) and isinstance(value, Real):
        with contextlib.suppress(OverflowError):  # beyond all bounds, as what is no number
            number = float(value)
    if not 0 < number <= LONGEST:
        bounds = f"above 0 and at most {LONGEST}, or None (no bound of its own)"
        raise ConfigError(f"{field} must be a number of seconds, {bounds}; got {shown(value)}")
    return number


def whole(field: str, value: object, least: int, most: int) -> int:
    """The value as a whole number within these bounds."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
        raise ConfigError(f"{field} must be a whole number from {least} to {most}; got {shown(value)}")
    return int(value)


def text(field: str, value: object, wanted: str) -> str:
    """The value as a text with something in it."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{field} must be {wanted}; got {shown(value)}")
    return value


def path(field: str, value: object) -> str:
    """The value as a path."""
    told = value if isinstance(value, str) or not isinstance(value, os.PathLike) else os.fspath(value)
    checked = text(field, told, _PATH)
    if "\0" in checked:
        raise ConfigError(f"{field} must be {_PATH}, without a NUL in it; got {shown(value)}")
    return checked
