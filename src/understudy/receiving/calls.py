"""Calls of an actor's methods from elsewhere: what is sent, and what `ActorRef.call` gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from understudy.errors import ProtocolError
from understudy.settings import shown

if TYPE_CHECKING:
    from collections.abc import Callable

_PARTS = 3


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """A message that asks for one method to be called; what the method returns is the reply."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def plain(self) -> list[Any]:
        """It as a list, for msgpack: ``[name, [*args], {**kwargs}]``."""
        return [self.name, list(self.args), self.kwargs]

    @classmethod
    def opened(cls, parts: object) -> Call:
        """The reverse, of whatever msgpack gave; ProtocolError for what is no call."""
        if isinstance(parts, list) and len(parts) == _PARTS:
            name, args, kwargs = parts
            named = isinstance(kwargs, dict) and all(isinstance(key, str) for key in kwargs)
            if isinstance(name, str) and isinstance(args, list) and named:
                return cls(name, tuple(args), kwargs)
        raise ProtocolError(f"{shown(parts)} is no call: it is name, arguments, and arguments by name")

    def __repr__(self) -> str:
        given = [*map(shown, self.args), *(f"{name}={shown(value)}" for name, value in self.kwargs.items())]
        return f"{self.name}({', '.join(given)})"


class Calls:
    """What `ActorRef.call` is at run time: each name is a function that asks for that method of the actor."""

    __slots__ = ("_ask", "_options")

    def __init__(self, ask: Callable[..., Any], options: dict[str, Any] | None = None) -> None:
        self._ask, self._options = ask, options or {}

    def __call__(self, *, timeout: float | None) -> Calls:
        """The same with another timeout, in seconds; None waits as long as it takes."""
        return Calls(self._ask, {**self._options, "timeout": timeout})

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # Neither what Python asks objects for, as to copy them, nor what no method may be named.
        if name.startswith("_"):
            raise AttributeError(f"{name} cannot be called from elsewhere: with an underscore it is the actor's own")
        ask, options = self._ask, self._options

        def call(*args: Any, **kwargs: Any) -> Any:
            return ask(Call(name, args, kwargs), **options)

        call.__name__ = call.__qualname__ = name
        return call

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"<calls by {getattr(self._ask, '__self__', self._ask)!r}{f' with {options}' if options else ''}>"
