"""The actor that does a pool's tasks, one after the other, in its main thread."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from understudy import runtime
from understudy.engine.sections import Overrun
from understudy.engine.telling import Told
from understudy.errors import ProtocolError, SerializationError
from understudy.part import inside_of
from understudy.pool.channel import Claims, Stream, come_in
from understudy.pool.frames import DONE, FAILED, FORGET, LATE, READY, SPOILT, TASKS, Message, Writer, opened
from understudy.process import Process
from understudy.settings import shown
from understudy.wire import keys
from understudy.wire.sealing import PICKLED, Sealed, seal


class Pool(NamedTuple):
    """Where a worker finds its pool, and what that wants of each: plain values of its state."""

    path: str
    secret: bytes
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    most_tasks: int | None


class Worker(Process):
    """Does the tasks of one pool until that lets it go."""

    def __init__(self, pool: Pool, number: int) -> None:
        self.pool, self.number = pool, number
        self.bench: Bench | None = None

    def __loop__(self) -> None:
        if self.bench is None:
            try:
                stream, claims = come_in(self.pool.path, self.pool.secret, self.number)
            except (EOFError, OSError):  # it was shut down meanwhile
                self.stop()
                return
            self.bench = Bench(inside_of(self, "work"), stream, claims, self.pool)
            if not self.bench.open(self.pool):
                self.stop()
                return
        if not self.bench.work():
            self.stop()


class _Function:
    """A function, opened at its first use: what that raises is the error of the task."""

    __slots__ = ("_body", "_call", "_parts")

    def __init__(self, body: Any, parts: list[bytearray]) -> None:
        self._body, self._parts = body, parts
        self._call: Any = None

    def opened(self, key: bytes) -> Any:
        """The function itself."""
        if self._call is None:
            self._call = opened(self._body, self._parts, key)
            self._body, self._parts = None, []
        return self._call


class _Task(NamedTuple):
    """One task, as it came."""

    number: int
    function: _Function
    arguments: Any
    timeout: float | None
    by_rows: bool
    parts: list[bytearray]


class Bench:
    """The tasks that a worker holds, and how it does them."""

    def __init__(self, inside: runtime.Inside, stream: Stream, claims: Claims, pool: Pool) -> None:
        self._inside, self._stream, self._claims = inside, stream, claims
        self._key, self._left = pool.secret, pool.most_tasks
        self._queue: deque[_Task] = deque()
        self._claimed: int | None = None
        self._functions: dict[int, _Function] = {}

    def open(self, pool: Pool) -> bool:
        """Make ready for tasks; False where the pool is gone. What the initializer raises is told, and raised."""
        if pool.initializer is not None:
            try:
                pool.initializer(*pool.initargs)
            except BaseException as error:
                writer = Writer()
                self._says(writer.message(SPOILT, self._told(writer, error)))
                raise
        return self._says(Writer().message(READY, None))

    def work(self) -> bool:
        """Wait for tasks, and do those that come at once; False when there is to be no further one."""
        if not self._inside.wait_readable(self._stream.link.fileno()):
            return False
        try:
            said = self._stream.receive()
        except ConnectionResetError:  # the pool is gone, and has not read all that was said to it
            said = None
        if said is None:
            return False
        for message in said:
            self._take(message)
        while (task := self._next()) is not None:
            self._do(task)
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    return False
        return True

    def _take(self, message: Message) -> None:
        if message.kind == FORGET:
            for number in message.content:
                self._functions.pop(number, None)
            return
        if message.kind != TASKS:
            raise ProtocolError(f"{shown(message.kind)} is nothing that a pool says to a worker")
        for number, function, body, arguments, timeout, by_rows in message.content:
            if body is not None:
                what = _Function(body, message.parts)
                if function is not None:
                    self._functions[function] = what
            else:
                what = self._functions[function]
            self._queue.append(_Task(number, what, arguments, timeout, by_rows, message.parts))

    def _next(self) -> _Task | None:
        """The next task that is ours to do; what was taken back meanwhile is passed over."""
        while self._queue and not self._inside.stopping:
            if self._claimed is None:
                claimed = self._claims.take()
                if not claimed:
                    self._queue.clear()
                    return None
                self._claimed = claimed[0]
            task = self._queue.popleft()
            if task.number == self._claimed:
                self._claimed = None
                return task
        return None

    def _do(self, task: _Task) -> None:
        began = monotonic()
        rows: list[Any] = []
        try:
            value = self._call(task, rows)
            answer = DONE, value
        except Overrun:
            self._inside.limit(None)
            answer = LATE, None
        except runtime.Interruption:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome
            self._inside.limit(None)
            answer = FAILED, error
        self._tell(task, monotonic() - began, *answer, rows)

    def _call(self, task: _Task, rows: list[Any]) -> Any:
        function = task.function.opened(self._key)
        arguments = opened(task.arguments, task.parts, self._key)
        if task.by_rows:
            append = rows.append
            if task.timeout is not None:
                for row in zip(*arguments, strict=False):
                    append(self._timed(task.timeout, function, row, {}))
            elif inspect.iscoroutinefunction(function):
                for row in zip(*arguments, strict=False):
                    append(_finished(function(*row)))
            elif len(arguments) == 1:
                for one in arguments[0]:
                    append(function(one))
            else:
                for row in zip(*arguments, strict=False):
                    append(function(*row))
            return rows
        args, kwargs = arguments
        if task.timeout is not None:
            return self._timed(task.timeout, function, args, kwargs)
        value = function(*args, **kwargs)
        return _finished(value) if inspect.iscoroutine(value) else value

    def _timed(self, seconds: float, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        self._inside.limit(seconds)
        value = function(*args, **kwargs)
        if inspect.iscoroutine(value):
            value = _finished(value)
        self._inside.limit(None)
        return value

    def _tell(self, task: _Task, seconds: float, kind: str, outcome: Any, rows: list[Any]) -> None:
        """Of one task: its number, how long it took, and its value, or what its error was."""
        writer = Writer()
        try:
            content = [task.number, seconds, *self._words(writer, kind, outcome, rows)]
        except SerializationError as error:
            writer, kind = Writer(), FAILED
            content = [task.number, seconds, *self._words(writer, kind, error, [])]
        if not self._says(writer.message(kind, content)):
            self._queue.clear()

    def _says(self, buffers: list[Any]) -> bool:
        """False where the pool is gone: nobody wants to know."""
        try:
            self._stream.send(buffers)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _words(self, writer: Writer, kind: str, outcome: Any, rows: list[Any]) -> list[Any]:
        if kind == DONE:
            return [writer.body(seal(outcome, "the result", self._key))]
        done = writer.body(seal(rows, "the results", self._key)) if rows else None
        if kind == LATE:
            return [done]
        return [done, *self._told(writer, outcome)]

    def _told(self, writer: Writer, error: BaseException) -> list[Any]:
        told = Told(error)
        told.fill()
        body = writer.body(_as_pickle(told.frames, self._key)) if told.frames else None
        return [told.name, told.text, told.story, body]


def _as_pickle(frames: list[Any], key: bytes) -> Sealed:
    return Sealed(PICKLED, keys.tag(key, frames), frames, ())


def _finished(coroutine: Any) -> Any:
    """What an async function returns, by a loop of its own."""
    import asyncio

    return asyncio.run(coroutine)
