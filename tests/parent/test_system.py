"""Systems by name, side by side, by default, and the directory that each has."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from tests.stage import python, until
from understudy import ActorSystem, ConfigError, NameTaken, Observer, Process, Remote, Status, UnknownActor
from understudy.lifecycle import archive


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


def directory_of(system):
    return system.endpoint.removeprefix("ipc://")


def test_an_unnamed_system_is_called_after_script_and_process(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/my scripts/night shift!.py"])
    with ActorSystem() as system:
        assert system.name == f"night-shift-{os.getpid()}"
        assert system.name in repr(system)
    monkeypatch.setattr(sys, "argv", [""])
    with ActorSystem() as system:
        assert system.name == f"python-{os.getpid()}"


@pytest.mark.parametrize("name", ["", "a/b", "-a", ".a", "a b", "ä", "a" * 65, "a*", 5, b"a"])
def test_a_name_that_no_system_can_have_is_refused(name):
    with pytest.raises(ConfigError, match="no name for a system"):
        ActorSystem(name)


def test_a_system_is_found_by_its_name_and_by_its_endpoint():
    with ActorSystem("Night.shift_2") as system:
        system.spawn(Idle, name="idle")
        for endpoint in ("Night.shift_2", system.endpoint):
            with Remote(endpoint) as remote:
                assert [info.name for info in remote.ps()] == ["idle"]
    for endpoint in ("Night.shift_2", system.endpoint, "Night"):
        for client in (Remote, Observer):
            with pytest.raises(UnknownActor):
                client(endpoint, timeout=1)


def test_what_lies_about_beside_the_systems_hides_none(system):
    base = os.path.dirname(directory_of(system))
    strange = [os.path.join(base, f"strange-{number}") for number in range(4)]
    texts = [None, "", "torn", "night\nnot a number\n"]
    try:
        for path, text in zip(strange, texts, strict=True):
            os.mkdir(path)
            if text is not None:
                with open(os.path.join(path, "name"), "w") as file:
                    file.write(text)
        with Remote(system.name) as remote:
            assert remote.ps() == []
        for name in ("torn", "night"):
            with pytest.raises(UnknownActor):
                Remote(name)
    finally:
        for path in strange:
            if os.path.exists(os.path.join(path, "name")):
                os.unlink(os.path.join(path, "name"))
            os.rmdir(path)


def test_a_systems_directory_is_this_users_alone_and_goes_with_it():
    with ActorSystem() as system:
        found = os.stat(directory_of(system))
        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == os.geteuid()
        assert stat.S_IMODE(os.stat(os.path.dirname(directory_of(system))).st_mode) == 0o700
    assert not os.path.exists(directory_of(system))


def test_a_guarded_tests_system_lives_in_the_private_places_where_a_leak_would_show(system, private_places, leak_check):
    assert directory_of(system).startswith(f"{private_places}/understudy/")
    left = os.path.join(os.path.dirname(directory_of(system)), "left")
    os.mkdir(left)
    assert f"file {left}" in map(str, leak_check.leaks())
    os.rmdir(left)


def test_two_systems_side_by_side_know_nothing_of_each_other():
    with ActorSystem("one") as one, ActorSystem("other") as other:
        mine, theirs = one.spawn(Idle, name="idle"), other.spawn(Idle, name="idle")
        mine.wait_ready(20)
        theirs.wait_ready(20)
        assert mine != theirs
        assert len({mine, theirs}) == 2
        with pytest.raises(UnknownActor):
            one.stop(theirs)
        with pytest.raises(UnknownActor):
            one.wait_all([mine, theirs], timeout=0)
        with pytest.raises(NameTaken):
            one.spawn(Idle, name="idle")
        assert one.kill("*") == {"idle": "asked"}
        assert mine.wait(20) is Status.KILLED
        assert theirs.info().alive
        one.shutdown()
        assert theirs.info().alive
        assert other.spawn(os.getpid).wait(20) is Status.FINISHED
    assert theirs.wait(0) is Status.FINISHED


@pytest.mark.requirement("P6")
def test_the_default_system_is_one_until_it_is_closed():
    first = ActorSystem.default()
    assert ActorSystem.default() is first
    with ActorSystem() as own:
        assert own is not first
    process = Idle()
    ref = process.start()
    assert ref in {first.ref(info.name) for info in first.ps()}
    ActorSystem.close_default()
    assert not first.is_open
    assert ref.wait(0) is Status.FINISHED
    second = ActorSystem.default()
    assert second is not first
    second.shutdown()
    third = ActorSystem.default()
    assert third.is_open
    assert third not in {first, second}
    ActorSystem.close_default()
    ActorSystem.close_default()


@pytest.mark.requirement("A5")
def test_unnamed_actors_get_numbers_that_are_not_used_again(system):
    system.spawn(Idle, name="idle-2").wait_ready(20)
    refs = [system.spawn(Idle) for _ in range(2)]
    assert [ref.name for ref in refs] == ["idle-1", "idle-3"]
    for ref in refs:
        ref.wait_ready(20)
        ref.kill()
        ref.wait(20)
    assert system.spawn(Idle).name == "idle-4"
    assert system.spawn(os.getpid).name == "getpid-1"


@pytest.mark.requirement("K1")
def test_verbs_take_names_globs_refs_and_iterables_of_these(system):
    names = ["crawler/fetch-1", "crawler/fetch-2", "crawler/deep/fetch-1", "parser-1", "parser-2"]
    refs = {name: system.spawn(Idle, name=name) for name in names}
    for ref in refs.values():
        ref.wait_ready(20)
    assert system.stop(["crawler/fetch-1", refs["parser-1"], "parser-1", "none-*"]) == {
        "crawler/fetch-1": "asked",
        "parser-1": "asked",
    }
    assert system.stop("crawler/*").keys() >= {"crawler/fetch-2", "crawler/deep/fetch-1"}
    assert system.stop(["none-*"]) == system.stop([]) == system.kill(iter(())) == {}
    assert system.wait_all([ref for name, ref in refs.items() if name != "parser-2"], timeout=20).keys() == {
        name for name in names if name != "parser-2"
    }
    assert [info.name for info in system.ps()] == ["parser-2"]
    assert system.restart("parser-?") == {"parser-2": "asked"}
    until(lambda: refs["parser-2"].info().incarnation == 2)
    for wrong in (5, None, [["parser-2"], None], b"parser-2"):
        with pytest.raises(ConfigError):
            system.stop(wrong)
    assert system.stop([["parser-2"], {refs["parser-2"]}]) == {"parser-2": "asked"}


@pytest.mark.requirement("H1")
def test_ps_prints_as_a_table_of_the_living_and_on_request_of_the_ended(system):
    assert str(system.ps()) == "(no actors)"
    done = system.spawn(os.getpid, name="done")
    done.wait(20)
    idle = system.spawn(Idle, name="idle")
    idle.wait_ready(20)
    text = str(system.ps())
    assert text.splitlines()[0].split()[:3] == ["name", "pid", "status"]
    assert text.splitlines()[1].split()[:3] == ["idle", str(idle.info().pid), "RUNNING"]
    assert [info.name for info in system.ps(all=True)] == ["done", "idle"]
    assert "FINISHED" in str(system.ps(all=True))
    assert system.info("done").status is Status.FINISHED
    assert any("FINISHED" in line for line in system.story("done"))


def test_what_is_remembered_of_the_ended_is_bounded(system, monkeypatch):
    monkeypatch.setattr(archive, "KEEP_ENDED", 10)
    for _ in range(4):
        refs = [system.spawn(os.getpid, config={"heartbeat.interval": 0.1}) for _ in range(25)]
        assert set(system.wait_all(refs, timeout=30).values()) == {Status.FINISHED}
        del refs
    world, watch = system._world, system._router.watch
    for _ in range(5):  # each retires some of what is held no more
        system.spawn(os.getpid, name="last").wait(20)
    kept = (world.registry.actors, world.registry.stories, world.cells, world.records, world.publisher._heads)
    until(lambda: all(len(held) <= 40 for held in kept), what="the forgetting")
    until(lambda: len(watch._sights) <= 40 and len(world.orders._standing) == 0, what="the end of the watch")
    assert len(system.ps(all=True)) <= 40


def test_importing_the_package_opens_nothing():
    code = (
        "import os, threading\n"
        "before = len(os.listdir('/proc/self/fd')), threading.active_count()\n"
        "import understudy\n"
        "print((len(os.listdir('/proc/self/fd')), threading.active_count()) == before)"
    )
    assert python("-c", code).stdout.strip() == "True"
