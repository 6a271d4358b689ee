"""Large payloads on real actors: read in place, used again, and nothing of them left whoever is killed."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from tests.stage import gone, hold, note, noted, notes, parent, said, until
from understudy import ActorDied, ActorSystem, AskTimeout, MailboxFull, Process
from understudy.mail import borrowing, lending
from understudy.wire import arena, bulk, stock

LONG = 60
MIB = 1 << 20
SIZE = 4 * MIB
SLACK = 2 * MIB
"""Bytes that a process may grow by for other reasons."""
LENT = ["r--s", "/memfd:understudy-bulk"]
SOON = 0.05
"""Seconds, in place of ten, after which it is looked at what is kept and who is gone."""


def look_soon():
    lending._IDLE = borrowing._IDLE = SOON


@pytest.fixture
def soon(monkeypatch):
    """For this process; an actor is told so by itself."""
    monkeypatch.setattr(lending, "_IDLE", SOON)
    monkeypatch.setattr(borrowing, "_IDLE", SOON)


class Keeper(Process):
    """Looks at what it is sent, and keeps it if it is told to."""

    def __init__(self, *, soon=False, lives=1, limit=None, **mailbox):
        self.soon, self.kept, self.limit = soon, [], limit
        self.config.lives = lives
        for name, value in mailbox.items():
            setattr(self.config.mailbox, name, value)

    def __preloop__(self):
        if self.soon:
            look_soon()
        if self.limit:
            stock.LIMIT = self.limit

    def __receive__(self, message):
        if not isinstance(message, list):
            return self.keep(message)
        verb, *parts = message
        return getattr(self, verb)(*parts)

    def look(self, thing):
        return seen(thing)

    def keep(self, thing):
        self.kept.append(thing)
        return seen(thing)

    def note(self, path, thing):
        note(path, thing[0])

    def make(self, byte, size=SIZE):
        return of(byte, size)

    def get(self, ref, *what):
        return self.keep(ref.ask([*what], LONG))

    def get_aside(self, ref, *what):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self.get, ref, *what).result()

    def read_later(self, thing, gate):
        threading.Thread(target=reads_after, args=(gate, [thing]), daemon=True).start()

    def hold(self, begun, gate):
        note(begun, "begun")
        hold(gate)
        return of(9)

    def answer_later(self, begun, gate, answered):
        note(begun, "begun")
        threading.Thread(target=answers_after, args=(gate, self.defer(), answered), daemon=True).start()

    def look_again(self):
        return [seen(thing) for thing in self.kept]

    def drop(self):
        self.kept.clear()

    def drop_first(self):
        del self.kept[0]

    def anonymous(self):
        return anonymous()

    def pid(self):
        return os.getpid()


class Falling(Keeper):
    """Is killed as it maps the first that it is sent: right before that, and in the next life right after it."""

    def __preloop__(self):
        super().__preloop__()
        really = arena.mapped

        def falls(*where):
            memory = really(*where) if self.incarnation == 2 else None
            if self.incarnation <= 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return memory or really(*where)

        bulk.mapped = falls  # type: ignore[attr-defined]


class Table:
    """Stands for what gives its buffers away, as Arrow's tables do: opened, it lies where these are."""

    def __init__(self, *columns):
        self.columns = columns

    def __reduce_ex__(self, protocol):
        return Table, tuple(pickle.PickleBuffer(column) for column in self.columns)


def reads_after(gate, things):
    """The last view of it, in a thread of the actor's own."""
    hold(gate)
    things.pop().sum()


def answers_after(gate, answer, answered):
    hold(gate)
    answer.reply(of(9))
    note(answered, "answered")


def of(byte, size=SIZE):
    return np.full(size, byte, np.uint8)


def seen(thing):
    """What it is, and in which kind of memory it lies; nothing of it is copied, and nothing keeps it."""
    if isinstance(thing, Table):
        return [seen(np.frombuffer(column, np.uint8)) for column in thing.columns]
    if isinstance(thing, np.ndarray):
        return [thing.nbytes, int(thing[0]), int(thing[-1]), thing.flags.writeable, *memory_of(thing)]
    return [type(thing).__name__, len(thing), thing[:3], thing[-3:]]


