"""A contestant that leaves daemons behind."""

from __future__ import annotations

import os
import subprocess


def leave(count: int) -> float:
    """Each in a session of its own, without the environment by which it would be found, its parent gone."""
    for _ in range(count):
        command = ["sh", "-c", "env -i sleep 60 & "]
        subprocess.run(command, check=True, start_new_session=True, env={"PATH": os.environ["PATH"]})
    return 1.0
