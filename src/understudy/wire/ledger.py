"""How far a mailbox is with each sender: in memory that outlives its process, so that the next life goes on there.

word 0               slots that were ever used
word 1               entries of the list
word 2               for whom there is no slot
then, for each slot  the sender's name (0: free), the seq through which its messages are begun, and that through which
                     the reliable ones are done
then the list        slot and seq of what was begun ahead of its turn, as urgent ones are
then the hands       slot and seq of a reliable message, how often who had it in hand died, whether it is in hand now
"""

from __future__ import annotations

import os
import struct

SLOTS = 10_000
"""Senders that a mailbox remembers."""
AHEAD = 4_096
"""Messages begun ahead of their turn."""
_USED, _LISTED, NOWHERE = range(3)
HANDS = 64
"""Reliable messages that are in hand, or were when a life ended."""
_FIRST, _SLOT, _HAND = 4, 3, 4
_LIST = _FIRST + _SLOT * SLOTS
_HANDS = _LIST + 2 * AHEAD
WORDS = _HANDS + _HAND * HANDS
NAME_SIZE = 8
"""Bytes of a sender's name."""
_OWNERS, _NUMBERS = (1 << 24) - 1, (1 << 32) - 1
"""So much of its owner's uid is in it."""


class Ledger:
    """Of one incarnation; its mailbox's, which begins messages by storing their seq at the *spot* of their sender."""

    def __init__(self, words: memoryview) -> None:
        self.words = words
        used = range(_FIRST, _FIRST + _SLOT * words[_USED], _SLOT)
        self.spots = {words[at]: at + 1 for at in used if words[at]}
        self._inherited = set(self.spots)
        """Senders of earlier lives that did not come again yet."""
        self._free = [at + 1 for at in used if not words[at]]
        self._hands: dict[tuple[int, int], int] = {}
        """Where each reliable message is that was in hand at a death, or is now."""
        for at in range(_HANDS, WORDS, _HAND):
            if words[at]:
                words[at + 2] += words[at + 3]
                words[at + 3] = 0
                self._hands[words[at], words[at + 1]] = at

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
        self.words[spot] = self.words[spot + 1] = begun
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
            for key in [key for key in self._hands if key[0] == spot]:
                self.let_go(*key)

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

    def done(self, spot: int) -> int:
        """Through which seq that sender's reliable messages are done."""
        return self.words[spot + 1] if spot != NOWHERE else 0

    def set_done(self, spot: int, seq: int) -> None:
        """They are, through there."""
        if spot != NOWHERE:
            self.words[spot + 1] = seq

    def take_in_hand(self, spot: int, seq: int) -> None:
        """A reliable message is begun. Where too many are in hand already, nobody counts what becomes of it."""
        at = self._hands.get((spot, seq))
        if at is None:
            taken = set(self._hands.values())
            at = next((at for at in range(_HANDS, WORDS, _HAND) if at not in taken), None)
            if at is None or spot == NOWHERE:
                return
            self._hands[spot, seq] = at
            self.words[at + 1], self.words[at + 2] = seq, 0
            self.words[at] = spot
        self.words[at + 3] = 1

    def let_go(self, spot: int, seq: int) -> None:
        """It is handled, or nobody will handle it."""
        at = self._hands.pop((spot, seq), None)
        if at is not None:
            self.words[at] = self.words[at + 3] = 0

    def deaths(self, spot: int, seq: int) -> int:
        """How often the process died that had it in hand."""
        at = self._hands.get((spot, seq))
        return 0 if at is None else self.words[at + 2]

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
        return _FIRST + _SLOT * (words[_USED] - 1) + 1

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
    hands = [words[at : at + _HAND] for at in range(_HANDS, WORDS, _HAND) if _is_spot(words[at], used)]
    slots = bytes(words[_FIRST : _FIRST + _SLOT * used])
    return struct.pack("=qqq", used, len(ahead), len(hands)) + slots + b"".join(map(bytes, [*ahead, *hands]))


def _is_spot(at: int, used: int) -> bool:
    return at in range(_FIRST + 1, _FIRST + _SLOT * used, _SLOT)


def restore(words: memoryview, copy: bytes) -> None:
    """Write what was copied into the memory of the next life."""
    if not copy:
        return
    used, listed, hands = struct.unpack_from("=qqq", copy)
    numbers, first = memoryview(copy)[24:].cast("q"), _SLOT * used
    words[_FIRST : _FIRST + first] = numbers[:first]
    words[_LIST : _LIST + 2 * listed] = numbers[first : first + 2 * listed]
    words[_HANDS : _HANDS + _HAND * hands] = numbers[first + 2 * listed :]
    words[_USED], words[_LISTED] = used, listed


def accounts(copy: bytes) -> list[list[int]]:
    """What was copied, of each sender: the number of its name, through which seq all is begun, and what ahead of it."""
    if not copy:
        return []
    used, listed, _ = struct.unpack_from("=qqq", copy)
    numbers, first = memoryview(copy)[24:].cast("q"), _SLOT * used
    found = {_FIRST + at + 1: [numbers[at], numbers[at + 1]] for at in range(0, first, _SLOT) if numbers[at]}
    # In one pass, for the router does this for each process that is told; who died amid a change listed some twice.
    for spot, seq in sorted({(numbers[at], numbers[at + 1]) for at in range(first, first + 2 * listed, 2)}):
        if spot in found and seq > found[spot][1]:
            found[spot].append(seq)
    return list(found.values())


def first_number() -> int:
    """Of the senders of a process, which count on from there: its actor's next life begins elsewhere, most likely."""
    return int.from_bytes(os.urandom(4))


def name_of(uid: int, number: int) -> bytes:
    """The name of a sender of that actor, by its number: ZeroMQ wants no zero in front."""
    return b"\1" + (uid & _OWNERS).to_bytes(3, "little") + (number & _NUMBERS).to_bytes(4, "little")


def number_of(name: bytes) -> int:
    """A name as the ledger has it; 0 for none."""
    return int.from_bytes(name, "little", signed=True) if len(name) == NAME_SIZE else 0


def is_of(number: int, uid: int) -> bool:
    """Whether a sender of that actor may bear the name."""
    return number >> 8 & _OWNERS == uid & _OWNERS
