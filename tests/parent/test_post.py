"""What the parent is told about messages, by processes that speak to one another; the sockets are a stranger's."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from tests.observe.raw import Raw
from tests.stage import running, until
from understudy import (
    ActorRef,
    ActorSystem,
    ConfigError,
    DeadLetter,
    MainLoopError,
    Process,
    ProtocolError,
    Remote,
    Status,
    WrongProcess,
)
from understudy.wire.codec import decode, encode
from understudy.wire.keys import tag
from understudy.wire.messages import (
    ORDERS,
    Blocked,
    Cycle,
    Fate,
    Identity,
    Letter,
    Meet,
    Seek,
    Sought,
    Still,
    Unblocked,
)
from understudy.wire.page import BEGUN, HANDLED, TAKEN
from understudy.wire.pickling import dump_frames
from understudy.wire.sockets import topic


class Idle(Process):
    def __init__(self) -> None:
        self.config.lives = 3

    def __loop__(self) -> None:
        self.sleep(600)


class Voice:
    """Says what a process would, and hears what is said to it."""

    def __init__(self, system: Any, raw: Raw, ref: ActorRef[Any], incarnation: int = 1) -> None:
        running(ref)
        self.identity = Identity(system._world.system, ref.uid, incarnation)
        self._push = raw.socket(zmq.PUSH, "reports", linger=2000)
        self._sub = raw.socket(zmq.SUB, "commands")
        self._sub.subscribe(topic(self.identity.system, ref.uid, incarnation))
        self.say(Meet(ref.uid))  # which is answered, or told again, when the subscription is heard
        self.hear_until(uid=ref.uid)

    def say(self, *words: Any) -> None:
        for word in words:
            self._push.send_multipart(encode(self.identity, word))

    def hear(self) -> Any:
        who, word = decode(self._sub.recv_multipart()[1:], ORDERS)
        assert (who.uid, who.incarnation) == (self.identity.uid, self.identity.incarnation)
        return word

    def hear_until(self, **wanted: Any) -> Any:
        """What comes next of which that is true; how it stands may be told more than once."""
        while True:
            word = self.hear()
            if all(getattr(word, name, None) == value for name, value in wanted.items()):
                return word


@pytest.fixture
def raw(system) -> Iterator[Raw]:
    made = Raw(system.endpoint)
    yield made
    made.close()


@pytest.mark.requirement("A7")
@pytest.mark.fault("F44")
def test_who_speaks_to_an_actor_is_told_of_each_of_its_lives_and_of_its_end(system, raw):
    speaker, other = system.spawn(Idle, name="speaker"), system.spawn(Idle, name="other")
    running(other)
    voice = Voice(system, raw, speaker)
    office: list[Fate] = []
    system._world.post.office = office.append
    assert system._answers.meet_from_parent(other.uid) == Fate(
        other.uid, "other", 1, 0, "ready", 1000, "block", "perhaps"
    )
    voice.say(Meet(other.uid), Meet(999))
    first = voice.hear_until(uid=other.uid)
    assert first == office[0]
    assert voice.hear_until(uid=999).state == "unknown"
    os.kill(other.info().pid, signal.SIGKILL)
    assert voice.hear_until(deaths=1).state == "waiting"
    assert voice.hear_until(state="ready") == Fate(other.uid, "other", 2, 1, "ready", 1000, "block", "perhaps")
    other.kill()
    assert voice.hear_until(state="ended") == Fate(other.uid, "other", 2, 2, "ended", 1000, "block", "perhaps")
    assert other.wait(20) is Status.KILLED
    assert [(one.state, one.deaths) for one in office][-1] == ("ended", 2), "before whoever waits for the end is told"


@pytest.mark.requirement("A7")
@pytest.mark.fault("F40")
def test_what_a_former_life_says_about_messages_is_dropped_and_counted_but_for_what_it_lost(system, raw):
    speaker = system.spawn(Idle, name="speaker")
    voice = Voice(system, raw, speaker)
    os.kill(speaker.info().pid, signal.SIGKILL)
    until(lambda: speaker.info().incarnation == 2 and speaker.info().status is Status.RUNNING, 20)
    stale = system._world.registry.stale
    words = [
        Meet(speaker.uid),
        Seek(1, "*"),
        Blocked(1, speaker.uid),
        Unblocked(1),
    ]
    voice.say(*words, Letter(speaker.uid, "late", "tell", "late", 1, speaker.uid, "speaker"))
    until(lambda: system._world.registry.stale == stale + len(words), 20, "the count")
    until(lambda: system.dead_letters.total == 1, 20, "the letter, most of which are told at an end")
    assert not system._world.post._speakers, "the first life was told, and has ended"


@pytest.mark.requirement("A7")
def test_actors_are_sought_by_name_and_glob_from_inside_and_outside(system, raw):
    crew = [system.spawn(Idle, name=f"crew/{name}") for name in "ab"]
    voice = Voice(system, raw, crew[0])
    pairs = [[ref.uid, ref.name] for ref in crew]
    voice.say(Seek(1, "crew/*"), Seek(2, "crew/b"), Seek(3, "crew/c"))
    assert voice.hear_until(request=1) == Sought(1, pairs, more=False, hint="")
    assert voice.hear_until(request=2) == Sought(2, pairs[1:], more=False, hint="")
    assert "did you mean crew/" in voice.hear_until(request=3).hint
    assert system.refs("crew/*") == crew
    assert system.refs("crew/b") == crew[1:]
    assert system.refs("nobody") == system.refs("nobody*") == []
    with pytest.raises(ConfigError, match="give a name or a glob"):
        system.refs(crew[0])


def first_of(*voices: Voice) -> Any:
    """What comes next, to whichever of them."""
    poller = zmq.Poller()
    for voice in voices:
        poller.register(voice._sub, zmq.POLLIN)
    ready = dict(poller.poll(20_000))
    return next(voice.hear() for voice in voices if voice._sub in ready)


@pytest.mark.requirement("A7")
def test_asks_that_wait_for_one_another_are_told_of_their_cycle(system, raw):
    one, two = (Voice(system, raw, system.spawn(Idle, name=name)) for name in ("one", "two"))
    one.say(Blocked(4, two.identity.uid))
    two.say(Blocked(7, one.identity.uid))
    assert one.hear_until(ask=4) == Still(4)
    assert two.hear_until(ask=7) == Still(7)
    one.say(Blocked(4, two.identity.uid))
    two.say(Blocked(7, one.identity.uid))
    # Whose word is read last is chance; that one is told, and the other fails by it.
    told = first_of(one, two)
    assert told in (Cycle(4, ["one", "two"]), Cycle(7, ["two", "one"]))


def letter_to(ref: ActorRef[Any], message: Any, key: bytes | None = None, **fields: Any) -> Letter:
    told = Letter(ref.uid, "it has ended", "ask", repr(message)[:200], 1, 42, "somebody")
    if key is None:
        return replace(told, **{"frames": (msgpack.packb(message),), **fields})
    frames = tuple(dump_frames(message, "message"))
    return replace(told, tag=tag(key, frames), frames=frames, **fields)


class Canary:
    """Its opening leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.requirement("A7")
