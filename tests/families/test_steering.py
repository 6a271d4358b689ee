"""Actors stop, kill and restart others, by ref, name and glob."""

from __future__ import annotations

import pytest

from tests.families.kin import Boss, Kid
from tests.stage import running, until
from understudy import ConfigError, ReceiveError, Status, UnknownActor

pytestmark = pytest.mark.requirement("K1")


def test_an_actor_stops_kills_and_restarts_what_it_spawned_by_ref(system, boss):
    def spawn(self):
        self.kids = [self.spawn(Kid, name=name) for name in ("a", "b", "c")]
        return self.kids

    first, second, third = boss.ask(spawn, 30)
    running(first, second, third)
    assert boss.ask(lambda self: self.kids[0].stop(grace=30), 30) == "asked"
    assert first.wait(30) is Status.FINISHED
    assert boss.ask(lambda self: self.kids[0].stop(), 30) == "ended"
    assert boss.ask(lambda self: self.kids[1].kill(), 30) == "asked"
    assert second.wait(30) is Status.KILLED
    assert boss.ask(lambda self: self.kids[2].restart(), 30) == "asked"
    until(lambda: third.info().incarnation == 2, 30, "the restart")
    assert boss.ask(lambda self: self.kids[0].restart(), 30) == "ended"
    anew = system.ref("boss/a")
    assert anew.uid != first.uid
    assert (anew.info().parent, anew.info().depth) == ("boss", 2)


def test_whoever_else_it_knows_by_name_or_glob_too(system, boss):
    others = [system.spawn(Kid, name=f"shop/{number}") for number in range(3)]
    running(*others)
    assert boss.ask(lambda self: self.system.stop(["shop/0", "shop/[12]"]), 30) == {
        f"shop/{number}": "asked" for number in range(3)
    }
    assert [ref.wait(30) for ref in others] == [Status.FINISHED] * 3
    assert boss.ask(lambda self: self.system.kill("shop/*"), 30) == {}
    assert boss.ask(lambda self: self.system.restart("shop/1"), 30) == {"shop/1": "ended"}
    running(system.ref("shop/1"))


def test_an_actor_may_stop_itself_that_way(system):
    boss = system.spawn(Boss, name="itself")
    assert boss.ask(lambda self: self.system.ref("itself").stop(), 30) == "asked"
    assert boss.wait(30) is Status.FINISHED


@pytest.mark.parametrize(
    ("act", "kind", "text"),
    [
        (lambda self: self.system.stop("nobody"), UnknownActor, "no actor is named 'nobody'"),
        (lambda self: self.system.kill(7), ConfigError, "7 names no actor"),
        (lambda self: self.system.stop("boss", grace=-1), ConfigError, "grace must be seconds from 0 on"),
        (lambda self: self.system.stop("boss", grace="soon"), ConfigError, "grace must be seconds from 0 on"),
        (lambda self: self.system.stop("boss", drain=1), ConfigError, "drain must be True or False"),
    ],
)
def test_what_is_refused_is_raised_in_the_actor(boss, act, kind, text):
    with pytest.raises(ReceiveError) as caught:
        boss.ask(act, 30)
    assert type(caught.value.__cause__) is kind
    assert text in str(caught.value.__cause__)
    boss.wait_ready(20)
    assert boss.info().status is Status.RUNNING
