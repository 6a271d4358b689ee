"""Which system is meant, as the options have it; light, for every verb is read with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """``--system``, or ``--connect`` and ``--key``; without any it is what the environment says, or the only one."""

    system: str | None = None
    connect: str | None = None
    key: str | None = None
