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
from understudy.wire.sealing import unseal


def opened(said: letters.Outbound, frames: Sequence[Any], name: str, key: bytes, borrower: Borrower, whose: int) -> Any:
    """The value; raises the error that was told, or one that says why the answer cannot be opened."""
    content = said.content
    if isinstance(content, letters.Answer):
        try:
            return unseal(content.seal.sealed(frames), key, borrower, whose)
        except (KeyboardInterrupt, ProtocolError):
            raise
        except BaseException as error:
            text = f"{type(error).__name__}: {error} (the answer of {name} arrived but cannot be opened here)"
            raise ReceiveError(text, name=name, incarnation=said.incarnation, section="receive") from error
    if isinstance(content, letters.Refusal):
        raise ActorDied(content.why, name=name, incarnation=said.incarnation)
    raise _failure(content, said.incarnation, tuple(frames) if verify(key, frames, content.tag) else (), name)


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
