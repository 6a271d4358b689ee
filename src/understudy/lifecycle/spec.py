"""What is to be run: the serialized original, opaque here, and the settings that decide over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.config import ProcessConfig
from understudy.lifecycle.programs import Program


@dataclass(frozen=True, slots=True)
class Spec:
    """One spawn, as it was asked for; every life begins from it.

    ``label`` is the stem of a generated name, ``hooks`` the hooks that the class defines, ``blob`` the pickled object;
    ``place`` holds the directory, environment and paths of the parent at the time of spawn, ``levels`` how its loggers
    were set, ``terminal`` is the path of the one that it reads, if it reads one.
    """

    label: str
    command: str
    blob: bytes = field(repr=False)
    place: bytes = field(repr=False)
    levels: bytes = field(repr=False)
    config: ProcessConfig
    hooks: frozenset[str] = frozenset()
    host: str = "process"
    terminal: str | None = None
    modules: tuple[str, ...] = ()
    """What its process will need at once; the zygote keeps it warm."""
    takes: str = "perhaps"
    """Messages: ``always`` with handlers, ``never`` where nothing could wait for one, ``program``, else ``perhaps``."""
    program: Program | None = None
    """Of a program, which ``blob`` says how to begin."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """What was configured since the spawn, by dotted paths: it stands in ``config``, and goes to each life beside the
    original."""
