"""The threads that an actor's loop has for calls that block, as those of `asyncio.to_thread`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Workers(ThreadPoolExecutor):
    """The loop's own executor, which knows whether it has anything to do."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="asyncio")
        self._open: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As that of any executor."""
        future = super().submit(fn, *args, **kwargs)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    def rest(self) -> None:
        """Take no more; threads without work have ended when this returns, others end with their work."""
        self.shutdown(wait=not self._open)
