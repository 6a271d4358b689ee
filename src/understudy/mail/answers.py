"""What came back for an ask, as the asking thread gets it: a value, or an error with the handler's as its cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.errors import ActorDied, ActorError, ProtocolError, ReceiveError
from understudy.outcome import build_error
from understudy.status import Crash
from understudy.wire import letters
from understudy.wire.bulk import Borrower
from understudy.wire.keys import verify
from understudy.wire.sealing import Foreign, Verified, unwrap, verified

Enclosed = Verified | tuple[Any, ...]
"""Of a value what may be opened, of an error the frames of its pickle."""
Said = tuple[letters.Outbound, Enclosed]
"""What came back for an ask."""


def checked(content: letters.Answer | letters.Failure | letters.Refusal, frames: Sequence[Any], key: bytes) -> Enclosed:
    """What came with an answer; raises ProtocolError for what was not sealed by anybody of this system."""
    if isinstance(content, letters.Answer):
        return verified(content.seal.sealed(frames), key)
    tag = content.tag if isinstance(content, letters.Failure) else None
    if (frames or tag is not None) and not verify(key, frames, tag):
        raise ProtocolError("an error whose tag is missing or wrong")
    return tuple(frames)


def opened(answer: Said, name: str, borrower: Borrower, whose: int) -> Any:
    """The value; raises the error that was told, or one that says why the answer cannot be opened."""
    said, enclosed = answer
    content = said.content
    if isinstance(enclosed, Verified):
        try:
            return unwrap(enclosed, borrower, whose)
        except (KeyboardInterrupt, Foreign):
            raise
        except ProtocolError as error:
            text = f"{name} has answered, and what it lent for the answer is there no more: it ended meanwhile"
            raise ActorDied(text, name=name, incarnation=said.incarnation) from error
        except BaseException as error:
            text = f"{type(error).__name__}: {error} (the answer of {name} arrived but cannot be opened here)"
            raise ReceiveError(text, name=name, incarnation=said.incarnation, section="receive") from error
    if isinstance(content, letters.Refusal):
        raise ActorDied(content.why, name=name, incarnation=said.incarnation)
    raise _failure(content, said.incarnation, enclosed, name)


def _failure(content: letters.Failure, incarnation: int, frames: tuple[Any, ...], name: str) -> ActorError:
    crash = Crash(
        kind="error" if content.timeout is None else "timeout",
        incarnation=incarnation,
        section="receive",
        lap=content.lap,
        text=content.text,
        type_name=content.type_name,
        traceback=content.traceback,
        seconds=content.timeout,
        payload=frames,
    )
    return build_error(crash, name, None)
