"""What a pool has promised and not kept yet, and how each task comes to its one outcome."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial

from understudy.pool import frames
from understudy.pool.callbacks import Callbacks
from understudy.pool.task import Placed, Task, late, opened_rows, raised, told


class Accounts:
    """The tasks of one pool; outcomes are noted first, and told amid nothing else, for futures call whom they like."""

    def __init__(self, name: str) -> None:
        self.callbacks = Callbacks(f"{name}-callbacks")
        self.numbers = itertools.count()
        """Of the next task."""
        self.unfinished: dict[int, Task] = {}
        self.counts = dict.fromkeys(("done", "failed", "retried", "lost"), 0)
        self.told: Callable[[], object] = lambda: None
        """Called when futures have been set; it must not raise."""
        self.is_cancelled = False
        """Whether nothing is begun any more, once more neither."""
        self._outcomes: deque[Callable[[], None]] = deque()

    @property
    def are_open(self) -> bool:
        """Whether anybody waits, or is to be told."""
        return bool(self.unfinished or self._outcomes)

    def enter(self, task: Task) -> None:
        """It is promised."""
        self.unfinished[task.number] = task

    def close(self, task: Task) -> None:
        """It is kept, or told by somebody else."""
        self.unfinished.pop(task.number, None)

    def fail(self, task: Task, error: BaseException) -> None:
        """Its outcome is that error."""
        self.counts["failed"] += 1
        self.close(task)
        self._outcomes.append(partial(task.fail, error))

    def cancel(self, task: Task) -> None:
        """Nobody does it: it is cancelled, or if a worker had begun it, nobody waits for it."""
        self.close(task)
        if task.is_begun:
            self._outcomes.append(partial(task.fail, CancelledError()))
        else:
            self._outcomes.append(task.cancel)

    def tries_again(self, task: Task) -> bool:
        """Whether it is begun once more; that is counted."""
        if self.is_cancelled or not task.may_try_again():
            return False
        self.counts["retried"] += 1
        return True

    def settle(self, task: Task, hand: Placed, message: frames.Message, key: bytes) -> bool:
        """Note what a worker said of it; False if it is to be begun once more."""
        kind, (_, _, *words) = message.kind, message.content
        if kind == frames.DONE:
            try:
                value = frames.opened(words[0], message.parts, key)
            except BaseException as trouble:  # noqa: BLE001 - a user's class may raise anything when it is opened
                error = told(task, hand.place, f"its result does not open here: {trouble!r}", may_have_run=True)
                error.__cause__ = trouble
                self.fail(task, error)
                return True
            self.counts["done"] += 1
            self.close(task)
            self._outcomes.append(partial(task.finish, value))
            return True
        if kind == frames.LATE and self.tries_again(task):
            return False
        if task.shape != frames.ONE:
            task.future.rows = opened_rows(words[0], message.parts, key)
        if kind == frames.LATE:
            self.fail(task, late(task, hand.place))
        else:
            self.fail(task, raised(task, hand.place, words[1:], message.parts, key))
        return True

    def tell(self) -> None:
        """Set the futures whose outcomes were noted."""
        if self._outcomes:
            while self._outcomes:
                self._outcomes.popleft()()
            self.told()
