"""Programs for tests."""

from __future__ import annotations

import sys
from typing import Any

from understudy import Exec

SLEEP = Exec(["sleep", "600"])


def script(code: str, *arguments: object, **options: Any) -> Exec:
    """A Python that runs this code; nothing of ours is in it."""
    return Exec([sys.executable, "-I", "-c", code, *map(str, arguments)], **options)


def shell(line: str, *arguments: object, **options: Any) -> Exec:
    """The same of `sh`; ``$1`` is the first argument."""
    return Exec(["sh", "-c", line, "sh", *map(str, arguments)], **options)
