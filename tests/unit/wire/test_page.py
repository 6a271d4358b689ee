"""The memory that parent and child share."""

from __future__ import annotations

import faulthandler
import fcntl
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.wire.page import (
    DEADLINE,
    DUMP_SIZE,
    FAULT_AT,
    FAULT_SIZE,
    LAPS,
    NEVER,
    PLACE,
    RING_SIZE,
    SECTION_NUMBER,
    SECTIONS,
    SIZE,
    Page,
    Phase,
    lap_of,
    place_of,
)

NOW = 1000.0


def pair() -> tuple[Page, Page]:
    """The parent's view and the child's, and the descriptor closed behind them."""
    ours, fd = Page.create("understudy-test")
    theirs = Page.at(fd)
    os.close(fd)
    return ours, theirs


# --- birth


def test_a_fresh_page_tells_of_nothing_yet():
    page, fd = Page.create("understudy-test")
    assert os.fstat(fd).st_size == SIZE
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)
    assert (page.phase, page.place, page.laps, page.stop) == (Phase.UNBORN, ("", 0), 0, "")
    assert page.overrun(1e12) is None
    assert (page.stderr(), page.fault()) == ((), "")


def test_what_one_side_writes_the_other_reads():
    ours, theirs = pair()
    theirs.phase = Phase.OPENING
    theirs.words[PLACE] = place_of(17, "loop")
    theirs.words[LAPS] = 16
    theirs.write_stderr(b"a word\n")
    ours.stop = "drain"
    assert (ours.phase, ours.place, ours.laps, ours.stderr()) == (Phase.OPENING, ("loop", 17), 16, ("a word",))
    assert theirs.stop == "drain"


# --- place and deadline


@given(st.integers(0, 2**58), st.sampled_from(SECTIONS))
def test_lap_and_section_are_one_number(lap: int, section: str):
    place = place_of(lap, section)
    assert lap_of(place) == lap
    assert place & 7 == SECTION_NUMBER[section]
    page, fd = Page.create("understudy-test")
    os.close(fd)
    page.words[PLACE] = place
    assert page.place == (section, lap)


def test_every_section_has_a_number_that_the_place_has_room_for():
    assert len(SECTIONS) == 8
    assert SECTIONS[0] == ""


def test_complete_laps_are_those_before_the_one_under_way_or_what_was_noted():
    ours, theirs = pair()
    theirs.words[PLACE] = place_of(1, "preloop")
    assert ours.laps == 0
    theirs.words[PLACE] = place_of(17, "postloop")
    assert ours.laps == 16
    theirs.words[LAPS] = 17
    assert ours.laps == 17


def test_an_open_section_past_its_deadline_is_an_overrun():
    ours, theirs = pair()
    theirs.reals[DEADLINE] = NOW
    theirs.words[PLACE] = place_of(3, "loop")
    assert ours.overrun(NOW) is None
    assert ours.overrun(NOW - 1) is None
    assert ours.overrun(NOW + 0.25) == (place_of(3, "loop"), 0.25)


def test_without_an_open_section_or_a_deadline_nothing_is_overrun():
    ours, theirs = pair()
    theirs.reals[DEADLINE] = NOW
    theirs.words[PLACE] = place_of(3, "")
    assert ours.overrun(NOW + 9) is None
    theirs.words[PLACE] = place_of(3, "loop")
    theirs.reals[DEADLINE] = NEVER
    assert ours.overrun(1e300) is None


def test_nothing_is_overrun_while_somebody_sits_at_a_debuggers_prompt():
    ours, theirs = pair()
    theirs.words[PLACE] = place_of(3, "loop")
    theirs.reals[DEADLINE] = NOW
    theirs.debugged = True
    assert (ours.debugged, ours.overrun(NOW + 9)) == (True, None)
    theirs.debugged = False
    assert ours.overrun(NOW + 9) == (place_of(3, "loop"), 9)


def test_a_place_that_moves_under_the_readers_eyes_is_no_overrun():
    ours, theirs = pair()

    class Moving:
        """The deadlines, as somebody reads them while the section ends."""

        def __getitem__(self, index: int) -> float:
            theirs.words[PLACE] = place_of(3, "postloop")
            return NOW

    theirs.words[PLACE] = place_of(3, "loop")
    ours.reals = Moving()  # type: ignore[assignment]
    assert ours.overrun(NOW + 9) is None


# --- phases


def test_each_phase_has_words_for_the_death_report():
    assert len({phase.words for phase in Phase}) == len(Phase)
    assert Phase.OPENING.words == "opening its state"
    assert [phase.value for phase in Phase] == list(range(7))


@pytest.mark.parametrize("scribble", [7, -1, 2**62])
def test_a_phase_that_was_scribbled_over_is_taken_for_one_that_was_ready(scribble: int):
    ours, theirs = pair()
    theirs.words[1] = scribble
    assert ours.phase is Phase.READY


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=9, max_size=9))
def test_whatever_a_dying_process_scribbled_can_be_read(garbage: list[int]):
    page, fd = Page.create("understudy-test")
    os.close(fd)
    for at, word in enumerate(garbage):
        page.words[at] = word
    section, lap = page.place
    assert section in SECTIONS
    assert isinstance(lap, int)
    assert page.phase in Phase
    assert all(isinstance(line, str) for line in page.stderr())
    assert isinstance(page.laps, int)
    page.overrun(NOW)


