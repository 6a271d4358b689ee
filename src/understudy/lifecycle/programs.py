"""What is different of an actor that is a program: it hears and says nothing, and its exit code is its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.lifecycle.actor import Actor
    from understudy.lifecycle.events import Died

BY_SIGTERM = -15
"""The result of one that a stop's SIGTERM has ended, as `subprocess` has it."""


@dataclass(frozen=True, slots=True)
class Program:
    """That a spec is of a program, and by which exit codes that finishes."""

    ok_codes: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class ExitCode:
    """The result of a program: there is nothing in it to be opened, nor to be kept for long."""

    code: int
    bytes: int = 0

    def open(self) -> int:
        """The exit code."""
        return self.code


def result_of(actor: Actor, death: Died) -> ExitCode | None:
    """What a program came to; None where it failed, was ended by SIGKILL, or nobody can say.

    Whoever was asked to end may do so by any exit code, or by the SIGTERM that asked for it.
    """
    program = actor.spec.program
    if program is None or actor.told is not None:
        return None
    if actor.wish is not actor.wish.NOTHING:
        asked = BY_SIGTERM if death.signal == "SIGTERM" else death.exit_code
        return None if asked is None else ExitCode(asked)
    if actor.ready_at is None or death.exit_code not in program.ok_codes:
        return None
    return ExitCode(death.exit_code)
