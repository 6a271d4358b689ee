"""Keeps typer from importing its checker of types for what is text: it takes as long as all that `ps` imports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def spare(param: Any) -> None:
    """Let a parameter of a command be checked only if there is something to check.

    Of a typer that has no such door nothing changes but the time.
    """
    late = getattr(param, "get_runtime_param", None)
    if late is not None:
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        param.get_runtime_param = lambda: _Sparing(late, is_text=kind in {str, list[str]})


class _Sparing:
    """What a parameter's values go through."""

    def __init__(self, late: Callable[[], Any], *, is_text: bool) -> None:
        self._late, self._is_text = late, is_text

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, as the verb's function gets it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        return value if self._is_text else self._late().coerce(value, param=param, ctx=ctx)
