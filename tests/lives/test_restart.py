"""restart(), ps() and cleanup(): a new life by request, a look at all, and an end of all with the system open."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stage import gone, note, noted, notes, running, until
from understudy import ActorInfo, ConfigError, MainLoopError, Process, Status, WaitTimeout


class Serving(Process):
    """Serves until it is stopped, or crashes where a file tells it to."""

    def __init__(self, told, *args, **kwargs):
        self.told, self.args, self.kwargs, self.seen = told, args, kwargs, 0
        self.config.lives = 2
        self.config.restart.backoff.base = 0

    def __loop__(self):
        self.seen += 1
        note(self.told, f"{self.incarnation} {self.lives_left} {self.seen} {self.args} {self.kwargs}")
        if "crash" in self.args:
            raise RuntimeError("no luck")
        self.sleep(600)

    def __onfinish__(self):
        note(self.told, "onfinish")

    def __result__(self):
        return self.incarnation


class Other(Process):
    def __init__(self, told, word):
        self.told, self.word = told, word

    def __loop__(self):
        note(self.told, f"other {self.word} {self.incarnation}")
        self.sleep(600)

    def __result__(self):
        return self.word


@pytest.fixture
def told(tmp_path):
    return tmp_path / "told"


def process_of(ref, incarnation):
    until(lambda: ref.info().pid and ref.info().incarnation == incarnation, 20, "its process")
    return ref.info().pid


@pytest.mark.requirement("S8")
def test_a_restart_stops_and_begins_anew_with_the_original_arguments_and_all_lives(system, told, host):
    ref = system.spawn(Serving, told, 7, word="x", name="server", host=host)
    noted(told)
    os.kill(process_of(ref, 1), signal.SIGKILL)
    noted(told, 2)
    assert system.restart("server") == {"server": "asked"}
    assert noted(told, 4) == [
        "1 1 1 (7,) {'word': 'x'}",
        "2 0 1 (7,) {'word': 'x'}",
        "onfinish",
        "3 1 1 (7,) {'word': 'x'}",
    ]
    assert system.ref("server") == ref
    with pytest.raises(WaitTimeout):
        ref.wait(0)
    ref.stop()
    assert (ref.wait(30), ref.result()) == (Status.FINISHED, 3)
    assert [life.incarnation for life in ref.history()] == [1, 2, 3]


@pytest.mark.requirement("S8")
def test_a_restart_in_backoff_skips_the_pause_and_gives_all_lives(system, told):
    config = {"lives": 5, "restart.backoff.base": 1000, "restart.backoff.cap": 1000}
    ref = system.spawn(Serving, told, "crash", config=config)
    noted(told, 2)
    until(lambda: ref.info().status is Status.RESTARTING, 20, "the pause")
    assert ref.restart() == "asked"
    third, fourth = (line.split()[:2] for line in noted(told, 4)[2:])
    assert (third, fourth) == (["3", "4"], ["4", "3"])
    ref.kill()


@pytest.mark.requirement("S8")
def test_a_restart_of_the_ended_spawns_it_anew_under_a_new_uid(system, told):
    old = system.spawn(Serving, told, "crash", word="y", name="server", config={"lives": 1})
    with pytest.raises(MainLoopError):
        old.result(30)
    assert system.restart("server") == {"server": "ended"}
    new = system.ref("server")
    assert new.uid != old.uid
    assert new.wait(30) is Status.CRASHED
    assert notes(told) == ["1 0 1 ('crash',) {'word': 'y'}"] * 2
    assert len(old.history()) == len(new.history()) == 1
    with pytest.raises(MainLoopError):
        old.result()
    assert old.restart() == "ended"
    assert system.ref("server").uid not in {old.uid, new.uid}
    system.ref("server").wait(30)


@pytest.mark.requirement("S8")
def test_a_restart_may_change_the_target(system, told):
    ref = system.spawn(Serving, told, name="server")
    noted(told)
    assert system.restart("server", target=Other, args=(told, "new")) == {"server": "asked"}
    assert noted(told, 3)[1:] == ["onfinish", "other new 2"]
    ref.stop()
    assert ref.result(30) == "new"
    system.restart("server", target=Other, args=(told, "newer"))
    assert noted(told, 4)[3:] == ["other newer 1"]
    system.stop("server")
    assert system.ref("server").result(30) == "newer"


@pytest.mark.requirement("S8")
def test_another_target_takes_arguments_and_settings_and_stays_on_its_host(system, told, host):
    class Placed(Other):
        def __preloop__(self):
            note(self.told, f"{os.getppid() == int(self.word)} {self.config.lives} {self.config.timeouts.loop}")

    ours, config = str(os.getpid()), {"timeouts.loop": 7, "lives": 9}
    ref = system.spawn(Serving, told, name="server", host=host, config={"lives": 4})
    noted(told)
    system.restart("server", target=Placed, args=(told,), word=ours, config=config)
    line = f"{host == 'spawn'} 9 7.0"
    assert noted(told, 4)[2:] == [line, f"other {ours} 2"]
    pid = process_of(ref, 2)
    ref.kill()
    ref.wait(30)
    assert not any(spawner.pid(ref.uid) for spawner in system._world.spawners.values())
    gone(pid)
    assert system.restart("server", target=Placed, args=(told, ours), config=config) == {"server": "ended"}
    assert noted(told, 6)[4] == line
    system.kill("server")


@pytest.mark.requirement("S8")
def test_arguments_and_settings_are_for_another_target_only(system, told):
    ref = system.spawn(Serving, told, name="server")
    for options in ({"args": (1,)}, {"word": "x"}, {"config": {"lives": 3}}):
        with pytest.raises(ConfigError, match="without a target="):
            system.restart("server", **options)
    ref.kill()


@pytest.mark.requirement("S8")
def test_a_restart_with_a_grace_is_as_impatient_as_a_stop(system, told):
    class Deaf(Serving):
        def __loop__(self):
            note(self.told, self.incarnation)
            while self.incarnation == 1:
                try:
                    until(lambda: False, 600)
                except BaseException as error:
                    note(self.told, type(error).__name__)
            self.sleep(600)

    ref = system.spawn(Deaf, told)
    noted(told)
    assert ref.restart(grace=1) == "asked"
    assert ref.restart() == "already"
    until(lambda: notes(told)[-1] == "2", 20, "the second life")
    ref.stop()
    assert ref.result(30) == 2
    assert ref.history()[0].signal == "SIGKILL"


@pytest.mark.requirement("S8")
def test_restarts_go_by_glob_and_wait_for_nobody(system, tmp_path):
    refs = [system.spawn(Serving, tmp_path / f"{number}", name=f"s/{number}") for number in range(5)]
    for number in range(5):
        noted(tmp_path / f"{number}")
    assert system.restart("s/*") == {f"s/{number}": "asked" for number in range(5)}
    for number in range(5):
        noted(tmp_path / f"{number}", 3)
    assert [ref.info().incarnation for ref in refs] == [2] * 5
    assert system.cleanup() == {f"s/{number}": Status.FINISHED for number in range(5)}


@pytest.mark.requirement("S8")
def test_the_dead_are_brought_back_with_their_target_and_arguments(system, told, host):
    ref = system.spawn(Serving, told, 1, [2], word={"deep": ["x"]}, host=host, config={"lives": 4})
    for life in (1, 2, 3):
        noted(told, life)
        os.kill(process_of(ref, life), signal.SIGKILL)
    lines = noted(told, 4)
    assert [line.split(" ", 3)[0] for line in lines] == ["1", "2", "3", "4"]
    assert {line.split(" ", 3)[3] for line in lines} == {"(1, [2]) {'word': {'deep': ['x']}}"}
    ref.stop()
    assert ref.result(30) == 4


@pytest.mark.requirement("S8")
def test_ps_lists_the_living_and_all_with_the_ended(system, told):
    first = system.spawn(Serving, told, name="first")
    second = system.spawn(Other, told, "w", name="second")
    noted(told, 2)
    running(first, second)
    table = system.ps()
    assert [(info.name, info.uid, info.status) for info in table] == [
        ("first", first.uid, Status.RUNNING),
        ("second", second.uid, Status.RUNNING),
    ]
    assert all(isinstance(info, ActorInfo) and info.pid and info.alive for info in table)
    first.kill()
    first.wait(30)
    assert [info.name for info in system.ps()] == ["second"]
    assert [(info.name, info.status) for info in system.ps(all=True)] == [
        ("first", Status.KILLED),
        ("second", Status.RUNNING),
    ]
    head, one, two = str(system.ps(all=True)).splitlines()
    assert head.split()[:3] == ["name", "pid", "status"]
    assert one.split()[:3] == ["first", "-", "KILLED"]
    assert two.split()[:3] == ["second", str(second.info().pid), "RUNNING"]
    assert second.info() == system.info("second") or second.info().pid == system.info("second").pid
    second.kill()


@pytest.mark.requirement("S8")
def test_cleanup_stops_all_and_leaves_the_system_open(system, tmp_path):
    refs = [system.spawn(Serving, tmp_path / f"{number}") for number in range(3)]
    for number in range(3):
        noted(tmp_path / f"{number}")
    assert system.cleanup() == {ref.name: Status.FINISHED for ref in refs}
    assert [notes(tmp_path / f"{number}")[-1] for number in range(3)] == ["onfinish"] * 3
    assert system.ps() == []
    assert system.spawn(lambda: "open").result(30) == "open"


@pytest.mark.requirement("S8")
def test_cleanup_by_force_asks_nobody(system, tmp_path):
    refs = [system.spawn(Serving, tmp_path / f"{number}") for number in range(3)]
    for number in range(3):
        noted(tmp_path / f"{number}")
    assert system.cleanup(force=True) == {ref.name: Status.KILLED for ref in refs}
    assert [len(notes(tmp_path / f"{number}")) for number in range(3)] == [1] * 3
    assert system.spawn(lambda: "open").result(30) == "open"


@pytest.mark.requirement("S8")
def test_cleanup_ends_what_waits_to_come_back(system, told):
    config = {"lives": 5, "restart.backoff.base": 1000, "restart.backoff.cap": 1000}
    ref = system.spawn(Serving, told, "crash", config=config)
    noted(told, 2)
    until(lambda: ref.info().status is Status.RESTARTING, 20, "the pause")
    assert system.cleanup() == {ref.name: Status.CRASHED}
    assert system.cleanup() == {}


@pytest.mark.requirement("K6")
@pytest.mark.parametrize(("verb", "status"), [("stop", Status.FINISHED), ("kill", Status.KILLED)])
def test_a_stop_or_kill_during_a_restart_is_the_end(system, told, tmp_path, verb, status):
    class Slow(Serving):
        def __onfinish__(self):
            note(self.told, "onfinish")
            until((tmp_path / "gate").exists, 60)

    ref = system.spawn(Slow, told)
    noted(told)
    assert ref.restart() == "asked"
    noted(told, 2)
    assert getattr(ref, verb)() == "asked"
    (tmp_path / "gate").touch()
    assert ref.wait(30) is status
    assert (len(notes(told)), len(ref.history())) == (2, 1)