@pytest.mark.fault("F53")
def test_dead_letters_are_kept_counted_told_and_opened_by_who_asks(system, raw, tmp_path):
    sender, other = system.spawn(Idle, name="sender"), system.spawn(Idle, name="other")
    voice, stream = Voice(system, raw, sender), raw.follow(b"other|", b"sender|")
    mark, key = tmp_path / "opened", system._world.key
    voice.say(
        letter_to(other, {"plain": [1, None]}),
        letter_to(other, {"a", "set"}, key, way="tell"),
        letter_to(other, Canary(mark), b"x" * 32),
        replace(letter_to(other, "no tag"), frames=(b"one", b"two")),
        letter_to(other, "not kept", frames=(), count=30, text="t" * 999, reason="r" * 999),
        replace(letter_to(other, 0), uid=999),
    )
    until(lambda: len(system.dead_letters) == 6, 20, "the dead letters")
    plain, packed, forged, untagged, many, unknown = letters = list(system.dead_letters)
    assert all(isinstance(one, DeadLetter) for one in letters)
    assert (plain.to, plain.uid, plain.sender, plain.way, plain.reason, plain.text, plain.count) == (
        "other",
        other.uid,
        "somebody",
        "ask",
        "it has ended",
        "{'plain': [1, None]}",
        1,
    )
    assert plain.message == {"plain": [1, None]}
    assert packed.way == "tell"
    assert packed.message == {"a", "set"}
    with pytest.raises(ProtocolError, match="is not opened"):
        forged.message  # noqa: B018 - it raises
    assert not mark.exists()
    for one in (untagged, many):
        with pytest.raises(LookupError):
            one.message  # noqa: B018
    assert (many.count, len(many.text), len(many.reason)) == (30, 200, 500)
    assert unknown.to == ""
    assert system.dead_letters.total == 35
    assert system._world.dropped == 1, "the untagged one; what else is wrong is found when it is opened"
    stream.until(lambda event: event["kind"] == "dead_letter" and event["data"]["to"] == 999)
    events = stream.of("dead_letter")
    assert [event["name"] for event in events] == [*["other"] * 5, "sender"]
    assert events[0]["cause"] == "it has ended"
    assert events[0]["data"] == {
        "to": other.uid,
        "sender": 42,
        "sender_name": "somebody",
        "way": "ask",
        "text": "{'plain': [1, None]}",
        "count": 1,
    }
    assert events[4]["data"]["count"] == 30
    assert list(system.dead_letters) == letters, "to look takes nothing away"
    assert system.dead_letters.drain() == letters
    assert not system.dead_letters


