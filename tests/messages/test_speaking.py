"""Who may speak to whom, and in which order it is heard."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.messages.cast import Recorder
from tests.stage import noted, until
from understudy import ActorRef, Process, Status, UnknownActor

pytestmark = pytest.mark.requirement("A7")

THREADS, MANY = 4, 1500


class Tally(Process):
    """Counts what each speaker says, and notices what comes out of turn."""

    def __init__(self):
        self.heard, self.wrong = {}, []

    def __receive__(self, message):
        if message == "all":
            return [self.heard, self.wrong]
        speaker, number = message[:2]
        if number != self.heard.get(speaker, 0) + 1:
            self.wrong.append([speaker, number, self.heard.get(speaker, 0)])
        self.heard[speaker] = number
        return number


def speak(ref, speaker, many=MANY):
    """Tells, pickled ones among them, and now and then an ask, which has to find all of them handled."""
    for number in range(1, many + 1):
        if number % 500 == 0:
            assert ref.ask([speaker, number], 30) == number
        elif number % 7 == 0:
            ref.tell((speaker, number))
        elif number % 11 == 0:
            ref.tell([speaker, number, "x" * 5000])
        else:
            ref.tell([speaker, number])
    assert ref.ask([speaker, many + 1], 30) == many + 1


class Speaks(Process):
    """Speaks from threads of its own, and from its main thread."""

    def __init__(self, to):
        self.to = to

    def __loop__(self):
        with ThreadPoolExecutor(THREADS) as pool:
            done = [pool.submit(speak, self.to, f"{self.name} {thread}") for thread in range(THREADS)]
            speak(self.to, self.name)
            for one in done:
                one.result()
        self.stop()

    def __result__(self):
        return "spoken"


def test_each_thread_is_heard_in_its_own_order_tells_and_asks_together(system):
    tally = system.spawn(Tally)
    actors = [system.spawn(Speaks, tally, name=f"speaker/{number}") for number in range(2)]
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(speak, tally, f"parent {thread}") for thread in range(THREADS)]:
            done.result()
    speak(tally, "parent")
    assert [actor.result(60) for actor in actors] == ["spoken"] * 2
    heard, wrong = tally.ask("all", 30)
    assert wrong == []
    assert len(heard) == (THREADS + 1) * 3
    assert set(heard.values()) == {MANY + 1}


def test_a_lone_tell_goes_without_another_one_to_push_it(system):
    recorder = system.spawn(Recorder)
    recorder.tell("one")
    recorder.tell("two")
    other = threading.Thread(target=lambda: until(lambda: recorder.ask("count", 30) == 2, 10, "both"))
    other.start()
    other.join()
    assert recorder.ask("kept", 30) == ["one", "two"]


@pytest.mark.parametrize("kind", [list, tuple], ids=["in batches", "one by one"])
def test_urgent_messages_go_before_all_that_wait(system, tmp_path, kind):
    recorder = system.spawn(Recorder, name=f"pressed-{kind.__name__}")
    recorder.ask("kept", 30)
    recorder.tell(kind(["first"]))
    recorder.tell(kind(["hold", str(tmp_path / "held"), str(tmp_path / "gate")]))
    for number in range(20):
        recorder.tell(kind(["slow", number]))  # so that the urgent one has arrived before all of them are handled
    noted(tmp_path / "held")
    recorder.tell(kind(["urgent"]), urgent=True)
    (tmp_path / "gate").touch()
    kept = [list(message) for message in recorder.ask("kept", 30)]
    urgent = kept.index(["urgent"])
    assert urgent < 15
    assert [one for one in kept if one != ["urgent"]] == [["first"], [*"hold"], *(["slow", n] for n in range(20))]


@pytest.mark.parametrize("on_full", ["block", "drop_oldest"])
def test_urgent_messages_keep_their_order_among_themselves(system, tmp_path, on_full):
    """Of a mailbox that drops the oldest: those that wait for room, at the sender, do so too."""
    size = 100 if on_full == "block" else 10
    recorder = system.spawn(Recorder, mailbox__size=size, mailbox__on_full=on_full)
    recorder.ask("kept", 30)
    recorder.tell(["hold", str(tmp_path / "held"), str(tmp_path / "gate")])
    noted(tmp_path / "held")
    for number in range(20):
        recorder.tell(number)
    for word in ("pause", "configure", "resume"):
        recorder.tell(word, urgent=True)
    (tmp_path / "gate").touch()
    until(lambda: "resume" in recorder.ask("kept", 30), 20, "all of them")
    kept = recorder.ask("kept", 30)
    assert [word for word in kept if isinstance(word, str)] == ["hold", "pause", "configure", "resume"]
    assert kept.index("resume") < kept.index(19), "before what waited"


class Friendly(Process):
    """Tells back to whoever told it."""

    def __receive__(self, message):
        if self.sender is not None:
            self.sender.tell([self.name, message])
        return None if self.sender is None else self.sender.name


class Meets(Process):
    """Speaks to a ref that it was sent or made with, and keeps what comes back."""

    def __init__(self, friend=None):
        self.friend, self.back = friend, []
        self.config.lives = 3

    def __preloop__(self):
        if self.friend is not None:
            self.friend.tell(f"life {self.incarnation}")

    def __receive__(self, message):
        match message:
            case {"meet": ref}:
                return ref.ask(f"from {self.name}", 30)
            case "crash":
                raise RuntimeError("on purpose")
            case "back":
                return self.back
            case ["who", name]:
                return self.system.ref(name)
            case ["all", pattern]:
                return sorted(ref.name for ref in self.system.refs(pattern))
            case _:
                self.back.append([None if self.sender is None else self.sender.name, message])
        return self.incarnation


def test_a_message_has_a_sender_and_refs_travel_in_messages_and_state(system):
    friend = system.spawn(Friendly, name="friend")
    meets = system.spawn(Meets, friend, name="meets")
    assert friend.ask("from the parent", 30) is None
    assert meets.ask({"meet": friend}, 30) == "meets"
    assert until(lambda: len(back := meets.ask("back", 30)) == 2 and back, 10, "what the friend told back") == [
        ["friend", ["friend", "life 1"]],
        ["friend", ["friend", "from meets"]],
    ]
    first = meets.ask(1, 30)
    meets.tell("crash")
    assert until(lambda: meets.info().incarnation == first + 1 and meets.ask(1, 30), 20, "the second life") == 2
    until(lambda: ["friend", ["friend", "life 2"]] in meets.ask("back", 30), 10, "the friend's word")
    friend.restart()
    # Else it may be asked as it ends: who asks hears of that a moment later than this process.
    until(lambda: (friend.info().incarnation, friend.info().status) == (2, Status.RUNNING), 20, "its second life")
    assert meets.ask({"meet": friend}, 30) == "meets"


def test_within_an_actor_its_system_finds_others_by_name_and_glob(system):
    meets = system.spawn(Meets, name="finder")
    others = [system.spawn(Recorder, name=f"team/{number}") for number in range(3)]
    found = meets.ask(["who", "team/1"], 30)
    assert (type(found), found) == (ActorRef, others[1])
    assert found.ask("x", 30) == "x"
    assert meets.ask(["all", "team/*"], 30) == ["team/0", "team/1", "team/2"]
    assert meets.ask(["all", "nobody/*"], 30) == []
    with pytest.raises(Exception, match="team/1") as caught:
        meets.ask(["who", "team/11"], 30)
    assert isinstance(caught.value.__cause__, UnknownActor)


class Leaves(Process):
    """Tells, and is gone."""

    def __init__(self, to, many):
        self.to, self.many = to, many

    def __loop__(self):
        for number in range(self.many):
            self.to.tell([self.name, number])
        self.stop()


@pytest.mark.parametrize("many", [1, 700])
def test_what_an_actor_told_arrives_though_it_exits_at_once(system, many):
    recorder = system.spawn(Recorder, name=f"listener-{many}")
    leaver = system.spawn(Leaves, recorder, many, name=f"leaver-{many}")
    leaver.wait(30)
    until(lambda: recorder.ask("count", 30) == many, 10, "all that it told")
    assert recorder.ask("kept", 30) == [[leaver.name, number] for number in range(many)]


def test_actors_in_fresh_interpreters_speak_too(system):
    friend = system.spawn(Friendly, name="far-friend", host="spawn")
    meets = system.spawn(Meets, friend, name="far", host="spawn")
    assert meets.ask({"meet": friend}, 30) == "far"
    meets.tell("crash")
    until(lambda: meets.info().incarnation == 2, 20, "the second life")
    until(lambda: ["far-friend", ["far-friend", "life 2"]] in meets.ask("back", 30), 10, "the friend's word")
    friend.stop()
    friend.wait(30)


def test_three_hundred_askers_at_once_each_get_their_own_answer(system):
    recorder = system.spawn(Recorder, name="busy")
    answers, ready = {}, threading.Barrier(300)

    def ask(number):
        ready.wait(30)
        answers[number] = recorder.ask(number, 60)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: number for number in range(300)}


class Watched:
    """A mail socket that notices who uses it without holding the lock of its sender."""

    def __init__(self, outlet, lock):
        self.outlet, self.lock, self.unlocked = outlet, lock, []

    def __getattr__(self, name):
        if not self.lock._is_owned():
            self.unlocked.append(name)
        return getattr(self.outlet, name)


def test_what_is_sent_before_a_wait_keeps_out_of_the_way_of_the_thread_that_sends_the_ends_of_batches(system):
    """Both at once end the process, by an assertion of libzmq."""
    tally = system.spawn(Tally, name="tally")
    assert tally.ask(["parent", 1], 30) == 1
    post = tally._post
    sender = post._own.sender
    watched = sender._outlet = Watched(sender._outlet, sender._lock)
    for number in range(2, 200):
        tally.tell(["parent", number])
        post.flush()
    flusher = threading.Thread(target=sender._lock.acquire)
    flusher.start()
    flusher.join()
    post.flush()  # returns, and leaves what there is to who holds the lock
    sender._outlet, sender._lock = watched.outlet, threading.RLock()
    assert tally.ask(["parent", 200], 30) == 200
    assert watched.unlocked == []


@pytest.mark.requirement("A7")
def test_an_actor_that_is_first_spoken_to_amid_the_sending_of_batches_disturbs_none(system, monkeypatch):
    known, new = [system.spawn(Recorder) for _ in range(3)], [system.spawn(Recorder) for _ in range(3)]
    for ref in known:
        ref.ask("count", 60)
    sender, still_new = known[0]._post._own.sender, iter(new)
    send = sender._send_batch

    def send_amid(link, now):
        send(link, now)
        if (
            other := next(still_new, None)
        ) is not None:  # as a signal's handler does it, or the thread while the flusher sends
            sender.link(other._post.peer(other.uid, other.name))

    for ref in known:
        for number in range(5):
            ref.tell(number)
    monkeypatch.setattr(sender, "_send_batch", send_amid)
    assert known[0].ask("kept", 60)[-5:] == [*range(5)]
    monkeypatch.undo()
    for ref in (*known, *new):
        ref.ask("count", 60)
    assert system.dead_letters.total == 0
