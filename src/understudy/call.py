"""Call: the message by which a method of an actor is called from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from understudy.errors import ProtocolError
from understudy.settings import shown

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
