"""How far a mailbox is with each sender: in memory that outlives its process, so that the next life goes on there.

word 0               slots that were ever used
word 1               entries of the list
word 2               for whom there is no slot
then, for each slot  the sender's name (0: free), and the seq through which its messages are begun
then the list        slot and seq of what was begun ahead of its turn, as urgent ones are
"""

from __future__ import annotations

import os
import struct

SLOTS = 10_000
"""Senders that a mailbox remembers."""
AHEAD = 4_096
"""Messages begun ahead of their turn."""
_USED, _LISTED, NOWHERE = range(3)
_FIRST = 4
_LIST = _FIRST + 2 * SLOTS
WORDS = _LIST + 2 * AHEAD
NAME_SIZE = 8
"""Bytes of a sender's name."""
_OWNERS = (1 << 24) - 1
"""So much of its owner's uid is in it."""


class Ledger:
    """Of one incarnation; its mailbox's, which begins messages by storing their seq at the *spot* of their sender."""

    def __init__(self, words: memoryview) -> None:
        self.words = words
        self.spots = {words[at]: at + 1 for at in range(_FIRST, _FIRST + 2 * words[_USED], 2) if words[at]}
        self._inherited = set(self.spots)
        """Senders of earlier lives that did not come again yet."""
        self._free = [at + 1 for at in range(_FIRST, _FIRST + 2 * words[_USED], 2) if not words[at]]

    def knows(self, name: bytes) -> bool:
        """Whether an earlier life, or this one, has heard that sender."""
        return number_of(name) in self.spots

    def spot(self, name: bytes, begun: int) -> int:
        """Where that sender's seq stands: the one that it has, or a new one, which begins there.

        Where there is no room even if those go that did not come again, and for who bears no name, one that no life
        inherits.
        """
        number = number_of(name)
        if number in self.spots:
            self._inherited.discard(number)
            return self.spots[number]
        spot = self._made(number) if number else NOWHERE
        if spot == NOWHERE:
            return spot
        # The name last: a slot that was taken halfway is nobody's.
        self.words[spot] = begun
        self.words[spot - 1] = number
        self.spots[number] = spot
        return spot

    def forget(self, name: bytes) -> None:
        """That sender comes no more."""
        number = number_of(name)
        spot = self.spots.pop(number, None)
        if spot is not None:
            self.words[spot - 1] = 0
            self._inherited.discard(number)
            self._free.append(spot)

    def ahead(self, spot: int) -> set[int]:
        """What of that sender was begun ahead of its turn, which had not come."""
        begun = self.words[spot]
        return {seq for at, seq in self._listed() if at == spot and seq > begun}

    def begin_ahead(self, spot: int, seq: int) -> None:
        """One that others of its sender were to go before.

        Where too many are, it counts as in its turn: those others are for no next life.
        """
        words = self.words
        if words[_LISTED] == AHEAD:
            still = [(at, number) for at, number in self._listed() if number > words[at]]
            for place, one in enumerate(still):  # downwards: who dies amid this has listed some twice, and all of them
                self._write(place, *one)
            words[_LISTED] = len(still)
        if words[_LISTED] == AHEAD or spot == NOWHERE:
            words[spot] = max(words[spot], seq)
        else:
            self._write(words[_LISTED], spot, seq)
            words[_LISTED] += 1

    def _write(self, place: int, spot: int, seq: int) -> None:
        at = _LIST + 2 * place
        self.words[at], self.words[at + 1] = spot, seq

    def _listed(self) -> list[tuple[int, int]]:
        words = self.words
        return [(words[at], words[at + 1]) for at in range(_LIST, _LIST + 2 * words[_LISTED], 2)]

    def _made(self, number: int) -> int:
        words = self.words
        if not self._free and words[_USED] == SLOTS:
            for gone in self._inherited.copy():
                self.forget(gone.to_bytes(NAME_SIZE, "little", signed=True))
        if self._free:
            spot = self._free.pop()
            self._strike(spot)
            return spot
        if words[_USED] == SLOTS:
            return NOWHERE
        words[_USED] += 1
        return _FIRST + 2 * words[_USED] - 1

    def _strike(self, spot: int) -> None:
        """Nothing in the list is of who had it before."""
        for at in range(_LIST, _LIST + 2 * self.words[_LISTED], 2):
            if self.words[at] == spot:
                self.words[at + 1] = 0


def copied(words: memoryview) -> bytes:
    """What a later life goes on from; empty if nobody was heard. Whatever the process has written there is copied."""
    used = min(max(0, words[_USED]), SLOTS)
    if not used:
        return b""
    listed = min(max(0, words[_LISTED]), AHEAD)
    ahead = [words[at : at + 2] for at in range(_LIST, _LIST + 2 * listed, 2) if _is_spot(words[at], used)]
    slots = bytes(words[_FIRST : _FIRST + 2 * used])
    return struct.pack("=qq", used, len(ahead)) + slots + b"".join(map(bytes, ahead))


def _is_spot(at: int, used: int) -> bool:
    return at in range(_FIRST + 1, _FIRST + 2 * used, 2)


def restore(words: memoryview, copy: bytes) -> None:
    """Write what was copied into the memory of the next life."""
    if not copy:
        return
    used, listed = struct.unpack_from("=qq", copy)
    numbers = memoryview(copy)[16:].cast("q")
    words[_FIRST : _FIRST + 2 * used] = numbers[: 2 * used]
    words[_LIST : _LIST + 2 * listed] = numbers[2 * used :]
    words[_USED], words[_LISTED] = used, listed


def accounts(copy: bytes) -> list[list[int]]:
    """What was copied, of each sender: the number of its name, through which seq all is begun, and what ahead of it."""
    if not copy:
        return []
    words = memoryview(bytearray(8 * WORDS)).cast("q")
    restore(words, copy)
    ledger = Ledger(words)
    return [[number, words[spot], *sorted(ledger.ahead(spot))] for number, spot in ledger.spots.items()]


def name_of(uid: int) -> bytes:
    """A name for one more sender of that actor: ZeroMQ wants no zero in front."""
    return b"\1" + (uid & _OWNERS).to_bytes(3, "little") + os.urandom(4)


def number_of(name: bytes) -> int:
    """A name as the ledger has it; 0 for none."""
    return int.from_bytes(name, "little", signed=True) if len(name) == NAME_SIZE else 0


def is_of(number: int, uid: int) -> bool:
    """Whether a sender of that actor may bear the name."""
    return number >> 8 & _OWNERS == uid & _OWNERS
