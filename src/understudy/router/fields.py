"""What a request may hold: each field with its type as the protocol names it, and the check of its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from understudy.errors import ProtocolError, UnderstudyError
from understudy.globs import is_glob
from understudy.router.verbs import check_grace
from understudy.settings import shown

LONGEST_NAME = 1_024
MOST_NAMES = 1_000
MOST_GLOBS = 50
"""Among the names: each is made ready, and held against all actors."""
LONGEST_GLOBS = 1_024
"""Characters of all of them together: to make these ready takes the router 10 ms at the most."""
LONGEST_KEY = 64
"""Characters of an idempotency key, and of an unknown key that is told back."""
LONGEST_ID = 16 << 10
HEAD = frozenset({"v", "id", "verb", "request"})
"""Keys that a request may have whatever its verb."""
_REQUIRED = object()


class Refused(Exception):
    """A request is not met: the error that is told, why in one word, and the key that is wrong."""

    def __init__(self, error: UnderstudyError, reason: str, field: str | None = None) -> None:
        super().__init__(str(error))
        self.error, self.reason, self.field = error, reason, field


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a verb. ``check`` gives the value as it is to be used, or raises what it must be."""

    type: str
    check: Callable[[Any], Any]
    default: Any = _REQUIRED

    @property
    def required(self) -> bool:
        """Whether it may not be left out."""
        return self.default is _REQUIRED


def read(
    verb: str, declared: Mapping[str, Field], request: Mapping[str, Any], head: frozenset[str] = HEAD
) -> dict[str, Any]:
    """The verb's own values, each checked, those left out by their defaults; raises Refused, which names the key."""
    for key in request:
        if key not in declared and key not in head:
            known = f"; its own are {', '.join(declared)}" if declared else ""
            raise Refused(ProtocolError(f"{verb!r} knows no field {shown(key)}{known}"), "field", key[:LONGEST_KEY])
    values = {}
    for key, field in declared.items():
        if key in request:
            values[key] = _checked(key, field.check, request[key])
        elif field.required:
            raise Refused(ProtocolError(f"{verb!r} needs a field {key!r}: {field.type}"), "field", key)
        else:
            values[key] = field.default
    return values


def read_id(request: Mapping[str, Any]) -> Any:
    """What comes back with the reply; raises Refused."""
    return _checked("id", _id, request.get("id"))


def read_key(request: Mapping[str, Any]) -> str | None:
    """The idempotency key; raises Refused."""
    return _checked("request", _key, request["request"]) if "request" in request else None


def _checked(key: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except ProtocolError as error:
        raise Refused(ProtocolError(f"field {key!r} {error}"), "field", key) from None
    except UnderstudyError as error:
        raise Refused(error, "field", key) from None


def _id(value: Any) -> Any:
    if isinstance(value, int | float | None) or (isinstance(value, str | bytes) and len(value) <= LONGEST_ID):
        return value
    raise ProtocolError(f"comes back with the reply; it cannot be {shown(value)}")


def _key(value: Any) -> str:
    if isinstance(value, str) and 0 < len(value) <= LONGEST_KEY:
        return value
    raise ProtocolError(f"must be text of 1 to {LONGEST_KEY} characters, not {shown(value)}")


# --- checks


def a_name(value: Any) -> str:
    """The name of one actor."""
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ProtocolError(f"must be text of at most {LONGEST_NAME} characters, not {shown(value)}")
    return value


def names(value: Any) -> list[str]:
    """Whom a verb is for: a name, a glob, or several of these."""
    if not isinstance(value, list):
        return [a_name(value)]
    if len(value) > MOST_NAMES:
        raise ProtocolError(f"may hold {MOST_NAMES} names, not {len(value)}")
    wanted = [a_name(one) for one in value]
    globs = list(filter(is_glob, wanted))
    if len(globs) > MOST_GLOBS:
        raise ProtocolError(f"may hold {MOST_GLOBS} globs among its names, not more")
    if sum(map(len, globs)) > LONGEST_GLOBS:
        raise ProtocolError(f"may hold globs of {LONGEST_GLOBS:,} characters in all, not more")
    return wanted


def a_flag(value: Any) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise ProtocolError(f"must be a boolean, not {shown(value)}")
    return value


def a_number_from(least: int, most: int) -> Callable[[Any], int]:
    """A whole number within bounds."""

    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ProtocolError(f"must be an integer from {least} to {most}, not {shown(value)}")
        return value

    return check


NAME = Field("text", a_name)
NAMES = Field("text or array of text", names)
GRACE = Field("number or nil", check_grace, None)
