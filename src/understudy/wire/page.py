"""The memory that an incarnation shares with its parent: written without system calls, read also of the held and dead.

bytes 0..4095        words: phase, place, laps, messages, the stderr ring's position, a stop, the deadline, a debugger,
                     the dumps of stacks that were asked for and told, where this life's lines of its stderr file begin,
                     letters and answers that were dropped, messages that were begun, a pause
4096..16383          the last bytes that passed through sys.stderr, a ring
16384..65535         what the fault handler wrote
65536..131071        the last dump of stacks that the process told by itself
131072..             how far its mailbox is with each sender: see `ledger`
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from typing import Self

from understudy.wire import ledger
from understudy.wire.ledger import Ledger

RING_AT, RING_SIZE = 4096, 12288
FAULT_AT, FAULT_SIZE = 16384, 49152
DUMP_AT, DUMP_SIZE = 65536, 65536
LEDGER_AT = DUMP_AT + DUMP_SIZE
SIZE = LEDGER_AT + 8 * ledger.WORDS
NEVER = float("inf")

# Indices of 8-byte words.
_MAGIC, _PHASE, PLACE, LAPS, TAKEN, HANDLED, _RING, _STOP = range(8)
DEADLINE = 8
_DEBUGGED = 9
_ASKED, _TOLD, _FORCED, _FORCED_AT, _STDERR_FROM = range(10, 15)
DROPPED, STRAYS = 15, 16
BEGUN = 17
_PAUSED = 18
_VERSION = 0x756E6401


class Phase(IntEnum):
    """How far a process came before READY, and after its last word."""

    UNBORN = 0
    BORN = 1
    GUARDED = 2
    CONNECTING = 3
    OPENING = 4
    READY = 5
    LEAVING = 6

    @property
    def words(self) -> str:
        """The phase as a sentence has it."""
        return _WORDS[self]


_WORDS = {
    Phase.UNBORN: "being forked",
    Phase.BORN: "arming its guard",
    Phase.GUARDED: "taking on its circumstances",
    Phase.CONNECTING: "connecting",
    Phase.OPENING: "opening its state",
    Phase.READY: "ready",
    Phase.LEAVING: "leaving",
}

SECTIONS = ("", "preloop", "loop", "postloop", "onfinish", "result", "error", "receive")
"""Sections by their number in the page."""
SECTION_NUMBER = {name: number for number, name in enumerate(SECTIONS)}
STOPS = ("", "stop", "drain", "restart")
"""None; a stop; one that comes after the messages that have arrived; one that another life follows."""
PLACE_SHIFT = 4
LAP_STEP = 1 << PLACE_SHIFT


def place_of(lap: int, section: str) -> int:
    """Lap and section as one number, so that one store moves both."""
    return lap << PLACE_SHIFT | SECTION_NUMBER[section]


def lap_of(place: int) -> int:
    """The lap of a place."""
    return place >> PLACE_SHIFT


class Page:
    """One incarnation's page, mapped."""

    __slots__ = ("_memory", "reals", "words")

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self._memory = memory
        view = memoryview(self._memory)
        self.words = view[:RING_AT].cast("q")
        self.reals = view[:RING_AT].cast("d")

    @classmethod
    def at(cls, fd: int) -> Self:
        """The page behind a descriptor."""
        return cls(mmap.mmap(fd, SIZE))

    @classmethod
    def blank(cls) -> Self:
        """The words of one that nobody shares, for a process that has no part yet."""
        return cls(bytearray(RING_AT))

    @classmethod
    def create(cls, name: str) -> tuple[Self, int]:
        """A fresh page and the descriptor to hand on; the caller closes it."""
        fd = anonymous_file(name)
        os.ftruncate(fd, SIZE)
        page = cls.at(fd)
        page.words[_MAGIC] = _VERSION
        page.reals[DEADLINE] = NEVER
        return page, fd

    @property
    def phase(self) -> Phase:
        """How far the process came."""
        phase = self.words[_PHASE]
        # What dies of a wild pointer may have written here too; it was ready, or it had nothing to do that with.
        return Phase(phase) if 0 <= phase < len(_WORDS) else Phase.READY

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self.words[_PHASE] = phase

    @property
    def stop(self) -> str:
        """Which of `STOPS` stands: written by the parent, for a process that hears no orders, or not these yet."""
        return STOPS[self.words[_STOP]]

    @stop.setter
    def stop(self, stop: str) -> None:
        self.words[_STOP] = STOPS.index(stop)

    @property
    def paused(self) -> bool:
        """Whether a pause stands: written by the parent, for a life that begins in it, or has not heard of it yet."""
        return bool(self.words[_PAUSED])

    @paused.setter
    def paused(self, paused: bool) -> None:
        self.words[_PAUSED] = paused

    @property
    def debugged(self) -> bool:
        """Whether somebody sits at a debugger's prompt: nothing is due meanwhile, and silence means nothing."""
        return bool(self.words[_DEBUGGED])

    @debugged.setter
    def debugged(self, debugged: bool) -> None:
        self.words[_DEBUGGED] = debugged

    @property
    def place(self) -> tuple[str, int]:
        """The open section ("" for none) and the lap."""
        place = self.words[PLACE]
        return SECTIONS[place & 7], place >> PLACE_SHIFT

    @property
    def laps(self) -> int:
        """Completed laps: all before the one under way, or what was noted when the laps ended."""
        return max(self.words[LAPS], lap_of(self.words[PLACE]) - 1)

    @property
    def taken(self) -> int:
        """Messages that were taken in."""
        return self.words[TAKEN]

    @property
    def waiting(self) -> int:
        """Messages that were taken in and not handled yet."""
        return max(0, self.words[TAKEN] - self.words[HANDLED])

    @property
    def in_hand(self) -> int:
        """Messages that were begun and not handled: who died had them in hand."""
        return max(0, self.words[BEGUN] - self.words[HANDLED])

    @property
    def handled(self) -> int:
        """Messages that were handled."""
        return self.words[HANDLED]

    @property
    def dropped(self) -> int:
        """Letters to it, and answers to its asks, that were malformed, untagged or altered; each counted by its own."""
        return self.words[DROPPED] + self.words[STRAYS]

    def overrun(self, now: float) -> tuple[int, float] | None:
        """The open place and by how many seconds it is past its deadline, if it is."""
        if self.words[_DEBUGGED]:
            return None
        before = self.words[PLACE]
        late = now - self.reals[DEADLINE]
        # The writer stores the deadline first: a place that stayed is never older than the deadline read with it.
        return (before, late) if late > 0 and before & 7 and self.words[PLACE] == before else None

    def overdue(self, now: float) -> tuple[int, float] | None:
        """The open place and its deadline, if that has passed: messages are handled in one place, in turn."""
        deadline = self.reals[DEADLINE]
        late = self.overrun(now)
        return None if late is None or self.reals[DEADLINE] != deadline else (late[0], deadline)

    def write_stderr(self, text: bytes) -> None:
        """Keep the last bytes of stderr."""
        text = text[-RING_SIZE:]
        at = self.words[_RING] % RING_SIZE
        head = text[: RING_SIZE - at]
        self._memory[RING_AT + at : RING_AT + at + len(head)] = head
        rest = text[len(head) :]
        self._memory[RING_AT : RING_AT + len(rest)] = rest
        self.words[_RING] += len(text)

    def stderr(self, lines: int = 20) -> tuple[str, ...]:
        """The last lines that passed through sys.stderr."""
        written = self.words[_RING]
        at = written % RING_SIZE
        ring = self._memory[RING_AT : RING_AT + RING_SIZE]
        text = ring[:written] if written <= RING_SIZE else ring[at:] + ring[:at]
        return tuple(text.decode("utf-8", "replace").splitlines()[-lines:])

    def fault(self) -> str:
        """What the fault handler wrote."""
        return self._text(FAULT_AT, FAULT_SIZE)

    @property
    def forced(self) -> int:
        """How often the parent has had the fault handler write; its own word, as the number of dumps asked for is."""
        return self.words[_FORCED]

    def force(self) -> None:
        """The parent is about to have the fault handler write, behind what it wrote before."""
        self.words[_FORCED_AT] = len(self.fault())
        self.words[_FORCED] += 1

    def forced_text(self) -> str:
        """What it wrote when it was last made to."""
        return self.fault()[self.words[_FORCED_AT] :]

    def clear_fault(self) -> None:
        """What the fault handler wrote was read, and the process goes on: it says nothing of its end."""
        self._memory[FAULT_AT : FAULT_AT + FAULT_SIZE] = bytes(FAULT_SIZE)

    def ask_for_dump(self) -> int:
        """In the parent: ask for the stacks; the number of that dump."""
        self.words[_ASKED] += 1
        return self.words[_ASKED]

    @property
    def wanted(self) -> int | None:
        """In the process: the number of a dump that is asked for and was not told yet."""
        asked = self.words[_ASKED]
        return asked if asked != self.words[_TOLD] else None

    def tell_dump(self, number: int, text: bytes) -> None:
        """In the process: the stacks, and by the last store that they stand."""
        text = text[:DUMP_SIZE]
        self._memory[DUMP_AT : DUMP_AT + len(text)] = text
        self._memory[DUMP_AT + len(text) : DUMP_AT + DUMP_SIZE] = bytes(DUMP_SIZE - len(text))
        self.words[_TOLD] = number

    def dump(self, number: int) -> str | None:
        """The stacks, once those of that number are told."""
        return self._text(DUMP_AT, DUMP_SIZE) if self.words[_TOLD] >= number else None

    @property
    def stderr_from(self) -> int:
        """At which byte of its stderr file this life began to write; -1: it has none."""
        return self.words[_STDERR_FROM] - 1

    @stderr_from.setter
    def stderr_from(self, at: int) -> None:
        self.words[_STDERR_FROM] = at + 1

    def _text(self, at: int, size: int) -> str:
        text = self._memory[at : at + size]
        end = text.find(b"\0")
        return text[: end if end >= 0 else None].decode("utf-8", "replace")

    def ledger(self) -> Ledger:
        """How far the mailbox is; in the process."""
        return Ledger(self._ledger_words)

    def copied_ledger(self) -> bytes:
        """The same in the parent, for the next life."""
        return ledger.copied(self._ledger_words)

    def restore_ledger(self, copy: bytes) -> None:
        """Go on from there."""
        ledger.restore(self._ledger_words, copy)

    @property
    def _ledger_words(self) -> memoryview:
        return memoryview(self._memory)[LEDGER_AT:].cast("q")

    def detach(self) -> None:
        """Let a forked copy write into memory of its own."""
        self._memory = bytearray(memoryview(self._memory)[:LEDGER_AT])
        view = memoryview(self._memory)
        self.words, self.reals = view[:RING_AT].cast("q"), view[:RING_AT].cast("d")


def anonymous_file(name: str) -> int:
    """A file without a name in any directory: what is anonymous cannot leak."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    import tempfile  # the zygote does without, where it can

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
