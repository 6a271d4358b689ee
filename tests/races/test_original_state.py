"""An object goes on being changed in the parent: each life begins from what it was at the spawn."""

from __future__ import annotations

import pytest

from tests.stage import note, noted, until
from understudy import MainLoopError, Process, Status


class Keeper(Process):
    """Notes what it finds, changes it, and crashes until its last life."""

    shared = ["of the class"]  # noqa: RUF012 - as users write them

    def __init__(self, told):
        self.told = str(told)
        self.words = ["original"]
        self.nested = {"deep": {"er": [1, 2, 3]}}
        self.config.lives = 3
        self.config.num_loops = 1
        self.config.restart.backoff.base = 0

    def __loop__(self):
        note(self.told, f"{self.words} {self.nested} {self.shared} {self.config.num_loops}")
        self.words.append("child")
        self.nested["deep"]["er"].clear()
        self.shared.append("child")
        self.config.num_loops = 9
        if self.incarnation < 3:
            raise RuntimeError("no luck")

    def __result__(self):
        return self.words, self.nested


FOUND = "['original'] {'deep': {'er': [1, 2, 3]}} ['of the class'] 1"


@pytest.mark.fault("F42")
@pytest.mark.requirement("L1")
def test_each_life_begins_from_the_object_as_it_was_at_the_spawn(system, tmp_path, monkeypatch):
    told, gate = tmp_path / "told", "child.open=sleep:0.2"
    monkeypatch.setenv("UNDERSTUDY_FAILPOINTS", gate)  # the changes come before any life has opened its state
    process = Keeper(told)
    ref = system.spawn(process)
    process.words.append("parent")
    process.nested["deep"]["er"].append(4)
    process.nested["new"] = {}
    process.told = "/nowhere/at/all"
    process.config.num_loops = 5
    process.config.lives = 1
    Keeper.shared.append("parent")
    try:
        assert ref.wait(20) is Status.FINISHED
    finally:
        Keeper.shared.remove("parent")
    assert noted(told, 3) == [FOUND] * 3
    assert ref.result(0) == (["original", "child"], {"deep": {"er": []}})
    assert [life.incarnation for life in ref.history()] == [1, 2, 3]
    assert process.words == ["original", "parent"]


@pytest.mark.fault("F42")
@pytest.mark.requirement("L1")
def test_a_restart_by_request_and_a_spawn_anew_begin_from_the_original_too(system, tmp_path):
    told = tmp_path / "told"
    process = Keeper(told)
    ref = system.spawn(process, config={"lives": 1}, name="keeper")
    process.words.append("parent")
    with pytest.raises(MainLoopError):
        ref.result(20)
    assert ref.restart() == "ended"
    anew = system.ref("keeper")
    assert anew.wait(20) is Status.CRASHED
    assert noted(told, 2) == [FOUND] * 2


@pytest.mark.fault("F42")
def test_an_object_that_was_spawned_can_be_changed_and_spawned_again(system, tmp_path):
    told = tmp_path / "told"
    process = Keeper(told)
    first = system.spawn(process)
    process.words[0] = "changed"
    second = system.spawn(process)
    assert first.wait(20) is second.wait(20) is Status.FINISHED
    assert sorted(noted(told, 6)) == sorted([FOUND] * 3 + [FOUND.replace("original", "changed")] * 3)
    assert first.result(0)[0] == ["original", "child"]
    assert second.result(0)[0] == ["changed", "child"]
    until(lambda: not system.ps())