def memory_of(array):
    """Rights and name of the mapping in which an array lies."""
    address = array.ctypes.data
    with open("/proc/self/maps") as file:
        for line in file:
            span, rights, _, _, _, *name = line.split()
            begin, end = (int(part, 16) for part in span.split("-"))
            if begin <= address < end:
                return [rights, *name[:1]]
    raise AssertionError(f"nothing is mapped at {address:x}")


def anonymous(pid="self"):
    """Bytes of memory that are the process's own: no mapped file's, and nobody else's."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Anonymous:"))


def memories(pid):
    """The paths by which memory that a process lends can be opened."""
    folder = f"/proc/{pid}/fd"
    return [path for fd in os.listdir(folder) if "understudy-bulk" in target(path := f"{folder}/{fd}")]


def loans(pid):
    """How many loans of a process are out, by the tables in its memories."""
    out = 0
    for path in memories(pid):
        with open(path, "rb") as file:
            out += sum(number != 0 for number in struct.unpack("512Q", file.read(4096)))
    return out


def target(path):
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


def mapped(pid):
    """The lines of the mappings in which lent memory lies."""
    with open(f"/proc/{pid}/maps") as file:
        return [line for line in file if "understudy-bulk" in line]


def lender(ref):
    """What this thread lends that actor."""
    return ref._post._own.links[ref.uid].lender


def has_let_go(pid):
    return not memories(pid)


def give_up(ref, message, begun, count):
    """Ask, until it is in hand so often as the notes say; then nobody waits for the answer any more."""
    seconds = 0.1
    while len(notes(begun)) < count:
        with pytest.raises(AskTimeout):
            ref.ask(message, seconds)
        seconds *= 2


def takes(ref):
    """Whether there is room in its mailbox, also in one that raises where there is none."""
    try:
        return ref.ask(["pid"], LONG)
    except MailboxFull:
        return None


def killed(ref):
    pid = ref.info().pid
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    until(lambda: ref.info().pid != pid, 20, "its end being known")  # what is asked before may fail with it


# --- in place


def test_who_dies_after_its_answer_and_before_that_is_opened_has_died_for_the_asker(system, monkeypatch):
    ref = system.spawn(Keeper, lives=2)
    pid = ref.ask(["pid"], LONG)
    sender = ref._post._own.sender
    opened = sender.opened

    def opened_late(link, said):
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        return opened(link, said)

    monkeypatch.setattr(sender, "opened", opened_late)
    with pytest.raises(ActorDied, match="has answered, and what it lent"):
        ref.ask(["make", 7], LONG)
    monkeypatch.undo()
    until(lambda: ref.info().incarnation == 2, 20, "the next life")
    assert ref.ask(["make", 7], LONG)[0] == 7


@pytest.mark.requirement("A7")
def test_arrays_are_read_in_place_and_never_twice_in_memory_whichever_way_they_go(system):
    ref = system.spawn(Keeper)
    ref.ask(["look", of(1)], LONG)  # whatever is made once is made
    before = ref.ask(["anonymous"], LONG)
    assert ref.ask(["keep", of(7)], LONG) == [SIZE, 7, 7, False, *LENT]
    assert ref.ask(["anonymous"], LONG) - before < SLACK
    assert ref.ask(["look_again"], LONG) == [[SIZE, 7, 7, False, *LENT]]
    back = ref.ask(["make", 8], LONG)
    assert seen(back) == [SIZE, 8, 8, False, *LENT]
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        back.flags.writeable = True


@pytest.mark.requirement("A7")
def test_what_gives_its_buffers_away_lies_in_the_lent_ones(system):
    ref = system.spawn(Keeper)
    table = Table(of(1, MIB), of(2, 1000), of(3))
    large, small, last = ref.ask(["keep", table], LONG)
    assert [large, last] == [[MIB, 1, 1, False, *LENT], [SIZE, 3, 3, False, *LENT]]
    assert small[:3] == [1000, 2, 2]
    assert "memfd" not in str(small[3:]), "less than a MiB is sent"


@pytest.fixture(scope="module")
def arrow():
    """Where it is installed; its native threads start with its first table, and belong to no test."""
    arrow = pytest.importorskip("pyarrow")
    arrow.table({"a": np.arange(MIB)})
    return arrow


@pytest.mark.requirement("A7")
def test_tables_of_arrow_are_read_in_place(arrow, system):
    ref = system.spawn(ReadsArrow)
    table = arrow.table({"a": np.arange(MIB), "b": np.ones(MIB)})
    assert ref.ask(table, LONG) == (MIB * (MIB - 1) // 2, *LENT)


class ReadsArrow(Process):
    def __receive__(self, table):
        column = table["a"].chunk(0).to_numpy()
        return int(column.sum()), *memory_of(column)


@pytest.mark.requirement("A7")
@pytest.mark.parametrize("part", [b"ab", bytearray(b"cd"), "ef"], ids=["bytes", "bytearray", "str"])
def test_bytes_and_the_like_arrive_as_themselves_by_one_copy_which_is_their_own(system, part):
    ref, thing = system.spawn(Keeper), part * SIZE
    told = [type(thing).__name__, 2 * SIZE, thing[:3], thing[-3:]]
    assert ref.ask(["look", thing], LONG) == told, "among other things"
    before = ref.ask(["anonymous"], LONG)
    assert ref.ask(thing, LONG) == told
    assert ref.ask(["anonymous"], LONG) - before < 2 * SIZE + SLACK
    until(lambda: ref.ask(["pid"], LONG) and lender(ref).out == 0, 20, "what was copied being back")
    assert memories(os.getpid()), "it was lent"


# --- used again


@pytest.mark.requirement("A7")
def test_memory_is_used_again_when_the_last_view_is_gone_for_messages_and_answers_alike(system):
    ref = system.spawn(Keeper)
    pid = ref.ask(["pid"], LONG)
    for number in range(30):  # 120 MiB each way
        assert ref.ask(["look", of(number)], LONG) == [SIZE, number, number, False, *LENT]
        assert seen(ref.ask(["make", number], LONG)) == [SIZE, number, number, False, *LENT]
    for one in (os.getpid(), pid):
        (memory,) = memories(one)
        assert os.stat(memory).st_blocks * 512 <= 4 * SIZE, "what is used again is not filled anew"


@pytest.mark.requirement("A7")
def test_what_is_kept_stays_as_it_was_whatever_is_sent_later(system):
    ref = system.spawn(Keeper)
    for number in range(6):
        ref.ask(["keep" if number % 2 else "look", of(number)], LONG)
    answers = [ref.ask(["make", number], LONG) for number in range(3)]
    for number in range(10, 20):
        assert ref.ask(["look", of(number)], LONG)[1] == number
        assert ref.ask(["make", number], LONG)[0] == number
    assert [kept[1:3] for kept in ref.ask(["look_again"], LONG)] == [[1, 1], [3, 3], [5, 5]]
    assert all((answer == number).all() for number, answer in enumerate(answers))
    until(lambda: ref.ask(["pid"], LONG) and lender(ref).out == 3, 20, "all others being back")
    ref.ask(["drop"], LONG)
    until(lambda: ref.ask(["pid"], LONG) and lender(ref).out == 0, 20, "these being back")


@pytest.mark.requirement("A7")
def test_who_only_tells_uses_memory_again_and_lets_go_of_it_when_nothing_more_is_told(system, soon, tmp_path):
    ref = system.spawn(Keeper)
    count = 0

    def told_one_more():
        nonlocal count
        ref.tell(["note", str(tmp_path / "notes"), of(1, MIB)])
        count += 1
        noted(tmp_path / "notes", count)
        return count > 5 and lender(ref).out <= 2

    lending._IDLE = LONG  # so nobody else looks
    until(told_one_more, 20, "what was told before being lent anew")
    lending._IDLE = SOON
    ref.tell(["note", str(tmp_path / "notes"), of(1, MIB)])
    until(lambda: has_let_go(os.getpid()), 20, "all being back, and let go of")


@pytest.mark.requirement("A7")
def test_an_answer_that_nobody_reads_any_more_is_given_back_though_nothing_more_is_said(system, tmp_path):
    ref, other = system.spawn(Keeper), system.spawn(Keeper)
    pid = ref.ask(["pid"], LONG)
    back = [ref.ask(["make", 1], LONG)]
    assert loans(pid) == 1
    back.clear()
    until(lambda: loans(pid) == 0, 20, "its being given back by who is at something else")
    back = [ref.ask(["make", 1], LONG)]
    other.tell(["hold", str(tmp_path / "begun"), str(tmp_path / "gate")])
    noted(tmp_path / "begun")

    def amid_the_wait():
        back.clear()
        try:
            until(lambda: loans(pid) == 0, 20, "its being given back by who waits for another answer")
        finally:
            (tmp_path / "gate").touch()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(amid_the_wait)
        other.ask(["pid"], LONG)
        done.result()

    async def from_a_loop():
        back = [await ref.aio.ask(["make", 1], LONG)]
        assert loans(pid) == 1
        back.clear()
        await asyncio.to_thread(until, lambda: loans(pid) == 0, 20, "its being given back by the courier")

    asyncio.run(from_a_loop())


@pytest.mark.requirement("A7")
def test_the_last_view_may_go_amid_any_step_of_who_sends_and_of_who_looks_after_it(system):
    ref = system.spawn(Keeper)
    held: list[Any] = []
    pid = ref.ask(["pid"], LONG)

    def strike(frame, event, _):
        """As the garbage collector does."""
        if f"{os.sep}mail{os.sep}" not in frame.f_code.co_filename:
            return None
        if event == "line" and held:
            held.pop()
        return strike

    before = sys.gettrace()
    threading.settrace(strike)  # of the flusher, which begins with the first loan
    try:
        for number in range(20):
            held.extend([ref.ask(["make", number, MIB], LONG) for _ in range(10)])
            sys.settrace(strike)
            ref.tell(["look", of(number, MIB)])
            assert ref.ask(["look", of(number, MIB)], LONG)[1] == number
            sys.settrace(before)
    finally:
        sys.settrace(before)
        threading.settrace(None)
    held.clear()
    until(lambda: loans(pid) == 0, 20, "all being back")


@pytest.mark.requirement("A7")
@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_actor_that_waits_gives_back_what_another_of_its_threads_has_read(system, soon, tmp_path, concurrency):
    ref = system.spawn(Keeper, concurrency=concurrency)
    ref.ask(["read_later", of(1), str(tmp_path / "gate")], LONG)
    assert loans(os.getpid()) == 1
    (tmp_path / "gate").touch()
    until(lambda: has_let_go(os.getpid()), 20, "its being back, though it is sent nothing more")


# --- the limit


@pytest.mark.requirement("A7")
def test_beyond_256_mib_between_two_the_rest_is_sent_until_something_is_back(system):
    ref = system.spawn(Keeper)
    large, rest = np.zeros(200 * MIB, np.uint8), of(5, 40 * MIB)
    assert ref.ask(["keep", large], LONG)[4:] == LENT
    assert ref.ask(["keep", rest], LONG)[4:] == LENT
    sent = ref.ask(["keep", rest], LONG)
    assert sent[:4] == [40 * MIB, 5, 5, True]
    assert sent[4:] != LENT
    assert sum(os.stat(path).st_size for path in memories(os.getpid())) <= 257 * MIB
    ref.ask(["drop"], LONG)
    until(lambda: ref.ask(["look", rest], LONG)[4:] == LENT, 20, "its being lent again")


LITTLE = 32 * MIB
"""In place of 256 MiB."""


@pytest.mark.requirement("A7")
def test_threads_and_loops_that_send_to_one_actor_have_one_limit_together(system, soon, monkeypatch):
    monkeypatch.setattr(stock, "LIMIT", LITTLE)
    ref, together = system.spawn(Keeper), threading.Barrier(5)

    def keeps(number):
        together.wait(LONG)  # so each is a thread of its own
        return [ref.ask(["keep", of(number)], LONG) for _ in range(3)]

    async def keeps_from_a_loop(number):
        return [await ref.aio.ask(["keep", of(number)], LONG) for _ in range(3)]

    def lent_of(kept):
        assert sorted(one[1] for one in kept) == sorted([*range(5)] * 3), "all have arrived"
        assert all(one[:3] == [SIZE, one[1], one[1]] for one in kept)
        return sum(one[4:] == LENT for one in kept)

    with ThreadPoolExecutor(5) as pool:
        threads = [pool.submit(keeps, number) for number in range(4)]
        loop = pool.submit(lambda: (together.wait(LONG), asyncio.run(keeps_from_a_loop(4)))[1])
        kept = [one for done in (*threads, loop) for one in done.result(LONG)]
        assert lent_of(kept) == LITTLE // SIZE, "as much as can be lent; the rest was sent"
        assert lent_of(ref.ask(["look_again"], LONG)) == LITTLE // SIZE
        assert loans(os.getpid()) == LITTLE // SIZE
        assert sum(os.stat(path).st_size for path in memories(os.getpid())) <= LITTLE + MIB
        ref.ask(["drop"], LONG)
        until(lambda: has_let_go(os.getpid()), 20, "all being back, of threads too that say nothing more")
        assert lent_of([one for done in pool.map(keeps, range(5)) for one in done]) == LITTLE // SIZE


@pytest.mark.requirement("A7")
def test_answers_to_all_threads_of_a_process_have_one_limit_together(system):
    ref, together = system.spawn(Keeper, soon=True, limit=LITTLE), threading.Barrier(5)
    pid = ref.ask(["pid"], LONG)

    def gets(number):
        together.wait(LONG)
        return [ref.ask(["make", number], LONG) for _ in range(3)]

    with ThreadPoolExecutor(5) as pool:
        answers = [one for got in pool.map(gets, range(5)) for one in got]
        assert all((one == at // 3).all() for at, one in enumerate(answers))
        assert sum(memory_of(one) == LENT for one in answers) == LITTLE // SIZE
        assert loans(pid) == LITTLE // SIZE
        assert sum(os.stat(path).st_size for path in memories(pid)) <= LITTLE + MIB
        del answers
        until(lambda: has_let_go(pid), 20, "all being back")


@pytest.mark.requirement("A7")
def test_messages_to_an_actor_and_answers_to_it_have_one_limit_together(system):
    one, other = system.spawn(Keeper, limit=LITTLE), system.spawn(Keeper)
    for number in range(6):
        other.ask(["get", one, "make", number], LONG)
        one.ask(["get", other, "keep", of(number)], LONG)
    kept = other.ask(["look_again"], LONG)
    assert [seen[:3] for seen in kept] == [[SIZE, number, number] for number in range(6) for _ in range(2)]
    assert [seen[4:] == LENT for seen in kept] == [True] * 8 + [False] * 4
    assert loans(one.ask(["pid"], LONG)) == LITTLE // SIZE


@pytest.mark.requirement("A7")
def test_a_thread_that_ends_with_loans_out_leaves_the_others_theirs_and_its_memory_goes_with_them(system):
    ref = system.spawn(Keeper)
    ref.ask(["keep", of(1)], LONG)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ref.ask, ["keep", of(2)], LONG).result()
    until(lambda: len(ref._post.roster.senders()) == 1, 20, "the end of its socket")
    (memory,) = memories(os.getpid())
    assert os.stat(memory).st_size < 65 * MIB, "both have lent of the same"
    inode = os.stat(memory).st_ino
    assert ref.ask(["look", of(3)], LONG) == [SIZE, 3, 3, False, *LENT]
    assert ref.ask(["look_again"], LONG) == [[SIZE, byte, byte, False, *LENT] for byte in (1, 2)]
    ref.ask(["drop_first"], LONG)
    until(lambda: ref.ask(["pid"], LONG) and not memories(os.getpid()), 20, "the end of what holds only the abandoned")
    assert ref.ask(["keep", of(4)], LONG) == [SIZE, 4, 4, False, *LENT]
    assert ref.ask(["look_again"], LONG) == [[SIZE, byte, byte, False, *LENT] for byte in (2, 4)]
    assert [os.stat(path).st_ino for path in memories(os.getpid())] != [inode]


@pytest.mark.requirement("A7")
def test_answers_to_a_thread_that_has_ended_leave_those_to_others_theirs(system):
    ref = system.spawn(Keeper, soon=True)
    pid = ref.ask(["pid"], LONG)
    mine = [ref.ask(["make", 1], LONG)]
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(ref.ask, ["make", 2], LONG).result()
    until(lambda: len(ref._post.roster.senders()) == 1, 20, "the end of its socket")
    assert len(memories(pid)) == 1
    mine[0] = ref.ask(["make", 3], LONG)
    assert memory_of(mine[0]) == LENT
    assert (mine[0] == 3).all()
    mine.clear()
    until(lambda: has_let_go(pid), 20, "the end of what holds only the abandoned")
    assert (other == 2).all(), "who holds it reads on"
    back = ref.ask(["make", 4], LONG)
    assert memory_of(back) == LENT
    assert (back == 4).all()


# --- who is gone


@pytest.mark.fault("F44")
@pytest.mark.requirement("A7")
def test_what_a_killed_receiver_had_is_free_again_for_its_next_life_and_let_go_of_after_the_last(system):
    ref = system.spawn(Keeper, lives=2)
    for life in (1, 2):
        for number in range(3):
            ref.ask(["keep", of(number)], LONG)
        assert loans(os.getpid()) == 3
        killed(ref)
        if life == 1:
            assert ref.ask(["look_again"], LONG) == []
            until(lambda: ref.ask(["pid"], LONG) and lender(ref).out == 0, 20, "their being free")
    with pytest.raises(ActorDied):
        ref.ask(["look_again"], LONG)
    until(lambda: has_let_go(os.getpid()), 20, "the end of what was lent to who has ended")


@pytest.mark.fault("F44")
@pytest.mark.requirement("A7")
def test_what_was_lent_to_one_that_is_killed_as_it_maps_that_is_free_for_its_next_life(system):
    ref = system.spawn(Falling, lives=3)
    for life in (1, 2):
        with pytest.raises(ActorDied) as caught:
            ref.ask(["keep", of(life)], LONG)
        assert caught.value.incarnation == life
    assert ref.ask(["keep", of(3)], LONG) == [SIZE, 3, 3, False, *LENT]
    assert [(life.signal, life.section) for life in ref.history()[:2]] == [("SIGKILL", "receive")] * 2
    until(lambda: ref.ask(["pid"], LONG) and lender(ref).out == 1, 20, "only what is kept being lent")
    ref.ask(["drop"], LONG)
    until(lambda: ref.ask(["pid"], LONG) and loans(os.getpid()) == 0, 20, "all being back")


@pytest.mark.requirement("A7")
def test_what_a_killed_sender_lent_stays_readable_where_it_is_kept_and_goes_with_the_last_view(system):
    receiver, sender = system.spawn(Keeper, soon=True), system.spawn(Keeper)
    pid = receiver.ask(["pid"], LONG)
    back = sender.ask(["make", 8], LONG)
    receiver.ask(["get", sender, "make", 9], LONG)
    assert len(mapped(pid)) == 1
    killed(sender)
    assert receiver.ask(["look_again"], LONG) == [[SIZE, 9, 9, False, *LENT]]
    assert (back == 8).all()
    receiver.ask(["drop"], LONG)
    until(lambda: not mapped(pid), 20, "the end of its memory")


@pytest.mark.requirement("A7")
def test_what_was_lent_to_an_asker_that_is_killed_is_let_go_of(system):
    keeper, asker = system.spawn(Keeper, soon=True), system.spawn(Keeper)
    pid = keeper.ask(["pid"], LONG)
    asker.ask(["get", keeper, "make", 9], LONG)
    asker.ask(["get_aside", keeper, "make", 8], LONG)
    assert loans(pid) == 2, "also of a thread that has ended, beside the other's"
    killed(asker)
    until(lambda: has_let_go(pid), 20, "what nobody can read any more being let go of")


@pytest.mark.requirement("A7")
@pytest.mark.parametrize(
    ("on_full", "error"), [("block", AskTimeout), ("raise", MailboxFull), ("drop_oldest", AskTimeout)]
)
def test_an_ask_that_finds_no_room_takes_back_what_was_lent_for_it(system, tmp_path, on_full, error):
    ref = system.spawn(Keeper, size=1, on_full=on_full)
    ref.tell(["hold", str(tmp_path / "begun"), str(tmp_path / "gate")])
    noted(tmp_path / "begun")
    for _ in range(3):
        with pytest.raises(error):
            ref.ask(["look", of(1)], 0.05)
        assert loans(os.getpid()) == 0
    (tmp_path / "gate").touch()
    until(lambda: takes(ref), 20, "room")
    assert ref.ask(["look", of(5)], LONG) == [SIZE, 5, 5, False, *LENT]


@pytest.mark.requirement("A7")
def test_an_ask_that_is_given_up_gives_back_what_was_lent_for_it_and_for_its_answer(system, soon, tmp_path):
    ref = system.spawn(Keeper)
    pid = ref.ask(["pid"], LONG)
    held = ["hold", str(tmp_path / "begun"), str(tmp_path / "gate")]
    with ThreadPoolExecutor(1) as pool:  # of a thread that ends then
        pool.submit(give_up, ref, held, tmp_path / "begun", 1).result()
    with pytest.raises(AskTimeout):
        ref.ask(["look", of(1)], 0.05)
    assert loans(os.getpid()) == 1
    (tmp_path / "gate").touch()
    until(lambda: has_let_go(os.getpid()), 20, "what waited in the mailbox being back")
    (tmp_path / "gate").unlink()
    give_up(ref, held, tmp_path / "begun", 2)
    (tmp_path / "gate").touch()
    with ThreadPoolExecutor(1) as pool:  # behind these, and by no means of who gave up
        assert pool.submit(ref.ask, ["pid"], LONG).result() == pid
    until(lambda: loans(pid) == 0, 20, "the answers being back, which nobody waits for")


@pytest.mark.requirement("A7")
def test_nothing_is_lent_for_an_answer_that_was_given_up_before_it_was_given(system, tmp_path):
    ref = system.spawn(Keeper)
    begun, gate, answered = (tmp_path / name for name in ("begun", "gate", "answered"))
    give_up(ref, ["answer_later", str(begun), str(gate), str(answered)], begun, 1)
    pid = ref.ask(["pid"], LONG)  # behind the word that it was given up
    gate.touch()
    noted(answered)
    assert memories(pid) == []
    assert ref.ask(["make", 1], LONG)[0] == 1


# --- nothing is left


@pytest.mark.requirement("A7")
def test_nothing_has_a_name_and_nothing_is_left_but_what_somebody_still_reads():
    shared = f"{os.sep}dev{os.sep}shm"
    before = len(mapped("self"))
    with ActorSystem() as system:
        ref = system.spawn(Keeper, lives=2)
        ref.ask(["keep", of(1)], LONG)
        back = ref.ask(["make", 2], LONG)
        for pid in (os.getpid(), ref.info().pid):
            assert mapped(pid)
            with open(f"/proc/{pid}/maps") as maps:
                assert shared not in maps.read()
            assert not [fd for fd in os.listdir(f"/proc/{pid}/fd") if shared in target(f"/proc/{pid}/fd/{fd}")]
        assert not [name for name in os.listdir(shared) if "understudy" in name]
        killed(ref)
        assert ref.ask(["look", of(3)], LONG)[1] == 3
    assert memories(os.getpid()) == []
    assert (back == 2).all(), "who holds it reads on"
    del back
    assert len(mapped("self")) == before


PROGRAM = """
import sys, time
from tests.messages.test_bulk import Keeper, of
from understudy import ActorSystem
with ActorSystem() as system:
    ref = system.spawn(Keeper)
    ref.ask(["keep", of(1)], 60)
    back = ref.ask(["make", 2], 60)
    print(ref.ask(["pid"], 60), flush=True)
    sys.stdin.read()
"""


@pytest.mark.requirement("A7")
def test_of_a_program_that_is_killed_amid_its_loans_nothing_is_left(tmp_path):
    with parent(PROGRAM, tmp_path, stdin=subprocess.PIPE) as program:
        actor = int(said(program))
        lent = {file_of(line) for pid in (program.pid, actor) for line in mapped(pid)}
        assert len(lent) == 2, "what the one lends, and what the other does"
        program.kill()
        gone(program.pid, actor)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it has ended, or is somebody else's
            assert not lent & {file_of(line) for line in mapped(pid)}


def file_of(line):
    """Device and inode of what a line of maps is of."""
    return tuple(line.split()[3:5])


def test_several_threads_send_to_several_actors_at_once(system):
    refs = [system.spawn(Keeper) for _ in range(2)]

    def one(number):
        for at in range(8):
            assert refs[at % 2].ask(["look", of(number + at)], LONG)[1:3] == [number + at] * 2
            assert (refs[at % 2].ask(["make", number + at], LONG) == number + at).all()
        return True

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(one, (0, 50, 100)))
