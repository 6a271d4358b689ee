"""Finding the user's hooks, and running those that are `async def`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from understudy.engine.sections import Interruption
from understudy.process import Process


class Loop:
    """One asyncio loop for the whole incarnation, running only while an async hook runs."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it to its end; an interruption cancels all tasks and lets them clean up."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(task)
        except Interruption:
            tasks = asyncio.all_tasks(self._loop)
            for one in tasks:
                one.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            raise

    def close(self) -> None:
        """End what is left of it."""
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


def hook(process: Process, section: str, loop: Loop) -> Callable[..., Any] | None:
    """The hook of a section as a plain callable, or None if the class has none."""
    found: Callable[..., Any] | None = getattr(process, f"__{section}__", None)
    if found is None:
        return None
    if inspect.iscoroutinefunction(found):
        return lambda *args: loop.run(found(*args))
    return found
