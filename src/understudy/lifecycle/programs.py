"""What is different of an actor that is a program: it hears and says nothing, and its exit code is its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from understudy.lifecycle.actor import Actor
    from understudy.lifecycle.events import Died

BY_SIGTERM = -15
"""The result of one that a stop's SIGTERM has ended, as `subprocess` has it."""


@dataclass(frozen=True, slots=True)
class Program:
    """That a spec is of a program, by which exit codes that finishes, and what it is waited for to be READY."""

    ok_codes: frozenset[int] = frozenset({0})
    wait: Any = None
    """A `Wait`, opaque here; None: it is READY when it was begun."""
    awaits: str = ""
    """That in words: to make them is for its own thread, and not for the router's."""


@dataclass(frozen=True, slots=True)
class ExitCode:
    """The result of a program: there is nothing in it to be opened, nor to be kept for long."""

    code: int | None
    """None where nobody could say it."""
    bytes: int = 0

    def open(self) -> int | None:
        """The exit code."""
        return self.code


def result_of(actor: Actor, death: Died) -> ExitCode | None:
    """What a program came to; None where it failed, or was ended by SIGKILL.

    Whoever was asked to end may do so by any exit code, by the SIGTERM that asked for it, or unseen.
    """
    program = actor.spec.program
    if program is None or actor.told is not None:
        return None
    if actor.wish is not actor.wish.NOTHING:
        if death.signal == "SIGTERM":
            return ExitCode(BY_SIGTERM)
        unseen = death.exit_code is None and actor.ending is not None
        return None if death.signal is not None or unseen else ExitCode(death.exit_code)
    if actor.ready_at is None or death.exit_code not in program.ok_codes:
        return None
    return ExitCode(death.exit_code)
