"""Buffers that are lent in place of being sent: two processes, the memory between them, and what is left of it."""

from __future__ import annotations

import errno
import fcntl
import gc
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wire.peers import Peer, array, digest
from understudy.errors import ProtocolError
from understudy.wire.arena import LEAST, TABLE, first_gap, room
from understudy.wire.bulk import BULK, Borrower, Lender, Loan
from understudy.wire.stock import LIMIT, Stock

MIB = 1 << 20
SIZE = MIB + 1234
pytestmark = pytest.mark.requirement("A7")


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture
def lender() -> Iterator[Lender]:
    lender = Lender()
    yield lender
    lender.close()


def lent(lender: Lender, buffer: Any) -> Loan:
    loan = lender.lend(buffer)
    assert loan is not None
    return loan


def is_mapped(loan: Loan) -> bool:
    """Whether this process has that memory mapped, be it to lend it."""
    return any(line.split()[4] == str(loan.inode) for line in Path("/proc/self/maps").read_text().splitlines())


def held(fd: int) -> int:
    """Bytes of memory that the kernel holds for a file."""
    return os.fstat(fd).st_blocks * 512


# --- between two processes


def test_what_another_process_lends_is_read_in_place_and_cannot_be_written(peer: Peer):
    loan, borrower = Loan(*peer.ask("lend", 1, SIZE)), Borrower()
    view = borrower.borrow(loan, "peer")
    found = np.frombuffer(view, dtype="u1")
    assert (found == array(1, SIZE)).all()
    assert view.readonly
    assert not found.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        found.flags.writeable = True
    with pytest.raises(TypeError, match="read-only"):
        view[0] = 1
    del found, view
    assert list(borrower.given_back) == [("peer", loan.number)]
    assert peer.ask("returned", loan.number) == 0


def test_what_is_lent_to_another_process_comes_back_when_its_last_view_is_gone(peer: Peer, lender: Lender):
    loan = lent(lender, array(2, SIZE))
    assert peer.ask("borrow", loan, "a") == digest(array(2, SIZE))
    assert lender.out == 1
    assert ("a", loan.number) in peer.ask("drop", "a")
    lender.returned(loan.number)
    assert lender.out == 0


def test_memory_is_used_again_once_it_is_back_and_not_before(peer: Peer, lender: Lender):
    first = lent(lender, array(3, SIZE))
    peer.ask("borrow", first, "first")
    second = lent(lender, array(4, SIZE))
    assert peer.ask("borrow", second, "second") == digest(array(4, SIZE))
    assert peer.ask("look", "first") == digest(array(3, SIZE))
    peer.ask("drop", "first")
    lender.returned(first.number)
    third = lent(lender, array(5, SIZE))
    assert (third.fd, third.inode, third.offset) == (first.fd, first.inode, first.offset)
    assert peer.ask("borrow", third, "third") == digest(array(5, SIZE))
    assert peer.ask("look", "second") == digest(array(4, SIZE))
    for name in ("second", "third"):
        peer.ask("drop", name)


def test_whatever_is_made_of_a_view_holds_it(lender: Lender):
    borrower = Borrower()
    made: list[Any] = []
    view = borrower.borrow(lent(lender, array(6, SIZE)))
    made.append(view[5:10])
    made.append(view.cast("B").toreadonly()[1:])
    made.append(memoryview(view)[::3])
    made.append(np.frombuffer(view, dtype="u1")[7:].reshape(-1, 1)[::2])
    made.append(np.frombuffer(view[:8], dtype="u8"))
    del view
    while made:
        gc.collect()
        assert not borrower.given_back
        made.pop()
    assert len(borrower.given_back) == 1


def test_what_is_behind_a_view_is_that_loan_and_no_more(lender: Lender):
    """As the manual of pickle has it, for buffers that are rebuilt from what they were."""
    lent(lender, array(7, SIZE))
    view = Borrower().borrow(lent(lender, array(8, SIZE)))
    assert bytearray(view.obj) == bytearray(array(8, SIZE))


# --- bounds


def test_no_more_than_256_mib_are_lent_to_one_receiver(lender: Lender):
    assert LIMIT == 256 * MIB
    half = bytes(128 * MIB)
    loans = [lent(lender, half), lent(lender, half)]
    assert lender.lend(half) is None
    assert lender.lend(bytes(MIB)) is None
    lender.returned(loans[0].number)
    assert lent(lender, bytes(MIB)).inode == loans[0].inode


