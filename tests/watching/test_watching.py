"""An actor that watches another one is told of its end: once, in its turn, and whatever becomes of either meanwhile."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading

import pytest

from tests.stage import hold, note, noted, notes, running, until
from tests.watching.cast import Heedless, Laps, Mortal, Only, Together, Watcher
from understudy import (
    ConfigError,
    NotAnActor,
    Process,
    ReceiveError,
    ReceiveTimeoutError,
    Status,
    WaitTimeout,
    WrongProcess,
)

ENDS = {
    "finishes": "FINISHED 0",
    "crashes": "CRASHED 1",
    "exits": "CRASHED 7",
    "dies": "CRASHED None",
    "kills itself": "KILLED None",
    "is stopped": "FINISHED 0",
    "is killed": "KILLED None",
    "is killed from outside": "CRASHED None",
}


def end(ref, way):
    match way:
        case "is stopped":
            ref.stop()
        case "is killed":
            ref.kill()
        case "is killed from outside":
            os.kill(ref.info().pid, signal.SIGKILL)
        case _:
            ref.tell(way)


def watching(watcher, *refs):
    watcher.ask(lambda self: self.watch(refs), 30)


def caught_up(watcher):
    """Whatever it was told before is handled: another end, told after it, was."""
    other = watcher.ask(lambda self: self.spawn(Mortal), 30)
    watching(watcher, other)
    said = watcher.ask(lambda self: self.said, 30)
    other.kill()
    until(lambda: any(line.startswith(other.name) for line in notes(said)), 30, "the last end")
    return [line for line in notes(said) if not line.startswith(other.name)]


@pytest.mark.parametrize("way", ENDS)
def test_however_one_ends_who_watches_it_is_told_once(system, watcher, said, way):
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    running(mortal)
    end(mortal, way)
    assert noted(said) == [f"mortal {ENDS[way]}"]
    assert caught_up(watcher) == [f"mortal {ENDS[way]}"]


def test_a_restart_is_no_end(system, watcher, said):
    mortal = system.spawn(Mortal, 3, name="mortal")
    watching(watcher, mortal)
    for act in (lambda: mortal.tell("dies"), lambda: mortal.tell("exits"), mortal.restart):
        running(mortal)
        life = mortal.info().incarnation
        act()
        until(functools.partial(begun, mortal, life + 1), 30, "another life")
    assert caught_up(watcher) == []
    mortal.kill()
    until(lambda: "mortal KILLED None" in notes(said), 30, "the end")


def begun(ref, life):
    return ref.info().incarnation == life


def test_who_watches_what_has_ended_is_told_at_once_and_for_each_watch(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")
    mortal.kill()
    mortal.wait(30)
    watching(watcher, mortal)
    assert noted(said) == ["mortal KILLED None"]
    watching(watcher, mortal)
    assert noted(said, 2) == ["mortal KILLED None"] * 2


def test_to_watch_twice_is_one_watch_and_to_unwatch_ends_it(system, watcher, said):
    mortal, other = system.spawn(Mortal, name="mortal"), system.spawn(Mortal, name="other")
    watching(watcher, mortal, mortal)
    watching(watcher, other, mortal)
    watcher.ask(lambda self: self.unwatch(other), 30)
    watcher.ask(lambda self: self.unwatch(other), 30)  # which it does not watch
    other.kill()
    other.wait(30)
    mortal.kill()
    assert noted(said) == ["mortal KILLED None"]
    assert caught_up(watcher) == ["mortal KILLED None"]


def unwatches_late(self, mortal, gates):
    """Its end is told, and waits for its turn, by then."""
    note(f"{gates}.held", "held")
    hold(gates)
    self.unwatch(mortal)
    self.watch(mortal)
    self.unwatch(mortal)


def test_what_was_told_and_is_watched_no_more_is_passed_over(system, watcher, said, tmp_path):
    mortal, gates = system.spawn(Mortal, name="mortal"), tmp_path / "gates"
    watching(watcher, mortal)
    watcher.tell(functools.partial(unwatches_late, mortal=mortal, gates=str(gates)))
    noted(f"{gates}.held")
    mortal.kill()
    mortal.wait(30)
    gates.touch()
    assert caught_up(watcher) == []
    assert watcher.ask(lambda self: self.completed_laps, 30) == 0
    until(lambda: watcher.info().mailbox_depth == 0, 30, "an empty mailbox")


def test_a_group_and_several_are_watched_at_once(system, watcher, said):
    group = system.spawn(Mortal, name="group", replicas=3)
    watching(watcher, *group)
    group.kill()
    assert sorted(noted(said, 3)) == [f"group/{number} KILLED None" for number in (1, 2, 3)]


def test_lives_that_begin_anew_for_a_group_are_no_ends_and_those_of_its_members_come_as_they_end(system, watcher, said):
    group = system.group("play", strategy="one_for_all")
    refs = [group.spawn(Mortal, name=name) for name in "abc"]
    watching(watcher, *refs)
    running(*refs)
    refs[1].tell("dies")
    until(lambda: all(begun(ref, 2) for ref in refs), 30, "another life of each")
    running(*refs)
    assert caught_up(watcher) == []
    group.stop()
    assert noted(said, 4)[1:] == [f"play/{name} FINISHED 0" for name in "cba"]


def test_what_it_said_before_its_end_comes_before_its_end(system, watcher, said, tmp_path):
    gate = tmp_path / "gate"
    talker = system.spawn(Mortal, to=watcher, name="talker")
    watching(watcher, talker)
    watcher.tell(functools.partial(held, gate=str(gate)))
    noted(f"{gate}.held")
    talker.tell(["says", 100])
    assert talker.wait(30) is Status.FINISHED
    watcher.tell("after")
    gate.touch()
    lines = noted(said, 102)
    words = [f"word {number}" for number in range(100)]
    assert [line for line in lines if line.startswith("word")] == words
    assert lines.index("talker FINISHED 0") > lines.index("word 99")


def held(self, gate):
    note(f"{gate}.held", "held")
    hold(gate)


def test_a_full_mailbox_holds_an_end_back_but_not_for_good(system, said, tmp_path):
    gate = tmp_path / "gate"
    watcher = system.spawn(Watcher, said, name="watcher", size=10)
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    watcher.tell(functools.partial(held, gate=str(gate)))
    noted(f"{gate}.held")
    mortal.kill()
    mortal.wait(30)
    floods = [threading.Thread(target=flood, args=(watcher, number)) for number in range(4)]
    for one in floods:
        one.start()
    gate.touch()
    for one in floods:
        one.join(30)
    assert "mortal KILLED None" in noted(said, 4 * 50 + 1)


def flood(watcher, number):
    for count in range(50):
        watcher.tell(f"flood {number} {count}")


WAYS = ["crashes", "is killed from outside", "is restarted"]


@pytest.mark.parametrize("way", WAYS)
def test_a_watch_stands_in_the_lives_that_follow(system, said, way):
    watcher = system.spawn(Watcher, said, 3, name="watcher")
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    running(watcher)
    if way == "crashes":
        watcher.tell(raises)
    elif way == "is killed from outside":
        os.kill(watcher.info().pid, signal.SIGKILL)
    else:
        watcher.restart()
    mortal.kill()  # before, amid or after the birth of the next life
    assert noted(said) == ["mortal KILLED None"]
    assert watcher.ask(lambda self: self.incarnation, 30) == 2
    assert caught_up(watcher) == ["mortal KILLED None"]


def raises(_):
    raise ValueError("no luck")


@pytest.mark.parametrize("way", ["is killed", "raises"])
def test_an_end_that_a_life_did_not_handle_is_told_to_the_next(system, said, tmp_path, way):
    gates = tmp_path / "gates"
    watcher = system.spawn(Failing if way == "raises" else Watcher, said, 3, gates, name="watcher")
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    mortal.kill()
    assert noted(said) == ["life 1 begins"]
    if way == "is killed":
        os.kill(watcher.info().pid, signal.SIGKILL)
        noted(said, 2)
    gates.touch()
    want = ["life 1 begins", "mortal KILLED None" if way == "raises" else "life 2 begins", "mortal KILLED None"]
    assert noted(said, len(want)) == want
    first = watcher.history()[0]
    assert (first.section, first.report.lost) == ("receive", 0)
    watcher.tell(raises)
    until(lambda: watcher.info().incarnation == 3, 30, "a third life")
    assert caught_up(watcher) == want


def test_no_end_is_lost_though_who_watches_is_killed_again_and_again(system, said):
    watcher = system.spawn(Watcher, said, 10, name="watcher")
    group = system.spawn(Mortal, name="group", replicas=16)
    watching(watcher, *group)
    kills = 0
    for number, ref in enumerate(group):
        ref.kill()
        if number % 4 == 2:
            running(watcher)
            os.kill(watcher.info().pid, signal.SIGKILL)
            kills += 1
            until(functools.partial(begun, watcher, kills + 1), 30, "another life")
    until(lambda: len(set(notes(said))) == len(group), 30, "each end")
    until(lambda: watcher.uid not in system._world.watches._of, 30, "its being handled")
    assert len(notes(said)) <= len(group) + kills, "of those in hand alone one is told again"


class Failing(Watcher):
    """Raises at the end of its first hook."""

    def __terminated__(self, info):
        super().__terminated__(info)
        if self.incarnation == 1:
            raise ValueError("no luck")


def test_an_end_counts_as_a_message(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    before = until(lambda: system.summary().messages, 30, "the ask being handled")
    watcher.pause()
    mortal.kill()
    mortal.wait(30)
    watcher.resume()
    noted(said)
    until(lambda: system.summary().messages == before + 1, 30, "its being counted")
    assert watcher.info().mailbox_depth == 0


def test_the_hook_has_the_time_of_a_message(system, said, tmp_path):
    gates = tmp_path / "gates"
    watcher = system.spawn(Watcher, said, 1, gates, name="watcher", config={"timeouts.receive": 0.3})
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    mortal.kill()
    noted(said)
    with pytest.raises(ReceiveTimeoutError):
        watcher.result(30)


def test_who_has_no_handlers_and_no_loop_watches_all_the_same(system, said):
    mortal = system.spawn(Mortal, name="mortal")
    only = system.spawn(Only, said, [mortal], name="only")
    until(lambda: only.info().section == "" and only.info().status is Status.RUNNING, 30, "its wait")
    mortal.kill()
    assert only.wait(30) is Status.FINISHED
    assert notes(said) == ["mortal KILLED None"]


@pytest.mark.parametrize("way", ["runs", "waits"])
def test_who_runs_laps_is_told_between_their_sections_or_amid_a_wait_for_messages(system, said, way):
    mortal = system.spawn(Mortal, name="mortal")
    laps = system.spawn(Laps, said, mortal, way, name="laps")
    if way == "waits":
        laps.tell("a word")
        assert noted(said) == ["got a word"]
    else:
        noted(said, 2)
    mortal.kill()
    until(lambda: "mortal KILLED None" in notes(said), 30, "the end")
    if way == "waits":
        laps.tell("another")
        assert noted(said, 3) == ["got a word", "mortal KILLED None", "got another"]


def test_with_several_in_hand_ends_are_handled_side_by_side(system, said, tmp_path):
    gates = tmp_path / "gates"
    watcher = system.spawn(Together, said, 1, gates, name="watcher", concurrency=3)
    mortals = [system.spawn(Mortal, name=f"mortal-{number}") for number in (1, 2)]
    watching(watcher, *mortals)
    for mortal in mortals:
        mortal.kill()
    assert sorted(noted(said, 2)) == ["begins with mortal-1", "begins with mortal-2"]
    watcher.tell("meanwhile")
    assert noted(said, 3)[2] == "meanwhile"
    gates.touch()
    assert sorted(noted(said, 5)[3:]) == ["mortal-1 KILLED None", "mortal-2 KILLED None"]


def receives_amid(self, ref):
    self.watch(ref)
    ref.kill()
    while not notes(self.said):
        with contextlib.suppress(WaitTimeout):
            self.receive(0.05)
    self.defer().reply("answered")


@pytest.mark.parametrize("concurrency", [1, 2])
def test_the_message_in_hand_stays_in_hand_though_an_end_comes_amid_its_handler(system, said, concurrency):
    watcher = system.spawn(Watcher, said, name="watcher", concurrency=concurrency)
    mortal = system.spawn(Mortal, name="mortal")
    assert watcher.ask(functools.partial(receives_amid, ref=mortal), 30) == "answered"
    assert notes(said) == ["mortal KILLED None"]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_another_target_without_the_hook_is_told_nothing_and_lives(system, watcher, said, concurrency):
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    system.restart("watcher", target=Heedless, config={"mailbox.concurrency": concurrency})
    until(lambda: watcher.info().incarnation == 2, 30, "the other target")
    mortal.kill()
    mortal.wait(30)
    until(lambda: watcher.uid not in system._world.watches._of, 30, "its being passed over")
    assert watcher.ask(lambda self: self.incarnation, 30) == 2
    assert notes(said) == []


def test_a_pause_holds_an_end_back(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")
    watching(watcher, mortal)
    watcher.pause()
    mortal.kill()
    mortal.wait(30)
    watcher.resume()
    assert noted(said) == ["mortal KILLED None"]


def test_who_is_stopped_amid_is_told_nothing_more_and_forgotten(system, watcher, said, tmp_path):
    mortal, gate = system.spawn(Mortal, name="mortal"), tmp_path / "gate"
    watching(watcher, mortal)
    watcher.tell(functools.partial(held, gate=str(gate)))
    noted(f"{gate}.held")
    mortal.kill()
    mortal.wait(30)
    watcher.stop()
    gate.touch()
    assert watcher.wait(30) is Status.FINISHED
    assert notes(said) == []


def test_any_thread_of_an_actor_may_watch(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")
    watcher.ask(functools.partial(watches_in_a_thread, ref=mortal), 30)
    mortal.kill()
    assert noted(said) == ["mortal KILLED None"]


def watches_in_a_thread(self, ref):
    thread = threading.Thread(target=self.watch, args=(ref,))
    thread.start()
    thread.join()


def asked(watcher, act):
    with pytest.raises(ReceiveError) as raised:
        watcher.ask(act, 30)
    return raised.value.__cause__


def test_what_cannot_be_watched_is_an_error_at_the_call(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")
    heedless = system.spawn(Heedless, name="heedless")
    error = asked(heedless, functools.partial(watches, ref=mortal))
    assert isinstance(error, NotAnActor)
    assert "Heedless has no __terminated__" in str(error)
    itself = asked(watcher, lambda self: self.watch(self.system.ref("watcher")))
    assert isinstance(itself, WrongProcess)
    assert "watcher cannot watch itself" in str(itself)
    foreign = like(mortal, system_id="another.0")
    assert isinstance(asked(watcher, functools.partial(watches, ref=foreign)), ConfigError)
    unknown = asked(watcher, functools.partial(watches, ref=like(mortal, uid=9_999)))
    assert type(unknown).__name__ == "UnknownActor"
    for who in ("mortal", 7, None, [mortal, "mortal"]):
        assert isinstance(asked(watcher, functools.partial(watches, ref=who)), ConfigError)
    assert caught_up(watcher) == []


def watches(self, ref):
    self.watch(ref)


def like(ref, system_id=None, uid=None):
    """A ref that differs in one thing."""
    return type(ref)(system_id or ref.system_id, uid or ref.uid, ref.name)


def forks(self, ref):
    copy = os.fork()
    if copy == 0:
        for call in (self.watch, self.unwatch, lambda one: one.wait(1), lambda one: one.info()):
            try:
                note(self.said, f"it could: {call(ref)}")
            except WrongProcess as error:
                note(self.said, str(error).partition(":")[0])
        os._exit(0)
    os.waitpid(copy, 0)


def test_a_forked_copy_of_an_actor_watches_and_waits_for_nobody(system, watcher, said):
    mortal = system.spawn(Mortal, name="mortal")
    watcher.ask(functools.partial(forks, ref=mortal), 30)
    assert notes(said) == ["this is a forked copy of watcher"] * 4
    watching(watcher, mortal)
    mortal.kill()
    assert noted(said, 5)[4] == "mortal KILLED None"


def test_outside_of_an_actor_nobody_watches(system):
    with pytest.raises(WrongProcess, match=r"watch\(\) is for hooks"):
        Watcher("nowhere").watch(system.spawn(Mortal))
    with pytest.raises(WrongProcess, match=r"unwatch\(\) is for hooks"):
        Watcher("nowhere").unwatch(system.spawn(Mortal))


def test_a_hook_for_ends_takes_one():
    with pytest.raises(TypeError, match="__terminated__"):
        type("Wrong", (Process,), {"__terminated__": Laps.__preloop__})
