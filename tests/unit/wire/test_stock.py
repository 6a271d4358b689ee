"""What several lend to the same receiver: within one limit, each by itself, and what one leaves when it ends."""

from __future__ import annotations

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wire.fire import under_fire
from tests.unit.wire.peers import array, digest
from understudy.wire.arena import LEAST, Arena
from understudy.wire.bulk import Borrower, Lender, Loan
from understudy.wire.stock import Stock

MIB = 1 << 20
pytestmark = pytest.mark.requirement("A7")


def lent(lender: Lender, seed: int, size: int = MIB) -> Loan:
    loan = lender.lend(array(seed, size))
    assert loan is not None
    return loan


def reads(loan: Loan, seed: int, size: int = MIB) -> bool:
    return digest(Borrower().borrow(loan)) == digest(array(seed, size))


def is_open(loan: Loan) -> bool:
    """Whether its memory is still this process's."""
    try:
        return os.stat(f"/proc/self/fd/{loan.fd}").st_ino == loan.inode
    except FileNotFoundError:
        return False


def test_threads_that_lend_of_one_stock_keep_its_limit_together():
    stock = Stock(limit=16 * MIB)
    lenders = [Lender(stock) for _ in range(5)]
    loans: list[list[Loan | None]] = [[] for _ in lenders]
    begin = threading.Barrier(5)

    def lends(at: int) -> None:
        begin.wait(20)
        loans[at].extend(lenders[at].lend(array(at, MIB)) for _ in range(8))

    threads = [threading.Thread(target=lends, args=(at,)) for at in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out = [(at, loan) for at, several in enumerate(loans) for loan in several if loan is not None]
    assert len(out) == 16
    assert [lender.out for lender in lenders] == [sum(loan is not None for loan in several) for several in loans]
    assert sum(arena.capacity for arena in stock._arenas) == 16 * MIB
    assert all(reads(loan, at) for at, loan in out)
    for at, loan in out:
        lenders[at].returned(loan.number)
    assert lenders[0].lend(bytes(16 * MIB)) is not None, "all is back"
    assert lenders[1].lend(bytes(MIB)) is None
    stock.close()


def test_what_one_has_lent_comes_back_to_it_alone():
    stock = Stock()
    one, two = Lender(stock), Lender(stock)
    loan = lent(one, 1)
    two.returned(loan.number)
    two.forfeit()
    assert (one.numbers, two.numbers) == ([loan.number], [])
    assert reads(loan, 1)
    stock.close()


def test_what_one_leaves_stays_as_it_is_and_goes_with_the_loans_beside_it():
    stock, borrower = Stock(limit=8 * MIB), Borrower()
    one, two = Lender(stock), Lender(stock)
    left, beside = lent(one, 1), lent(two, 2)
    view = borrower.borrow(left)
    one.close()
    assert one.lend(bytes(MIB)) is None
    assert is_open(left)
    more = [lent(two, 3) for _ in range(6)]
    assert {loan.inode for loan in (left, beside, *more)} == {left.inode}
    assert two.lend(bytes(MIB)) is None, "the place of what was left is not used again"
    assert reads(left, 1), "who has not yet begun to read it may do so still"
    for loan in more:
        two.returned(loan.number)
    assert is_open(left)
    two.returned(beside.number)
    assert not is_open(left)
    assert stock._arenas == []
    assert digest(view) == digest(array(1, MIB))
    assert two.lend(bytes(8 * MIB)) is not None, "it counts no more"
    stock.close()


def test_new_loans_keep_away_from_memory_that_is_to_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("understudy.wire.stock._FIRST", 4 * MIB)
    stock = Stock(limit=12 * MIB)
    one, two = Lender(stock), Lender(stock)
    left, beside = lent(one, 1), lent(two, 2)
    other = [lent(two, 3) for _ in range(4)][-1]
    assert other.inode != left.inode
    one.close()
    assert lent(two, 4).inode == other.inode
    two.returned(beside.number)
    assert lent(two, 5).inode == other.inode
    assert lent(two, 6).inode == left.inode, "before there is further memory"
    stock.close()


def test_of_who_ends_what_was_never_sent_is_back():
    stock = Stock(limit=2 * MIB)
    one, two = Lender(stock), Lender(stock)
    sent, kept = lent(one, 1), lent(one, 2)
    assert two.lend(bytes(MIB)) is None
    one.close([sent.number])
    assert not is_open(kept), "the rest was left, so it went"
    assert lent(two, 3).inode != sent.inode
    stock.close()


def test_with_the_last_one_that_lends_all_memory_goes():
    stock = Stock()
    one, two = Lender(stock), Lender(stock)
    loan = lent(one, 1)
    one.returned(loan.number)
    one.close()
    assert is_open(loan), "the other one may use it again"
    assert lent(two, 2).inode == loan.inode
    two.close()
    assert not is_open(loan)
    assert lent(Lender(stock), 3)


def test_who_is_collected_leaves_what_it_lent():
    stock = Stock()
    loan = lent(Lender(stock), 1)
    assert not is_open(loan)
    assert stock._arenas == []


def test_a_stock_that_is_closed_lends_to_nobody_and_has_nothing_out():
    stock = Stock()
    one, two = Lender(stock), Lender(stock)
    loan = lent(one, 1)
    view = Borrower().borrow(loan)
    stock.close()
    assert (one.numbers, one.lend(bytes(MIB)), two.lend(bytes(MIB))) == ([], None, None)
    assert not is_open(loan)
    assert digest(view) == digest(array(1, MIB))
    one.close()


def test_who_ends_amid_a_step_of_the_same_thread_disturbs_nothing():
    """As one that a finalizer lets go of."""
    ends: list[Lender] = []

    def clock() -> float:
        while ends:
            ends.pop().close()
        return 0.0

    stock = Stock(limit=4 * MIB, clock=clock)
    one, two = Lender(stock), Lender(stock)
    left = lent(one, 1)
    ends.append(one)
    beside = lent(two, 2)
    assert reads(beside, 2)
    assert reads(left, 1)
    two.returned(beside.number)
    assert not is_open(left)


def test_what_is_back_waits_for_nobody_who_places_something_meanwhile():
    """For that one may be struck by what waits for who gives it back."""
    placing, done = threading.Event(), threading.Event()

    def clock() -> float:
        placing.set()
        assert done.wait(20), "nobody has to wait for the clock"
        return 0.0

    stock = Stock(clock=clock)
    done.set()
    one, two = Lender(stock), Lender(stock)
    back, left = lent(one, 1), lent(two, 2)
    placing.clear()
    done.clear()
    more: list[Loan | None] = []
    places = threading.Thread(target=lambda: more.append(one.lend(array(3, MIB))))
    places.start()
    assert placing.wait(20)
    one.returned(back.number)
    two.close()
    done.set()
    places.join()
    (arena,) = stock._arenas
    assert arena.loans == [left.number, more[0].number]  # type: ignore[union-attr]
    one.returned(more[0].number)  # type: ignore[union-attr]
    assert stock._arenas == []


def test_who_would_lend_waits_no_longer_than_a_moment_for_another_who_places_something(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("understudy.wire.stock._PATIENCE", 0.01)
    placing, done = threading.Event(), threading.Event()

    def clock() -> float:
        placing.set()
        assert done.wait(20), "nobody has to wait for the clock"
        return 0.0

    stock = Stock(clock=clock)
    one, two = Lender(stock), Lender(stock)
    with ThreadPoolExecutor(1) as pool:
        placed = pool.submit(lent, one, 1)
        assert placing.wait(20)
        assert two.lend(array(2, MIB)) is None, "it is sent"
        done.set()
        assert reads(placed.result(20), 1)
    assert (one.out, two.out) == (1, 0)
    assert lent(two, 2)
    stock.close()


def test_who_ends_while_it_writes_has_lent_nothing(monkeypatch: pytest.MonkeyPatch):
    stock = Stock(limit=MIB)
    one, two = Lender(stock), Lender(stock)
    allocate = os.posix_fallocate

    def amid(fd: int, at: int, size: int) -> None:
        one.close([])
        allocate(fd, at, size)

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", amid)
        assert one.lend(bytes(MIB)) is None
    assert one.numbers == []
    assert lent(two, 2)
    stock.close()


def test_whatever_strikes_who_gives_back_leaves_the_stock_to_the_other_threads():
    stock = Stock(limit=2 * MIB)
    one, two = Lender(stock), Lender(stock)
    lent(one, 1)

    def act() -> None:
        for _ in range(20):
            if (loan := two.lend(bytes(MIB))) is not None:
                two.returned(loan.number)

    under_fire(act, 400)
    two.forfeit()  # what was lent amid a strike
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lent, two, 2).result(20)
    stock.close()


def test_who_ends_as_it_is_about_to_place_something_leaves_no_memory(monkeypatch: pytest.MonkeyPatch):
    stock = Stock()
    one = Lender(stock)

    placing = Stock.place

    def place(self: Stock, number: int, nbytes: int) -> Arena | None:
        one.close([])
        return placing(self, number, nbytes)

    monkeypatch.setattr(Stock, "place", place)
    assert one.lend(bytes(MIB)) is None
    assert stock._arenas == []


def test_memory_whose_pages_are_locked_in_is_let_go_of_all_the_same():
    stock = Stock()
    one = Lender(stock)
    loan = lent(one, 1)
    (arena,) = stock._arenas
    page = ctypes.c_void_p(ctypes.addressof(arena._memory.part(0, 1)))
    assert ctypes.CDLL(None, use_errno=True).mlock(page, ctypes.c_size_t(1)) == 0
    del arena
    one.returned(loan.number)
    one.close()
    assert not is_open(loan)
    stock.close()


steps = st.lists(st.tuples(st.sampled_from(["lend", "back", "end"]), st.integers(0, 2), st.integers(0, 9)), max_size=25)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_whoever_lends_gives_back_or_ends_what_is_out_stays_as_it_was(taken: list[tuple[str, int, int]]):
    stock, borrower = Stock(limit=6 * LEAST), Borrower()
    lenders = [Lender(stock) for _ in range(3)]
    out: list[list[tuple[Loan, memoryview, bytes]]] = [[], [], []]
    left: list[tuple[Loan, memoryview, bytes]] = []
    for seed, (what, at, which) in enumerate(taken):
        if what == "lend":
            data = bytes([seed]) * MIB
            if (loan := lenders[at].lend(data)) is not None:
                out[at].append((loan, borrower.borrow(loan), data))
        elif what == "back" and out[at]:
            loan, *_ = out[at].pop(which % len(out[at]))
            lenders[at].returned(loan.number)
        elif what == "end":
            lenders[at].close()
            left += out[at]
            lenders[at], out[at] = Lender(stock), []
        assert sum(arena.capacity for arena in stock._arenas) <= 6 * LEAST
        assert [lender.out for lender in lenders] == [len(several) for several in out]
        assert all(view == data for _, view, data in [*left, *out[0], *out[1], *out[2]])
    for lender, several in zip(lenders, out, strict=True):
        for loan, *_ in several:
            lender.returned(loan.number)
    assert not any(arena.loans for arena in stock._arenas), "with the last loans what was left has gone"
    stock.close()
