"""What `ActorRef.call` gives: an actor's methods, as functions that ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from understudy.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable


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
