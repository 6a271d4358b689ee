"""Tasks on their way to a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.pool.frames import TASKS, Writer
from understudy.pool.staff import Hand
from understudy.pool.task import Task
from understudy.wire.sealing import Sealed

_BATCH = 1 << 20
"""Bytes of tasks in one message, unless one has more."""


def send(hand: Hand, tasks: Sequence[Task]) -> None:
    """Give them to a worker: first their claims, for what it has without one it takes for taken back."""
    hand.claims.put(task.number for task in tasks)
    writer, content = Writer(), list[Any]()
    for task in tasks:
        if content and writer.nbytes + task.nbytes > _BATCH:
            hand.send(writer.message(TASKS, content))
            writer, content = Writer(), []
        content.append(_words(writer, hand, task))
    hand.send(writer.message(TASKS, content))


def _words(writer: Writer, hand: Hand, task: Task) -> list[Any]:
    number, body = None, None
    function = task.function
    if function is not None:
        if function.is_gone:
            body = writer.body(function.sealed)
        elif (number := function.number) not in hand.functions:
            hand.functions.add(number)
            body = writer.body(function.sealed)
    elif task.whole is not None:
        body = writer.body(task.whole)
    arguments = task.arguments
    given = writer.body(arguments) if isinstance(arguments, Sealed) else writer.plain(arguments or b"")
    return [task.number, number, body, given, task.timeout, task.shape]
