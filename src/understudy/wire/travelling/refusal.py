"""How a reducer refuses: with what to do instead."""

from __future__ import annotations

from typing import Any

MAKE_IT_THERE = "make it in the child, in __preloop__ for instance, or leave it out of the state"

SAY_IT_PLAINLY = "return what was made of it instead: plain values, or where it is to be found"


class Refused(Exception):
    """The object in hand cannot travel; the text says what to do, or why."""


class Refusal:
    """An entry of the table for what never travels."""

    __slots__ = ("advice",)

    def __init__(self, advice: str) -> None:
        self.advice = advice

    def __call__(self, obj: Any) -> Any:
        """As a reducer is called."""
        raise Refused(self.advice)
