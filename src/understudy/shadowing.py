"""What a user's attribute may replace, what it may not, and what it was probably meant to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from understudy.errors import ConfigError, NotAnActor

_ALIKE = 0.82
"""As onerror is like error; lookup and loop, postload and postloop are less alike."""

F = TypeVar("F", bound=Callable[..., Any])


def clash(owner: str, name: str) -> NoReturn:
    """Refuse an attribute that would hide what the runtime offers."""
    raise ConfigError(f"{owner}.{name} would hide Process.{name}, which the runtime offers; choose another name")


def refuse_near_misses(owner: str, body: Mapping[str, object], hooks: Sequence[str]) -> None:
    """Refuse a method whose special name is not quite that of a hook: nothing would ever call it."""
    for name, value in body.items():
        if not (name.startswith("__") and name.endswith("__") and name[2:-2] not in hooks):
            continue
        if not callable(value) and not isinstance(value, staticmethod | classmethod):
            continue
        near = get_close_matches(name.replace("_", "").lower(), hooks, 1, _ALIKE)
        if near and not hasattr(type, name):
            raise NotAnActor(f"{owner}.{name} is no hook, so nothing would call it; did you mean __{near[0]}__?")


class Verb:
    """A method that cannot be shadowed: assigning to it raises at that line."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self.function if instance is None else self.function.__get__(instance, owner)

    def __set__(self, instance: Any, value: object) -> None:
        clash(type(instance).__name__, self.name)


class Shadowable:
    """A property that a user's attribute of that name simply replaces; the runtime does not read it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            # A dataclass would take what it finds here for the default of a field of that name.
            raise AttributeError(f"{self.name} is an attribute of instances, not of the class")
        return self.function(instance)


if TYPE_CHECKING:

    def verb(function: F) -> F:
        """A method, for the type checker."""
        return function

    shadowable = property
else:
    verb, shadowable = Verb, Shadowable