def test_what_is_kept_counts_and_makes_way():
    lender = Lender(Stock(limit=8 * MIB))
    small = [lent(lender, bytes(MIB)) for _ in range(8)]
    assert lender.lend(bytes(1)) is None
    for loan in small[1:]:
        lender.returned(loan.number)
    assert lender.lend(bytes(7 * MIB + 1)) is None
    lender.returned(small[0].number)
    whole = lent(lender, bytes(8 * MIB))
    lender.returned(whole.number)
    assert lender.lend(bytes(8 * MIB + 1)) is None
    assert lender.lend(b"") is None
    lender.close()
    assert lender.lend(bytes(MIB)) is None


def test_idle_memory_makes_way_for_what_does_not_fit_beside_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("understudy.wire.stock._FIRST", 4 * MIB)
    now = 0.0
    lender = Lender(Stock(limit=16 * MIB, clock=lambda: now))
    one, two = lent(lender, bytes(4 * MIB)), lent(lender, bytes(4 * MIB))
    assert one.inode != two.inode
    lender.returned(one.number)
    three = lent(lender, bytes(12 * MIB))
    assert lender.out == 2
    with pytest.raises(ProtocolError):
        Borrower().borrow(one)
    for loan in (two, three):
        Borrower().borrow(loan)
    lender.close()


def gaps(taken: list[tuple[int, int]]) -> list[int]:
    return [begin - end for (_, end), (begin, _) in itertools.pairwise(sorted(taken))]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5 * MIB)), max_size=30))
