"""Finding the user's hooks, and running those that are `async def`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from understudy.process import Process
from understudy.runtime import Interruption

if TYPE_CHECKING:
    import asyncio

    from understudy.engine.workers import Workers


class Loop:
    """One asyncio loop for the whole incarnation, running only while an async hook runs."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers: Workers | None = None
        self._struck: Interruption | None = None
        """What struck amid a callback, which a loop only tells of."""

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it to its end; an interruption cancels all tasks and lets them clean up."""
        import asyncio  # the zygote has it if an actor of its ever had an async hook; the others do without

        if self._loop is None:
            from understudy.engine.workers import Workers

            self._loop = asyncio.new_event_loop()
            self._workers = Workers()
            self._loop.set_default_executor(self._workers)
            self._loop.set_exception_handler(self._on_trouble)
        self._struck = None
        task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(task)
        except (Interruption, RuntimeError) as error:
            ends = self._taken(error)
            if ends is None:
                raise
            self._loop.run_until_complete(_cancel_the_others())
            raise ends from None

    def _taken(self, error: BaseException) -> Interruption | None:
        struck, self._struck = self._struck, None
        return error if isinstance(error, Interruption) else struck

    def _on_trouble(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Interruption) and "handle" in context:
            self._struck = error
            loop.stop()
        else:
            loop.default_exception_handler(context)

    def rest(self) -> None:
        """It will run no more calls in threads: those that have nothing to do are not left running."""
        if self._workers is not None:
            self._workers.rest()

    def close(self) -> None:
        """End what is left of it."""
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


async def _cancel_the_others() -> None:
    import asyncio

    # None may be left: what was interrupted between two awaits has ended with it.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def hook(process: Process, section: str, loop: Loop) -> Callable[..., Any] | None:
    """The hook of a section as a plain callable, or None if the class has none."""
    name = f"__{section}__"
    # The class is asked, as Python does for such names: a user's __getattr__ may have an answer to everything.
    if not callable(getattr(type(process), name, None)):
        return None
    found: Callable[..., Any] = getattr(process, name)
    if inspect.iscoroutinefunction(found):
        return lambda *args: loop.run(found(*args))
    return found
