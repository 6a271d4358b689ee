"""From a message, or a reply, to what travels, and back.

    sealed = seal(message, "message", key, lender)     its form, its tag, the loans: plain values for an envelope
    ...                                                 its frames: behind the envelope, or in it where it is inline
    message = unseal(sealed, key, borrower, whose)     or in two steps: verified(sealed, key), then unwrap

Unsealing is total: what was not sealed by somebody of this system is `Foreign` before any of it is opened or looked
for. What a pickle of this system does when it is opened is its own affair.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from understudy.call import Call
from understudy.errors import ProtocolError, TooLarge
from understudy.settings import shown
from understudy.wire import keys
from understudy.wire.bulk import BULK, Borrower, Lender, Loan
from understudy.wire.codec import MAX_FRAMES, MAX_PART
from understudy.wire.payload import opened, plain
from understudy.wire.pickling import LONG, dump_frames, loads

INLINE, PACKED, PICKLED, CALLED = range(4)
"""Msgpack that stands in the envelope; in a frame of its own, or lent; a pickle and its buffers, some of them lent; a
call of a method, as msgpack in the envelope."""
SHORT_FORMS = frozenset({INLINE, CALLED})
SMALL = 4096
"""Bytes from which msgpack has a frame of its own."""
_WHOLES = frozenset({bytes, bytearray})
_LARGEST = (1 << 63) - 1
_LOAN = struct.Struct("<6Q")
_NOT_LENT = (0,) * 6
_HEADS = {INLINE: 0, PACKED: 0, PICKLED: 1, CALLED: 0}
"""By the form, how many frames come before those that could have been lent."""
_NOTHING = (b"",)
_NONE: list[Loan | None] = []
_NOT_ANY: tuple[Sequence[Any], ...] = ([], ())


class Foreign(ProtocolError):
    """Nobody of this system has sealed it: whoever sent it is not even answered."""


class Sealed(NamedTuple):
    """A message as it travels.

    ``loans`` is empty, or has for each part (the msgpack; each buffer of a pickle) its loan, None for one in a frame.
    """

    form: int
    tag: bytes | None
    frames: Sequence[Any]
    loans: Sequence[Loan | None]


class Verified(NamedTuple):
    """What hangs together and bears the right tag, if it needs one: its form, its frames, and what of it is lent."""

    form: int
    frames: Sequence[Any]
    lent: Sequence[Loan | None]


def seal(message: Any, root: str, key: bytes, lender: Lender | None = None) -> Sealed:
    """The message as it travels; ``root`` is how the path in an error begins. Raises SerializationError.

    Buffers of a MiB and more are lent, as far as the lender can; those in frames are not copied, they are the message's
    own. Who does not send it after all has to `withdraw` it.
    """
    if type(message) not in _WHOLES or len(message) <= LONG:
        packed = plain(message)
        if packed is not None:
            if len(packed) < SMALL:
                return Sealed(INLINE, None, (packed,), ())
            return _parted(PACKED, [], [packed], key, lender)
    if type(message) is Call:
        packed = plain(message.plain())
        if packed is not None and len(packed) < SMALL:
            return Sealed(CALLED, None, (packed,), ())
    pickled, *buffers = dump_frames(message, root)
    return _parted(PICKLED, [pickled], buffers, key, lender)


def withdraw(sealed: Sealed, lender: Lender) -> None:
    """It will not be sent: what was lent for it is back."""
    for loan in filter(None, sealed.loans):
        lender.returned(loan.number)


def verified(sealed: Sealed, key: bytes) -> Verified:
    """What may be opened; raises Foreign for all else.

    ``sealed`` is as it came: its fields may be anything, its frames are buffers.
    """
    form, tag, frames, loans = sealed
    if form is INLINE and tag is None and len(frames) == 1 and loans in _NOT_ANY:  # as most are
        return Verified(INLINE, frames, ())
    lent = _loans(loans)
    if type(form) is not int or form not in _HEADS:
        raise Foreign(f"{shown(form)} is no form of a message")
    came = len(frames) - _HEADS[form]
    if came != lent.count(None) if lent else came < 0:
        raise Foreign(f"{len(frames)} frames do not go with {len(lent)} loans")
    if form != PICKLED and (len(lent) or came) != 1:
        raise Foreign(f"msgpack has one part, not {len(lent) or came}")
    if form != PICKLED and not lent:
        if tag is not None:
            raise Foreign("msgpack that is not lent has no tag")
    elif type(tag) is not bytes or not keys.verify(key, frames or _NOTHING, tag, _told(form, lent)):
        raise Foreign("a message whose tag is missing or wrong")
    return Verified(form, frames, lent)


def unseal(sealed: Sealed, key: bytes, borrower: Borrower, whose: Any = None) -> Any:
    """The message. Raises Foreign for what is not to be opened, and all that `unwrap` raises."""
    return unwrap(verified(sealed, key), borrower, whose)


def unwrap(sealed: Verified, borrower: Borrower, whose: Any = None) -> Any:
    """The message. Raises Foreign for no msgpack, ProtocolError for loans that are gone, and what unpickling raises.

    Loans that cannot be borrowed are given back; those of a message that is refused are not, for nobody of this system
    has lent them.
    """
    form, frames, lent = sealed
    if form == INLINE:
        return _plain(frames[0])
    head = _HEADS[form]
    parts = [*frames[:head]]
    try:
        _gather(parts, frames[head:], lent, borrower, whose)
        if form == CALLED:
            return _called(parts[0])
        if form != PICKLED:
            return _plain(parts[0])
        return loads(parts, {place for place, loan in enumerate(lent, head) if loan is not None})
    finally:
        parts.clear()  # a traceback would hold what is borrowed


def _called(frame: Any) -> Call:
    try:
        return Call.opened(opened(frame))
    except ProtocolError as error:
        raise Foreign(str(error)) from None


def decline(sealed: Verified, borrower: Borrower, whose: Any = None) -> None:
    """It will not be opened: what was lent for it goes back."""
    for loan in filter(None, sealed.lent):
        borrower.decline(loan, whose)


def _parted(form: int, pickled: list[Any], parts: list[Any], key: bytes, lender: Lender | None) -> Sealed:
    """Lend of the parts what is large."""
    loans: list[Loan | None] = []
    try:
        loans.extend(lender.lend(part) if lender and memoryview(part).nbytes >= BULK else None for part in parts)
        _check_size(*pickled, *(part for part, loan in zip(parts, loans, strict=True) if loan is None))
        if not any(loans):
            frames = [*pickled, *parts]
            return Sealed(form, keys.tag(key, frames) if pickled else None, frames, ())
        frames = [*pickled, *(part for part, loan in zip(parts, loans, strict=True) if loan is None)]
        return Sealed(form, keys.tag(key, frames or _NOTHING, _told(form, loans)), frames, loans)
    except BaseException:
        if lender:
            withdraw(Sealed(form, None, (), loans), lender)
        raise


def _check_size(*frames: Any) -> None:
    largest = max((memoryview(frame).nbytes for frame in frames), default=0)
    if largest > MAX_PART:
        raise TooLarge(
            f"a message of which one part has {largest:,} bytes cannot be sent: up to {MAX_PART:,} can, and each array "
            "of a message is a part of its own"
        )


def _gather(
    parts: list[Any], frames: Sequence[Any], lent: Sequence[Loan | None], borrower: Borrower, whose: Any
) -> None:
    """Add to the parts, in their order, what has come in frames and what is borrowed."""
    if not lent:
        parts.extend(frames)
        return
    came = iter(frames)
    try:
        parts.extend(next(came) if loan is None else borrower.borrow(loan, whose) for loan in lent)
    except BaseException:
        parts.clear()
        for loan in filter(None, lent):
            borrower.decline(loan, whose)
        raise


# --- what came


def _plain(frame: Any) -> Any:
    try:
        return opened(frame)
    except ProtocolError as error:
        raise Foreign(str(error)) from None


def _loans(values: Any) -> list[Loan | None]:
    if not isinstance(values, (list, tuple)) or len(values) > MAX_FRAMES:
        raise Foreign(f"loans are a list, not {shown(values)}")
    if not values:
        return _NONE
    loans = [None if value is None else _loan(value) for value in values]
    if not any(loans):
        raise Foreign("among the loans is none")
    return loans


def _loan(value: Any) -> Loan:
    if isinstance(value, (list, tuple)) and len(value) == len(Loan._fields):
        loan = Loan(*value)
        if all(type(number) is int and 0 <= number <= _LARGEST for number in loan):
            return loan
    raise Foreign(f"a loan is {len(Loan._fields)} numbers, not {shown(value)}")


def _told(form: int, loans: Sequence[Loan | None]) -> bytes:
    """What the tag covers of loans."""
    return (
        b"".join([form.to_bytes(8, "little"), *(_LOAN.pack(*(loan or _NOT_LENT)) for loan in loans)]) if loans else b""
    )
