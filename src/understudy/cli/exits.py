"""Exit codes, the same for every verb, and how a verb ends early."""

from __future__ import annotations

from collections.abc import Sequence

DONE, FAILED, REFUSED, NO_SYSTEM, NO_ACTOR, DENIED, LATE, PRESSED, UNREAD = 0, 1, 2, 3, 4, 5, 124, 130, 141
"""As `timeout` has it for what took too long, as shells have it for SIGINT and SIGPIPE."""


class Failure(Exception):
    """The verb ends with that exit code; the text is one line for standard error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def no_verb(word: str, verbs: Sequence[str]) -> Failure:
    """There is no such verb; the nearest is told."""
    from difflib import get_close_matches

    near = get_close_matches(word, verbs, 1) or verbs
    return Failure(REFUSED, f"{word!r} is no verb; there is {', '.join(near)}")