# --- the last lines of stderr


@given(st.lists(st.binary(max_size=3000), max_size=30))
def test_the_ring_keeps_the_last_bytes(writes: list[bytes]):
    page, fd = Page.create("understudy-test")
    os.close(fd)
    for text in writes:
        page.write_stderr(text)
    kept = b"".join(writes)[-RING_SIZE:]
    assert page.stderr(lines=10**6) == tuple(kept.decode("utf-8", "replace").splitlines())
    assert page.fault() == "", "it never leaves its place"


@pytest.mark.parametrize("size", [RING_SIZE - 1, RING_SIZE, RING_SIZE + 1, 3 * RING_SIZE + 7])
def test_one_write_may_fill_the_ring_or_more(size: int):
    page, fd = Page.create("understudy-test")
    os.close(fd)
    page.write_stderr(b"before\n")
    text = bytes(ord("a") + number % 26 for number in range(size))
    page.write_stderr(text)
    assert "\n".join(page.stderr(lines=10)).encode() == (b"before\n" + text)[-RING_SIZE:]


def test_the_last_lines_are_told_and_no_more():
    ours, theirs = pair()
    for number in range(100):
        theirs.write_stderr(b"line %d\n" % number)
    assert ours.stderr() == tuple(f"line {number}" for number in range(80, 100))
    assert ours.stderr(lines=2) == ("line 98", "line 99")


# --- the fault handler's area


def test_what_the_fault_handler_writes_is_read_and_touches_nothing_else():
    page, fd = Page.create("understudy-test")
    page.words[PLACE] = place_of(17, "loop")
    page.write_stderr(b"a word\n")
    os.lseek(fd, FAULT_AT, os.SEEK_SET)
    faulthandler.dump_traceback(fd, all_threads=True)
    os.close(fd)
    assert "test_what_the_fault_handler_writes" in page.fault()
    assert (page.place, page.stderr()) == (("loop", 17), ("a word",))


def test_a_fault_area_that_is_full_is_read_to_its_end():
    page, fd = Page.create("understudy-test")
    os.pwrite(fd, b"x" * (SIZE - FAULT_AT), FAULT_AT)
    os.close(fd)
    assert page.fault() == "x" * FAULT_SIZE


def test_what_it_is_made_to_write_is_told_from_what_it_wrote_before_and_cleared_away():
    ours, fd = Page.create("understudy-test")
    theirs = Page.at(fd)
    os.lseek(fd, FAULT_AT, os.SEEK_SET)
    ours.force()
    assert (theirs.forced, ours.forced_text()) == (1, "")
    os.write(fd, b"first\n")
    assert ours.forced_text() == "first\n"
    ours.force()
    os.write(fd, b"second\n")
    os.close(fd)
    assert (theirs.forced, ours.forced_text(), ours.fault()) == (2, "second\n", "first\nsecond\n")
    theirs.clear_fault()
    assert (ours.fault(), ours.forced_text()) == ("", "")


# --- dumps that are asked for


def test_a_dump_is_wanted_until_it_is_told_and_is_read_by_its_number():
    ours, theirs = pair()
    assert (theirs.wanted, ours.dump(1)) == (None, None)
    first = ours.ask_for_dump()
    assert (theirs.wanted, ours.dump(first)) == (first, None)
    theirs.tell_dump(first, b"a long text of the first")
    assert (theirs.wanted, ours.dump(first)) == (None, "a long text of the first")
    second = ours.ask_for_dump()
    assert (theirs.wanted, ours.dump(second)) == (second, None)
    theirs.tell_dump(second, b"short")
    assert (ours.dump(first), ours.dump(second), ours.fault()) == ("short", "short", "")
    theirs.tell_dump(ours.ask_for_dump(), b"x" * (2 * DUMP_SIZE))
    assert ours.dump(second + 1) == "x" * DUMP_SIZE


def test_where_the_lines_of_a_life_begin_in_its_file_is_known_once_it_has_one():
    ours, theirs = pair()
    assert ours.stderr_from == -1
    theirs.stderr_from = 0
    assert ours.stderr_from == 0
    theirs.stderr_from = 4711
    assert ours.stderr_from == 4711


# --- a forked copy


def test_what_is_detached_writes_into_memory_of_its_own():
    ours, theirs = pair()
    theirs.phase = Phase.READY
    theirs.words[PLACE] = place_of(3, "loop")
    theirs.write_stderr(b"before\n")
    theirs.detach()
    assert (theirs.phase, theirs.place, theirs.stderr()) == (Phase.READY, ("loop", 3), ("before",))
    theirs.phase = Phase.LEAVING
    theirs.words[PLACE] = place_of(9, "error")
    theirs.reals[DEADLINE] = NOW
    theirs.write_stderr(b"the copy's own\n" * 2000)
    assert (ours.phase, ours.place, ours.stderr()) == (Phase.READY, ("loop", 3), ("before",))
    assert ours.reals[DEADLINE] == NEVER
    assert theirs.stderr()[-1] == "the copy's own"
    ours.words[PLACE] = place_of(4, "loop")
    assert theirs.place == ("error", 9)