def test_places_never_overlap_nor_leave_the_arena(steps: list[tuple[bool, int]]):
    capacity = 16 * MIB
    taken: list[tuple[int, int]] = []
    for take, nbytes in steps:
        size = room(nbytes)
        assert nbytes <= size < nbytes + LEAST + TABLE
        if take or not taken:
            at = first_gap(taken, capacity, size)
            if at is not None:
                taken.append((at, at + size))
            else:
                assert all(gap < size for gap in gaps(taken))
        else:
            taken.pop(nbytes % len(taken))
        assert all(gap >= 0 for gap in gaps(taken))
        assert all(0 <= begin < end <= capacity for begin, end in taken)
        assert len({begin // LEAST for begin, _ in taken}) == len(taken)


def test_threads_that_lend_at_once_do_not_write_over_each_other():
    lender, borrower, wrong = Lender(Stock(limit=16 * MIB)), Borrower(), []

    def work(seed: int) -> None:
        mine = array(seed, SIZE)
        for _ in range(30):
            loan = lender.lend(mine)
            if loan is not None:
                if bytes(borrower.borrow(loan)) != bytes(mine):
                    wrong.append(loan)
                lender.returned(loan.number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert lender.out == 0
    lender.close()


def test_few_descriptors_are_left_to_others(peer: Peer):
    assert peer.ask("lend_with_few_descriptors", 9, SIZE) is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.ENOMEM])
def test_where_memory_is_short_it_has_to_be_sent(lender: Lender, monkeypatch: pytest.MonkeyPatch, code: int):
    def short(*_: int) -> None:
        raise OSError(code, "no memory")

    monkeypatch.setattr(os, "posix_fallocate", short)
    assert lender.lend(array(10, SIZE)) is None
    assert lender.out == 0
    monkeypatch.undo()
    assert lender.lend(array(10, SIZE)) is not None


def test_who_is_interrupted_amid_the_copy_has_lent_nothing(lender: Lender, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_fallocate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lender.lend(array(11, SIZE))
    assert lender.out == 0


def test_one_who_lends_amid_the_lending_of_the_same_thread_has_to_send():
    """As a finalizer does, or a signal handler."""
    amid: list[Loan | None] = []

    def clock() -> float:
        if not amid:
            amid.append(mine.lend(array(12, SIZE)))
        return 0.0

    mine = Lender(Stock(clock=clock))
    assert mine.lend(array(13, SIZE)) is not None
    assert amid == [None]
    mine.close()


def test_a_forked_copy_lends_nothing_and_disturbs_nothing(peer: Peer):
    loan, borrower = Loan(*peer.ask("lend", 14, SIZE)), Borrower()
    kept = peer.ask("out")
    assert peer.ask("lend_in_a_fork", 15, SIZE) == 0
    assert peer.ask("out") == kept
    assert digest(borrower.borrow(loan)) == digest(array(14, SIZE))
    peer.ask("returned", loan.number)
    assert peer.ask("lend_in_a_fork", 15, SIZE) == 0


def test_a_python_without_memory_files_has_to_send(monkeypatch: pytest.MonkeyPatch):
    """As one that was built for an old libc."""
    monkeypatch.delattr(os, "memfd_create")
    assert Lender().lend(array(31, SIZE)) is None


# --- what is refused


def changed(loan: Loan) -> dict[str, Loan]:
    return {
        "another file's number": loan._replace(inode=loan.inode + 1),
        "another descriptor": loan._replace(fd=0),
        "no descriptor": loan._replace(fd=999),
        "another process": loan._replace(pid=os.getppid()),
        "no process": loan._replace(pid=2**22 + 1),
        "another number": loan._replace(number=loan.number + 1),
        "no number": loan._replace(number=0),
        "a part within": loan._replace(offset=loan.offset + MIB, size=4096),
        "the table": loan._replace(offset=0, size=4096),
        "no bytes": loan._replace(size=0),
        "more than there is": loan._replace(size=LIMIT * 2),
        "a place outside": loan._replace(offset=LIMIT * 2),
        "large numbers": Loan(*(2**63 - 1,) * 6),
    }


@pytest.mark.parametrize("what", changed(Loan(1, 1, 1, 1, 1, 1)))
@pytest.mark.parametrize("known", [True, False], ids=["mapped", "new"])
def test_a_loan_that_is_not_there_is_refused(lender: Lender, what: str, known: bool):  # noqa: FBT001
    loan, borrower = lent(lender, array(16, SIZE)), Borrower()
    if known:
        borrower.borrow(loan)
        borrower.given_back.clear()
    with pytest.raises(ProtocolError):
        borrower.borrow(changed(loan)[what])
    assert not borrower.given_back
    assert digest(borrower.borrow(loan)) == digest(array(16, SIZE))


def test_a_file_that_could_be_cut_under_its_reader_is_refused(tmp_path: Path):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(8 * MIB)
        loan = Loan(1, os.getpid(), file.fileno(), os.fstat(file.fileno()).st_ino, TABLE, MIB)
        with pytest.raises(ProtocolError, match="process"):
            Borrower().borrow(loan)
    unsealed = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(unsealed, 8 * MIB)
        loan = loan._replace(fd=unsealed, inode=os.fstat(unsealed).st_ino)
        with pytest.raises(ProtocolError, match="cut"):
            Borrower().borrow(loan)
        fcntl.fcntl(unsealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        with pytest.raises(ProtocolError, match="cut"):
            Borrower().borrow(loan)
    finally:
        os.close(unsealed)


def test_a_pipe_under_that_number_is_not_even_opened(tmp_path: Path):
    """To open its end would wait for somebody at the other, or wake who waits there."""
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        with pytest.raises(ProtocolError, match="another file"):
            Borrower().borrow(Loan(1, os.getpid(), pipe, os.fstat(pipe).st_ino, TABLE, MIB))
    finally:
        os.close(pipe)


def test_what_is_lent_can_neither_be_cut_nor_lengthened_by_anybody(peer: Peer, lender: Lender):
    loan = lent(lender, array(17, SIZE))
    for size in (0, 4096, LIMIT * 2):
        with pytest.raises(PermissionError):
            os.ftruncate(loan.fd, size)
        with pytest.raises(PermissionError):
            peer.ask("cut", loan, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(loan.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def test_what_is_lent_has_no_name_anywhere(lender: Lender):
    loan = lent(lender, array(30, BULK))
    assert os.fstat(loan.fd).st_nlink == 0
    assert not os.get_inheritable(loan.fd)


def test_a_number_comes_back_once():
    lender = Lender()
    one = lent(lender, array(18, SIZE))
    lender.returned(one.number)
    two = lent(lender, array(19, SIZE))
    lender.returned(one.number)
    assert lender.out == 1
    assert digest(Borrower().borrow(two)) == digest(array(19, SIZE))
    lender.close()


# --- ends


def test_a_killed_lender_leaves_what_is_read_and_nothing_else():
    borrower = Borrower()
    with Peer() as peer:
        read, unread = Loan(*peer.ask("lend", 20, SIZE)), Loan(*peer.ask("lend", 21, 65 * MIB))
        assert unread.inode != read.inode
        view = borrower.borrow(read)
        peer.kill()
        assert digest(view) == digest(array(20, SIZE))
        with pytest.raises(ProtocolError, match="cannot be had"):
            borrower.borrow(unread)
    borrower.tidy()
    assert digest(view) == digest(array(20, SIZE))
    del view
    assert not is_mapped(read)


def test_a_killed_borrower_forfeits_what_it_had(lender: Lender):
    with Peer() as peer:
        loans = [lent(lender, array(22, SIZE)) for _ in range(3)]
        peer.ask("borrow", loans[0], "a")
        peer.kill()
    lender.forfeit()
    assert lender.out == 0
    again = lent(lender, array(23, SIZE))
    assert (again.inode, again.offset) == (loans[0].inode, loans[0].offset)
    for loan in loans:
        with pytest.raises(ProtocolError, match="not there"):
            Borrower().borrow(loan)
    assert digest(Borrower().borrow(again)) == digest(array(23, SIZE))


def test_what_is_just_being_lent_is_for_the_next_one_and_not_forfeited(lender: Lender, monkeypatch: pytest.MonkeyPatch):
    allocate = os.posix_fallocate

    def amid(fd: int, at: int, size: int) -> None:
        lender.forfeit()
        allocate(fd, at, size)

    monkeypatch.setattr(os, "posix_fallocate", amid)
    assert digest(Borrower().borrow(lent(lender, array(24, SIZE)))) == digest(array(24, SIZE))
    lender.forfeit()
    assert lender.out == 0


def test_memory_that_is_idle_goes_though_the_borrower_has_it_mapped(peer: Peer):
    now = 100.0
    lender = Lender(Stock(clock=lambda: now))
    loan = lent(lender, array(25, SIZE))
    peer.ask("borrow", loan, "a")
    watched = os.open(f"/proc/self/fd/{loan.fd}", os.O_RDONLY)
    try:
        assert held(watched) >= SIZE
        now = 200.0
        assert lender.stock.let_go(10)  # what is lent is not idle
        assert peer.ask("look", "a") == digest(array(25, SIZE))
        peer.ask("drop", "a")
        lender.returned(loan.number)
        assert lender.stock.let_go(101)
        assert held(watched) >= SIZE
        assert not lender.stock.let_go(10)
        assert held(watched) == 0
    finally:
        os.close(watched)
    assert peer.ask("borrow", lent(lender, array(26, SIZE)), "b") == digest(array(26, SIZE))
    peer.ask("drop", "b")
    lender.close()


def test_a_borrower_lets_go_of_what_its_lender_let_go_of():
    lender, borrower = Lender(), Borrower()
    loan = lent(lender, array(27, SIZE))
    view = borrower.borrow(loan)
    borrower.tidy()
    assert digest(view) == digest(array(27, SIZE))
    del view
    lender.close()
    assert is_mapped(loan)
    borrower.tidy()
    assert not is_mapped(loan)


def test_views_outlive_both_ends():
    lender, borrower = Lender(), Borrower()
    loan = lent(lender, array(28, SIZE))
    view = borrower.borrow(loan)
    lender.close()
    borrower.close()
    assert digest(view) == digest(array(28, SIZE))
    del view
    assert not is_mapped(loan)


def test_a_borrower_keeps_no_descriptor(lender: Lender):
    borrower = Borrower()
    before = len(os.listdir("/proc/self/fd"))
    views = [borrower.borrow(lent(lender, array(29, BULK))) for _ in range(5)]
    assert len(os.listdir("/proc/self/fd")) == before + 1  # the lender's own
    assert {view.nbytes for view in views} == {BULK}


def test_views_that_hang_in_cycles_are_collected(lender: Lender):
    """A view of a view would crash the interpreter there, up to Python 3.12.6."""
    borrower = Borrower()
    for seed in range(4):
        ring: list[Any] = [borrower.borrow(lent(lender, array(seed, BULK)))]
        ring.extend([ring, ring[0][1:], memoryview(ring[0]), np.frombuffer(ring[0], "u1")])
        del ring
        gc.collect()
        assert len(borrower.given_back) == seed + 1