@pytest.mark.requirement("A7")
def test_the_parents_own_dead_letters_are_told_too_and_all_can_be_asked_for_after_the_end(system, raw):
    other, stream = system.spawn(Idle, name="other"), raw.follow(b"other|")
    answers, letters = system._answers, system.dead_letters
    answers.letter_from_parent(replace(letter_to(other, "first", system._world.key), sender=0, sender_name="parent"))
    event = stream.until(lambda event: event["kind"] == "dead_letter")
    assert (event["data"]["sender"], event["data"]["sender_name"]) == (0, "parent")
    system.shutdown(force=True)
    answers.letter_from_parent(letter_to(other, "second"))
    assert [one.message for one in letters] == ["first", "second"]
    assert repr(letters) == "<2 dead letters, of 2 messages>"
    assert [one.message for one in letters.drain()] == ["first", "second"]
    assert letters.total == 2


@pytest.mark.requirement("A7")
def test_what_a_life_had_begun_and_not_handled_is_lost_with_it_and_accounted_for(system, raw):
    ref = system.spawn(Idle, name="taker")
    running(ref)
    stream, world = raw.follow(b"taker|"), system._world
    words = world.records[ref.uid].page.words
    words[TAKEN], words[BEGUN], words[HANDLED] = 10, 9, 7
    assert ref.info().mailbox_depth is None, "it takes no messages"
    world.registry.actors[ref.uid] = replace(
        actor := world.registry.actors[ref.uid], spec=replace(actor.spec, hooks=actor.spec.hooks | {"receive"})
    )
    assert ref.info().mailbox_depth == system.ps()[0].mailbox_depth == 3
    assert system.summary().messages == 7
    os.kill(ref.info().pid, signal.SIGKILL)
    event = stream.until(lambda event: event["kind"] == "dead_letter")
    assert (event["incarnation"], event["data"]["count"]) in {(1, 2), (2, 2)}
    (lost,) = system.dead_letters
    assert (lost.to, lost.uid, lost.sender, lost.count) == ("taker", ref.uid, "", 2)
    assert lost.reason == "in hand as its receiver's life ended"
    assert ref.history()[0].report.lost == 2
    assert "  lost messages that it had in hand: 2" in str(ref.history()[0].report).splitlines()
    assert any("with 2 messages in hand" in line for line in system.story("taker"))
    assert system.summary().messages == 7


def asked(system: Any, name: str) -> bool:
    """Whether it was asked for a stop that comes after what has arrived."""
    return any("a stop is asked (stop, after what has arrived)" in line for line in system.story(name))


@pytest.mark.requirement("A7")
def test_whoever_asks_for_a_stop_may_have_what_has_arrived_handled_first(system, raw):
    voice = Voice(system, raw, system.spawn(Idle, name="heard"))
    by_ref, plain = system.spawn(Idle, name="ref"), system.spawn(Idle, name="plain")
    running(system.spawn(Idle, name="remote"), by_ref, plain)
    assert system.stop("heard", drain=True) == {"heard": "asked"}
    assert voice.hear_until(stop="drain").verdict == ""
    by_ref.stop(drain=True)
    with Remote(system.endpoint) as remote:
        assert remote.stop("remote", drain=True) == {"remote": "asked"}
    assert plain.stop() == "asked"
    assert not asked(system, "plain")
    assert plain.stop(drain=True) == "already"
    process = Idle()
    process.start()
    default = ActorSystem.default()
    assert process.stop(drain=True) == "asked"
    assert asked(default, default.ps(all=True)[0].name)
    default.shutdown(force=True)
    assert all(asked(system, name) for name in ("heard", "ref", "remote"))
    give: Any
    for give in (by_ref.stop, process.stop, lambda drain: system.stop("*", drain=drain)):
        with pytest.raises(ConfigError, match="drain must be True or False"):
            give(drain="yes")


class Draining(Idle):
    """Asks for what only others can ask for."""

    def __init__(self) -> None:
        self.config.lives = 1

    def __loop__(self) -> None:
        self.stop(drain=True)


def test_no_actor_asks_itself_to_handle_what_has_arrived(system):
    with pytest.raises(MainLoopError, match=r"ConfigError: stop\(drain=True\) is for the parent"):
        system.spawn(Draining).result(20)


class Curious(Process):
    """Asks a system that it holds for what only its own process has."""

    def __init__(self, system: Any) -> None:
        self.system_held = system
        self.config.num_loops = 1

    def __loop__(self) -> None:
        self.refused = ""
        try:
            self.system_held.dead_letters  # noqa: B018
        except WrongProcess as error:
            self.refused = str(error)

    def __result__(self) -> str:
        return self.refused


def test_dead_letters_are_the_parents_to_look_at(system):
    assert "belongs to its parent process" in system.spawn(Curious, system).result(20)
    assert pickle.loads(pickle.dumps(list(system.dead_letters))) == []
