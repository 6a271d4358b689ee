"""A bar on the terminal that says how far a pool is; where there is no terminal, nothing."""

from __future__ import annotations

import sys
from typing import Any


class Bar:
    """One bar, begun with the first task that is done."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._progress: Any = None
        self._task: Any = None

    def show(self, done: int, total: int) -> None:
        """So many of so many tasks are done."""
        if sys.stderr is None or not sys.stderr.isatty():
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True))
            self._task = self._progress.add_task(self._name, total=total)
            self._progress.start()
        self._progress.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Leave it as it stands."""
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()
