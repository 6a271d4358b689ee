"""Actors that actors spawn: their names, their depth, what they begin with, and what is refused."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.families.kin import Boss, Kid
from tests.stage import running, until
from understudy import (
    ActorRef,
    ActorSystem,
    ConfigError,
    DepthExceeded,
    GroupRef,
    NameTaken,
    NotAnActor,
    ParentStopping,
    Process,
    ReceiveError,
    SerializationError,
    Status,
    TooLarge,
    UnderstudyError,
    UnknownField,
    WrongProcess,
    runtime,
)
from understudy.spawners.specs import opened, packed
from understudy.targets import wanted
from understudy.wire.codec import pack
from understudy.wire.messages import Spawn

pytestmark = pytest.mark.requirement("A6")


def refused(ref, act):
    """What an act in that actor raises."""
    with pytest.raises(ReceiveError) as caught:
        ref.ask(act, 30)
    return caught.value.__cause__


def test_a_child_is_an_actor_of_the_system_named_after_its_parent_and_one_deeper(system, boss):
    kid = boss.ask(lambda self: self.spawn(Kid, name="kid"), 30)
    assert isinstance(kid, ActorRef)
    running(kid)
    assert kid == system.ref("boss/kid")
    assert (kid.info().parent, kid.info().depth, kid.info().children) == ("boss", 2, ())
    assert (boss.info().parent, boss.info().depth, boss.info().children) == (None, 1, ("boss/kid",))
    assert boss.children() == [kid]
    assert boss.ask(lambda self: self.system.ref("boss").children(), 30) == [kid]
    assert kid.info().pid != boss.info().pid
    kid.stop()
    assert kid.wait(30) is Status.FINISHED
    assert boss.children() == []


def test_without_a_name_it_has_one_of_its_label_and_several_are_a_group(boss):
    names = boss.ask(lambda self: [self.spawn(Kid).name for _ in range(2)], 30)
    assert names == ["boss/kid-1", "boss/kid-2"]
    group = boss.ask(lambda self: self.spawn(Boss, name="crew", replicas=3), 30)
    assert isinstance(group, GroupRef)
    assert [ref.name for ref in group.refs] == ["boss/crew/1", "boss/crew/2", "boss/crew/3"]
    assert [ref.ask(lambda self: self.name, 30) for ref in group.refs] == [ref.name for ref in group.refs]


def test_any_thread_and_any_host_will_do_and_a_system_found_within_spawns_too(system, boss):
    def from_a_thread(self):
        found = []
        thread = threading.Thread(target=lambda: found.append(self.spawn(Kid, name="of-a-thread")))
        thread.start()
        thread.join(30)
        return found[0]

    refs = [
        boss.ask(from_a_thread, 60),
        boss.ask(lambda self: self.spawn(Kid, name="fresh", host="spawn"), 30),
        boss.ask(lambda self: self.system.spawn(Kid, name="by-the-handle"), 30),
        boss.ask(lambda _: ActorSystem.default().spawn(Kid, name="by-default"), 30),
    ]
    running(*refs)
    assert [ref.info().parent for ref in refs] == ["boss"] * 4
    assert system.ps()[0].children == tuple(ref.name for ref in refs)


def test_a_free_standing_process_that_is_started_in_an_actor_is_its_child(system, boss):
    ref = boss.ask(lambda _: Kid().start(name="started"), 30)
    running(ref)
    assert (ref.name, ref.info().parent) == ("boss/started", "boss")
    error = refused(boss, lambda _: ActorSystem("another"))
    assert isinstance(error, WrongProcess)


def test_a_child_begins_in_the_circumstances_of_its_parent(tmp_path, boss):
    def move_and_spawn(self):
        os.chdir(tmp_path)
        os.environ["HEIRLOOM"] = "a clock"
        return self.spawn(Boss, name="heir")

    def told(self):
        return os.getcwd(), os.environ.get("HEIRLOOM"), self.config.lives

    heir = boss.ask(move_and_spawn, 30)
    assert heir.ask(told, 30) == (str(tmp_path), "a clock", 1)


def test_options_and_arguments_are_those_of_a_spawn_by_the_system(boss):
    def configured(self):
        return self.spawn(Boss, 2, name="kid", config={"timeouts.loop": 7.5})

    kid = boss.ask(configured, 30)
    told = kid.ask(lambda self: (self.config.lives, self.config.timeouts.loop), 30)
    assert (told, kid.info().lives_left) == ((2, 7.5), 1)
    assert boss.ask(lambda self: self.spawn(divmod, 7, 2, name="sum"), 30).result(30) == (3, 1)


class Held:
    """Cannot travel."""

    def __reduce__(self):
        raise TypeError("not for travelling")


class Empty(Process):
    """Has nothing to do."""


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda self: (self.spawn(Kid, name="kid"), self.spawn(Kid, name="kid")), NameTaken, "'boss/kid' is the name"),
        (lambda self: self.spawn(Kid, name="no name"), ConfigError, "'no name' is not a name"),
        (lambda self: self.spawn(Kid, name="x" * 128), ConfigError, "128 characters in all"),
        (lambda self: self.spawn(Kid, host="moon"), ConfigError, "host='moon': it is one of process, spawn"),
        (lambda self: self.spawn(Kid, link="yes"), ConfigError, "link='yes'"),
        (lambda self: self.spawn(Kid, replicas=0), ConfigError, "replicas must be a whole number"),
        (lambda self: self.spawn(Kid, config={"lifes": 2}), UnknownField, "lives"),
        (lambda self: self.spawn(Kid, 1, 2, 3), TypeError, "positional arguments"),
        (lambda self: self.spawn(7), NotAnActor, "7 cannot be spawned"),
        (lambda self: self.spawn(Empty), NotAnActor, "Empty"),
        (lambda self: self.spawn(Kid, Held()), SerializationError, "not for travelling"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_what_is_refused_is_raised_where_it_was_asked(boss, act, kind, text):
    error = refused(boss, act)
    assert type(error) is kind
    assert text in str(error)
    assert boss.ask(lambda _: "goes on", 30) == "goes on"


def test_an_original_beyond_the_limit_is_refused_with_both_sizes(system):
    boss = system.spawn(Boss, name="boss", config={"limits.spawn": 100_000})
    error = refused(boss, lambda self: self.spawn(Kid, b"x" * 100_000))
    assert isinstance(error, TooLarge)
    assert "limits.spawn allows 100000" in str(error)
    assert boss.children() == []


def test_a_large_original_arrives_whole(boss):
    def spawn_large(self):
        return self.spawn(len, b"x" * (20 << 20), name="large")

    assert boss.ask(spawn_large, 60).result(60) == 20 << 20


@pytest.mark.parametrize("deepest", [2, 3])
def test_nobody_is_spawned_deeper_than_the_system_allows(nothing_is_left_behind, deepest):
    with ActorSystem(max_depth=deepest) as system:
        ref = system.spawn(Boss, name="1")
        for depth in range(2, deepest + 1):
            ref = ref.ask(lambda self, depth=depth: self.spawn(Boss, name=str(depth)), 30)
            assert ref.info().depth == depth
        error = refused(ref, lambda self: self.spawn(Kid))
        assert isinstance(error, DepthExceeded)
        assert f"{ref.name} has depth {deepest}, and max_depth={deepest} allows none below it" in str(error)
        assert f"max_depth={deepest + 1}" in str(error)
        assert len(system.ps()) == deepest


def test_a_depth_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="max_depth must be a whole number, at least 1"):
        ActorSystem(max_depth=0)


class Late(Process):
    """Spawns when its end has begun."""

    def __loop__(self):
        self.stop()

    def __onfinish__(self):
        try:
            self.spawn(Kid)
        except ParentStopping as error:
            self.told = str(error)

    def __result__(self):
        return self.told


def test_who_is_about_to_end_spawns_nobody(system):
    late = system.spawn(Late, name="late")
    assert late.result(30) == "late is about to end, and would take along whatever it spawns now"
    assert [info.name for info in system.ps(all=True)] == ["late"]


def test_a_spawn_that_is_said_twice_is_done_once(boss):
    def spawn_twice(self):
        inside: Any = runtime.inside
        asking = inside._link.asking
        say = asking._say
        asking._say = lambda word: (say(word), say(word))
        self.spawn(Kid)
        asking._say = say
        return [ref.name for ref in self.system.ref("boss").children()]

    assert boss.ask(spawn_twice, 30) == ["boss/kid-1"]


def test_what_is_no_spawn_is_dropped_and_counted(system, boss):
    def say(self):
        inside: Any = runtime.inside
        outbox = inside._outbox
        good = packed(wanted(Kid, (), {}).spec)
        right = outbox.tag([good])
        outbox.say(Spawn(1, "forged", None, linked=False, tag=b"x" * 16, frames=(good,)))
        outbox.say(Spawn(2, "untagged", None, linked=False, tag=None, frames=(good,)))
        outbox.say(Spawn(3, "altered", None, linked=False, tag=right, frames=(good[:-1] + b"!",)))
        outbox.say(Spawn(4, "nobody", 0, linked=False, tag=right, frames=(good,)))
        outbox.say(Spawn(5, "bare", None, linked=False))
        for number, frame in enumerate((b"", b"\xff" * 8, pack([1]), good[:9]), 6):
            outbox.say(Spawn(number, "broken", None, linked=False, tag=outbox.tag([frame]), frames=(frame,)))
        return [ref.name for ref in self.system.ref("boss").children()]

    before = system._world.dropped
    assert boss.ask(say, 30) == []
    assert system._world.dropped == before + 9


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@given(st.lists(values, min_size=10, max_size=10) | values | st.binary(max_size=20), st.binary(max_size=9))
def test_whatever_comes_for_a_spec_gives_one_or_an_error_of_ours(head, blob):
    packed_head = head if isinstance(head, bytes) else pack(head)
    frame = len(packed_head).to_bytes(8, "little") + packed_head + blob
    try:
        spec = opened(frame)
    except UnderstudyError:
        return
    assert opened(packed(spec)) == spec


def test_a_spec_comes_back_as_it_was():
    spec = wanted(Kid, (), {}, config={"lives": 3, "limits.records": None}).spec
    assert opened(packed(spec)) == spec


def test_a_forked_copy_of_an_actor_spawns_nobody(boss):
    def fork_and_spawn(self):
        read, write = os.pipe()
        if os.fork() == 0:
            try:
                self.spawn(Kid)
            except WrongProcess as error:
                os.write(write, str(error).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as file:
            told = file.read()
        os.wait()
        return told

    assert boss.ask(fork_and_spawn, 30) == "this is a forked copy of boss: it spawns nobody"


def test_outside_hooks_there_is_nobody_to_be_the_parent():
    with pytest.raises(WrongProcess, match=r"spawn\(\) is for hooks"):
        Kid().spawn(Kid)


def test_a_system_that_shuts_down_takes_all_of_them_with_it(nothing_is_left_behind):
    with ActorSystem() as system:
        boss = system.spawn(Boss, name="boss")
        kid = boss.ask(lambda self: self.spawn(Kid, name="kid"), 30)
        until(lambda: kid.info().pid, 20, "the child")
    assert (boss.wait(0), kid.wait(0)) == (Status.FINISHED, Status.FINISHED)
