"""Whoever finds a mailbox, or takes its place: what he forges is not opened, is counted, and changes nothing else."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from tests.messages import forger
from tests.messages.cast import Asks
from tests.messages.forger import PACKED, PICKLED, Canary, Forger, Frames, Sealed, plain, sealed
from tests.reaching import bind, connect
from tests.stage import until
from understudy import ActorDied, ActorRef, ActorSystem, AskTimeout, Process, ReceiveError, Status

MIB = 1 << 20
LATE = 60_000  # milliseconds
GROWTH = 64 * MIB
"""Bytes by which an actor may grow while it is bombarded: what is under way, and what malloc keeps of it."""


class Handles(Process):
    """Answers by the message."""

    def __receive__(self, message):
        return message


class HandlesApart(Process):
    """The same, several at a time."""

    def __init__(self):
        self.config.mailbox.concurrency = 4

    async def __receive__(self, message):
        await asyncio.sleep(0)
        return message


class Receives(Process):
    """The same without a handler."""

    def __loop__(self):
        message = self.receive()
        self.defer().reply(message)


class Sums(Process):
    """Answers by what its arrays add up to, and how they can be had."""

    def __receive__(self, message):
        return sum(map(sum, message))


class Shows(Process):
    """Answers by the buffer beside a message."""

    def __receive__(self, message):
        return bytes(message[1])


class Silent(Process):
    """Binds no mailbox: somebody else may."""

    def __loop__(self):
        self.sleep(600)


@dataclass
class Stranger:
    """A client of the same user that is no part of the system: a socket, and what is written on it."""

    socket: Any
    forger: Forger
    asked: int = 1000

    def say(self, *letters: Frames) -> None:
        for letter in letters:
            self.socket.send_multipart(letter)

    def hear(self, kind: str) -> list[Any]:
        """The content of the next of that kind, and the frames behind it; what else comes before it is passed over."""
        while True:
            head, *frames = self.socket.recv_multipart()
            said = msgpack.unpackb(head, unicode_errors="surrogatepass")
            if said[1] == kind:
                return [said[7], frames]

    def ask(self, message: Any) -> Any:
        """The answer to an honest ask: what was said before it is read by then."""
        self.asked += 1
        self.say(self.forger.ask(plain(message), self.asked))
        while True:
            content, _ = self.hear("reply")
            if content[-1] == self.asked:
                return msgpack.unpackb(content[1])
            raise AssertionError(f"{content} answers what was forged")


@pytest.fixture
def context(nothing_is_left_behind: None) -> Iterator[Any]:
    made = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def meets(system: ActorSystem, context: Any) -> Iterator[Callable[[ActorRef[Any]], Stranger]]:
    """Makes strangers at the mailbox of an actor."""
    made = []

    def make(ref: ActorRef[Any]) -> Stranger:
        socket = context.socket(zmq.DEALER)
        socket.rcvtimeo = LATE
        socket.sndhwm = socket.rcvhwm = 0
        connect(socket, system.endpoint, f"m{ref.uid}.1")
        made.append(Stranger(socket, Forger(system._world.system, ref.uid)))
        return made[-1]

    yield make
    for stranger in made:
        stranger.socket.close(linger=0)


def dropped(system: ActorSystem) -> int:
    """As the metrics have it."""
    return system._gauges.reading().frames_dropped


def forged(key: bytes, birds: Path, stranger: bytes) -> dict[str, Sealed]:
    """A message whose opening is seen, as nobody of the system would have sealed it."""

    def bird(name: str, *buffers: bytes) -> Sealed:
        return sealed(key, Canary(birds / name), *buffers)

    one, pair, other = bird("alone"), bird("pair", b"a buffer", b"longer than it"), bird("other", b"short")
    loan = [1, os.getpid(), 5, 6, 4096, MIB]
    return {
        "untagged": one._replace(tag=None),
        "an empty tag": one._replace(tag=b""),
        "a wrong tag": one._replace(tag=bytes(16)),
        "a short tag": one._replace(tag=(one.tag or b"")[:8]),
        "a tag of another key": sealed(stranger, Canary(birds / "stranger")),
        "a tag of another pickle": one._replace(tag=other.tag),
        "an altered pickle": one._replace(frames=[one.frames[0].replace(b"alone", b"elsewhere")]),
        "a pickle with a tail": one._replace(frames=[one.frames[0] + b"."]),
        "a longer buffer": pair._replace(frames=[*pair.frames[:2], pair.frames[2] + b"x"]),
        "a shorter buffer": pair._replace(frames=[*pair.frames[:2], pair.frames[2][:-1]]),
        "buffers in another order": pair._replace(frames=[pair.frames[place] for place in (0, 2, 1)]),
        "a buffer of another letter": other._replace(frames=[other.frames[0], pair.frames[1]]),
        "a buffer less": pair._replace(frames=pair.frames[:-1]),
        "a buffer more": pair._replace(frames=[*pair.frames, b""]),
        "no frames": one._replace(frames=[]),
        "in the envelope": one._replace(inline=one.frames[0], frames=[], tag=None),
        "as msgpack": one._replace(form=PACKED, tag=None),
        "as msgpack with its tag": one._replace(form=PACKED),
        "a form that there is not": one._replace(form=3),
        "with loans": one._replace(loans=[loan]),
        "msgpack in a loan": Sealed(PACKED, None, None, [loan], []),
        "no msgpack": Sealed(0, b"\xc1", None, [], []),
    }


@pytest.mark.fault("F53")
@pytest.mark.parametrize("kind", [Handles, HandlesApart, Receives])
def test_what_nobody_of_the_system_has_sealed_is_not_opened_nor_answered_but_counted(system, meets, tmp_path, kind):
    ref = system.spawn(kind(), name="it")
    ref.wait_ready(20)
    assert ref.ask("honest", 20) == "honest"
    key, stranger = system._world.key, meets(ref)
    cases = forged(key, tmp_path, b"k" * 32)
    for number, (what, one) in enumerate(cases.items()):
        for letter in (
            stranger.forger.tell(one),
            stranger.forger.tell(one, urgent=True),
            stranger.forger.ask(one, number),
        ):
            stranger.say(letter)
        assert stranger.ask(what) == what, "which is the next answer"
        assert dropped(system) == 3 * (number + 1), what
    assert os.listdir(tmp_path) == []
    assert ref.ask("honest", 20) == "honest"
    assert system.dead_letters.total == 0
    assert ref.info().incarnation == 1
    # The bird can sing.
    stranger.say(stranger.forger.tell(sealed(key, Canary(tmp_path / "sings"))))
    until(lambda: os.listdir(tmp_path) == ["sings"], 20, "the canary")
    # What was counted outlives the actor.
    system.stop("it")
    assert ref.wait(20) is Status.FINISHED
    assert dropped(system) == 3 * len(cases)


@pytest.mark.fault("F53")
def test_a_tag_says_that_it_is_of_this_system_and_not_for_whom_nor_what_for(system, meets, context):
    """What whoever can read the mail of this user can still do, as the page on the protocol says."""
    one, other = system.spawn(Shows(), name="one"), system.spawn(Shows(), name="other")
    silent = system.spawn(Silent(), name="silent")
    key, (to_one, to_other) = system._world.key, map(meets, (one, other))
    seen = sealed(key, {"sealed"}, b"abcdefgh")
    swapped = seen._replace(frames=[seen.frames[0], b"ABCDEFGH"])
    for number, (stranger, letter) in enumerate([
        (to_one, seen),
        (to_one, seen),  # said again
        (to_other, seen),  # to somebody else
        (to_one, swapped),  # and of buffers only the lengths are covered
    ]):  # fmt: skip
        stranger.say(stranger.forger.ask(letter, number))
        assert stranger.hear("reply")[0] == [0, msgpack.packb(letter.frames[1]), None, [], number]
    with false_mailbox(system, context, silent, lambda false, number: false.reply(seen, number)):
        told, buffer = silent.ask("anything", 20)
        assert (told, bytes(buffer)) == ({"sealed"}, b"abcdefgh"), "a message, as an answer"
    assert dropped(system) == 0


# --- a false mailbox


@contextmanager
def false_mailbox(system: ActorSystem, context: Any, ref: ActorRef[Any], *answers: Any) -> Iterator[threading.Thread]:
    """Takes the place of one that is not bound; answers each ask by all of these, in turn."""
    made, over = Forger(system._world.system, ref.uid), threading.Event()
    socket = context.socket(zmq.ROUTER)
    bind(socket, system.endpoint, f"m{ref.uid}.1")

    def serve() -> None:
        while not over.is_set():
            if not socket.poll(20):
                continue
            ident, head, *_ = socket.recv_multipart()
            said = msgpack.unpackb(head)
            if said[1] == "ask":
                for answer in answers:
                    found = answer(made, said[8][4])
                    if found is not None:
                        socket.send_multipart([ident, *found])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield thread
    finally:
        over.set()
        thread.join(20)
        socket.close()


def lies(key: bytes, birds: Path) -> list[Any]:
    """Answers that are none."""
    good, error = sealed(key, Canary(birds / "value"), b"a buffer"), sealed(key, Canary(birds / "error"))
    values = [
        *(good._replace(tag=tag) for tag in (None, b"", bytes(16), forger.tag(b"k" * 32, good.frames))),
        good._replace(frames=[*good.frames, b"more"]),
        good._replace(frames=[good.frames[0], b"a longer buffer"]),
        good._replace(form=PACKED),
        good._replace(loans=[[1, os.getpid(), 5, 6, 4096, MIB]]),
    ]
    return [
        *(lambda false, number, one=one: false.reply(one, number) for one in values),
        *(
            lambda false, number, tag=tag: false.failed(error._replace(tag=tag), number)
            for tag in (None, bytes(16), forger.tag(b"k" * 32, error.frames))
        ),
        lambda *_: [b"no msgpack"],
        lambda *_: [b""],
        lambda *_: [error.frames[0], *good.frames],
        lambda false, number: Forger("another", false.uid).reply(plain(1), number),
        lambda false, number: Forger(false.system, false.uid + 1).reply(plain(1), number),
        lambda false, number: false.back("reply", [0, b"\xc0", None, [], str(number)]),
    ]


@pytest.mark.fault("F53")
@pytest.mark.parametrize("who", ["a thread", "asyncio", "an actor"])
def test_a_false_mailbox_ends_no_ask_by_what_it_forges(system, context, tmp_path, who):
    silent, asks = system.spawn(Silent(), name="silent"), system.spawn(Asks(), name="asks")
    forged_ones = lies(system._world.key, tmp_path)

    def ask(timeout: float) -> Any:
        match who:
            case "a thread":
                return silent.ask("anything", timeout)
            case "asyncio":
                return asyncio.run(silent.aio.ask("anything", timeout))
        return asks.ask((silent, "anything", timeout), 60)

    right = lambda false, number: false.reply(plain("right"), number)  # noqa: E731 - one of many such
    with false_mailbox(system, context, silent, *forged_ones, right):
        assert ask(30) == "right"
    assert dropped(system) == len(forged_ones)

    def times_out() -> bool:
        with pytest.raises((AskTimeout, ReceiveError), match="did not answer"):
            ask(0.5)
        return dropped(system) >= 2 * len(forged_ones)  # what comes when nobody waits may be read by the next ask

    with false_mailbox(system, context, silent, *forged_ones):
        until(times_out, 60, "an ask that met all of them")
    assert os.listdir(tmp_path) == []


@pytest.mark.fault("F53")
def test_an_ask_that_is_answered_by_lies_ends_with_its_actor(system, context, tmp_path):
    silent = system.spawn(Silent(), name="silent")
    forged_ones = lies(system._world.key, tmp_path)
    killed = threading.Thread(target=lambda: until(lambda: dropped(system), 30) and system.kill("silent"))
    with false_mailbox(system, context, silent, *forged_ones):
        killed.start()
        with pytest.raises(ActorDied):
            silent.ask("anything", 60)
    killed.join(20)
    assert os.listdir(tmp_path) == []


@pytest.mark.fault("F53")
def test_nobody_answers_what_somebody_else_was_asked(system, context):
    one, other = system.spawn(Silent(), name="one"), system.spawn(Silent(), name="other")
    asked: list[int] = []
    both = threading.Event()

    def note(_: Forger, number: int) -> None:
        asked.append(number)
        if len(asked) == 2:
            both.set()

    def answers_the_other(false: Forger, number: int) -> Frames | None:
        assert both.wait(30)
        return false.reply(plain("forged"), next(one for one in asked if one != number))

    def answers(false: Forger, number: int) -> Frames:
        until(lambda: dropped(system) == 2, 30, "both being counted")
        return false.reply(plain(false.uid), number)

    async def ask() -> Any:
        return list(await asyncio.gather(one.aio.ask("a", 60), other.aio.ask("b", 60)))

    scripts = note, answers_the_other, answers
    with false_mailbox(system, context, one, *scripts), false_mailbox(system, context, other, *scripts):
        assert asyncio.run(ask()) == [one.uid, other.uid]


# --- loans


def mapped(pid: int, word: str) -> bool:
    """Whether that process has a file of that name in its memory."""
    return word in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.fault("F53")
def test_loans_of_a_stranger_lead_nowhere_and_those_of_the_system_to_nothing_but_what_was_lent(system, meets, tmp_path):
    ref = system.spawn(Handles(), name="it")
    ref.wait_ready(20)
    stranger, pid, key = meets(ref), ref.info().pid, system._world.key
    path = tmp_path / "foreign-file"
    path.write_bytes(bytes(2 * MIB))
    file, memory, shut = (
        os.open(path, os.O_RDWR),
        *(os.memfd_create(f"foreign-{n}", os.MFD_ALLOW_SEALING) for n in "ab"),
    )
    read, write = os.pipe()
    try:
        for fd in (memory, shut):
            os.ftruncate(fd, 2 * MIB)
        fcntl.fcntl(shut, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        places = [(os.getpid(), fd, os.fstat(fd).st_ino) for fd in (file, memory, shut, read)]
        most = (1 << 63) - 1
        loans = [
            *([1, *place, 4096, MIB] for place in places),
            *(
                [1, *places[2], offset, size]
                for offset, size in ((0, MIB), (most, 1), (4096, most), (most, most), (1, 0))
            ),
            [1, pid, 0, 1, 4096, MIB],
            [1, 0, 0, 0, 4096, MIB],
            [1, 1, 1, 1, 4096, MIB],
            [most] * 6,
            [0] * 6,
            [-1] * 6,
            [-1, *places[2], 4096, MIB],
            [1, *places[2], -4096, MIB],
            [(1 << 64) - 1] * 6,
        ]
        pickle, number = forger.pickled(bytearray(MIB))[0], 0
        for loan in loans:
            within = all(0 <= one <= most for one in loan)
            for key_of, is_ours in ((key, within), (b"k" * 32, False)):
                tag = forger.tag(key_of, [pickle], PICKLED, [loan]) if within else bytes(16)
                number += 1
                stranger.say(stranger.forger.ask(Sealed(PICKLED, None, tag, [loan], [pickle]), number))
                if is_ours:  # whoever has the key has a word of what became of it
                    assert stranger.hear("failed")[0][0] == number
                assert stranger.ask("still there") == "still there"
        assert dropped(system) == number - sum(all(0 <= one <= most for one in loan) for loan in loans)
        assert not mapped(pid, "foreign")
        assert ref.ask("honest", 20) == "honest"
    finally:
        for fd in (file, memory, shut, read, write):
            os.close(fd)


@pytest.mark.fault("F53")
def test_a_loan_is_given_back_by_nobody_but_who_has_it(system, meets):
    sums = system.spawn(Sums(), name="sums")
    numbers = [array.array("Q", [value] * (MIB // 4)) for value in range(4)]
    stranger, over = meets(sums), threading.Event()

    def give_back() -> None:
        while not over.is_set():
            stranger.say(stranger.forger.to("back", [*range(300), -1, (1 << 64) - 1]))
            stranger.say(stranger.forger.to("sync", [*range(300), -1, (1 << 64) - 1]))
            assert stranger.hear("credit")

    thread = threading.Thread(target=give_back)
    thread.start()
    try:
        for _ in range(5):
            assert sums.ask(numbers, 30) == sum(range(4)) * (MIB // 4)
    finally:
        over.set()
        thread.join(30)
    assert dropped(system) == 0


# --- anything at all


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.fault("F52")
@pytest.mark.fault("F53")
@pytest.mark.parametrize("kind", [Handles, HandlesApart])
def test_thousands_of_mutated_letters_change_nothing_for_honest_senders(system, meets, tmp_path, kind):
    ref = system.spawn(kind(), name="it")
    ref.wait_ready(20)
    chance, stranger, key = random.Random(53), meets(ref), b"k" * 32  # noqa: S311 - the same each time
    right = [*stranger.forger.letters(key), stranger.forger.tell(sealed(key, Canary(tmp_path / "bird")))]

    def bombard(count: int) -> None:
        for _ in range(count):
            stranger.say(
                forger.nonsense(chance) if chance.random() < 0.1 else forger.mutated(chance, chance.choice(right))
            )

    for loans in forger.ODD_LOANS:
        stranger.say(stranger.forger.to("tell", [PICKLED, None, bytes(16), loans, False, False], [b"a pickle"]))
    stranger.say(stranger.forger.to("tells", [0, 0], seq=(1 << 64) - 1))
    bombard(1000)  # what is allocated once
    assert ref.ask("before", 60) == "before"
    info = ref.info()
    size, begun = resident(info.pid), dropped(system)
    over = threading.Event()

    def go_on() -> None:
        bombard(8000)
        over.set()

    thread = threading.Thread(target=go_on)
    thread.start()
    asked = 0
    while not over.is_set() or not asked:
        asked += 1
        assert ref.ask(asked, 60) == asked
    thread.join()
    # One more by the stranger's way: by then all before it is read.
    while True:
        stranger.say(stranger.forger.to("ask", [*plain("last")[:4], 999_999], seq=(1 << 62) - 1))
        content, _ = stranger.hear("reply")
        if content[-1] == 999_999:
            break
    assert dropped(system) - begun > 1000
    assert resident(info.pid) - size < GROWTH
    assert os.listdir(tmp_path) == []
    after = ref.info()
    assert (after.pid, after.incarnation, after.status) == (info.pid, 1, Status.RUNNING)
    assert ref.ask("after", 60) == "after"


@pytest.mark.fault("F52")
@pytest.mark.parametrize("kind", [Handles, HandlesApart])
def test_a_flood_of_what_is_no_letter_holds_up_nobody_and_is_counted_to_the_last(system, meets, kind):
    ref = system.spawn(kind(), name="it")
    ref.wait_ready(20)
    strangers = [meets(ref) for _ in range(8)]
    for _ in range(2500):
        for stranger in strangers:
            stranger.say([b"junk"])
    assert ref.ask("honest", 60) == "honest"
    for stranger in strangers:
        assert stranger.ask("and then") == "and then", "it is read to the end, with nobody to ring for it"
    assert dropped(system) == 8 * 2500


@pytest.mark.fault("F52")
def test_who_asks_without_end_and_reads_no_answer_costs_no_more_than_a_window_of_them(system, meets, context):
    handles = Handles()
    handles.config.mailbox.size = 10
    ref = system.spawn(handles, name="it")
    assert ref.ask("before", 30) == "before"
    pid, stranger = ref.info().pid, meets(ref)
    size, deaf = resident(pid), context.socket(zmq.DEALER)
    deaf.sndhwm, deaf.rcvhwm = 0, 1
    connect(deaf, system.endpoint, f"m{ref.uid}.1")
    for _ in range(25_000):
        deaf.send_multipart(stranger.forger.ask(plain("x" * 4000), 1))
    until(lambda: system.summary().messages >= 25_000, 60, "all of them being handled")
    assert resident(pid) - size < GROWTH
    assert ref.ask("after", 30) == "after"
    deaf.close(linger=0)
