"""How an actor's health is called while its process is a zombie, silent, on its way or gone."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
import pytest

from tests.health.household import Idle
from tests.stage import state_of, until
from understudy import ConfigError, Health, Remote, Status, SystemClosed, UnknownActor

QUICK = {"sampling.interval": 0.02, "lives": 2, "restart.backoff.base": 0}


@pytest.fixture
def stop_zygote_of(system):
    """Stops the zygote that forked the process of that number; it goes on in the end."""
    stopped = []

    def stop(child):
        pid = psutil.Process(child).ppid()
        assert pid in system._world.spawners["process"].pids
        os.kill(pid, signal.SIGSTOP)
        stopped.append(pid)
        until(lambda: state_of(pid) == "T", 20, "the zygote's stop")
        return pid

    yield stop
    for pid in stopped:
        if state_of(pid) == "T":
            os.kill(pid, signal.SIGCONT)


@pytest.mark.requirement("H2")
@pytest.mark.requirement("H4")
def test_a_process_that_nobody_has_reaped_yet_is_a_zombie_and_no_longer_when_it_is(system, stop_zygote_of):
    ref = system.spawn(Idle, name="undead", config=QUICK)
    ref.wait_ready(20)
    other = system.spawn(Idle, name="other")
    other.wait_ready(20)
    assert (ref.info().is_zombie, ref.healthy()) == (False, True)
    pid = ref.info().pid
    zygote = stop_zygote_of(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: ref.info().health is Health.ZOMBIE, 20, "the zombie")
    info = ref.info()
    assert (info.status, info.pid, info.is_zombie, info.os_status) == (Status.RUNNING, pid, True, "zombie")
    assert state_of(pid) == "Z"
    assert ref.healthy() is system.healthy("undead") is system.healthy(ref) is False
    assert system.healthy("other") is True
    assert [row.health for row in system.ps()] == [Health.ZOMBIE, Health.HEALTHY]
    assert "zombie" in str(system.ps())
    summary = system.summary()
    assert (summary.living, summary.unhealthy) == (2, 1)
    assert "1 of them not healthy" in str(summary)
    with Remote(system.endpoint) as remote:
        assert (remote.info("undead").health, remote.healthy("undead")) == (Health.ZOMBIE, False)
    os.kill(zygote, signal.SIGCONT)
    until(lambda: ref.info().incarnation == 2 and ref.healthy(), 20, "the understudy")
    assert (ref.info().health, ref.info().is_zombie) == (Health.HEALTHY, False)
    system.kill("*")


@pytest.mark.requirement("H2")
@pytest.mark.requirement("H4")
def test_a_silent_actor_is_not_healthy_until_it_is_heard_again(system):
    config = {"heartbeat.interval": 0.1, "heartbeat.misses": 10_000, "sampling.interval": 0.02}
    ref = system.spawn(Idle, config=config)
    ref.wait_ready(20)
    pid = ref.info().pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: not ref.healthy(), 20, "its silence")
    assert (ref.info().health, ref.info().is_zombie) == (Health.UNRESPONSIVE, False)
    until(lambda: ref.info().os_status == "stopped", 20, "the word for it")
    os.kill(pid, signal.SIGCONT)
    until(ref.healthy, 20, "its heartbeats")
    ref.kill()


@pytest.mark.requirement("H4")
def test_only_what_is_up_and_heard_is_healthy(system, tmp_path):
    ref = system.spawn(Idle, name="crew/one", config={"restart.backoff.base": 60, "lives": 9})
    ref.wait_ready(20)
    assert ref.healthy() is system.healthy("crew/one") is system.healthy(ref) is True
    os.kill(ref.info().pid, signal.SIGKILL)
    until(lambda: ref.info().incarnation == 2 and ref.healthy(), 20, "the restart, the first of which is at once")
    os.kill(ref.info().pid, signal.SIGKILL)
    until(lambda: ref.info().status is Status.RESTARTING, 20, "the pause before the second")
    assert (ref.info().status, ref.healthy()) == (Status.RESTARTING, False)
    ref.kill()
    ref.wait(20)
    assert ref.healthy() is system.healthy("crew/one") is False
    for unknown in ("crew/*", "crew", "nobody"):
        with pytest.raises(UnknownActor):
            system.healthy(unknown)
    with pytest.raises(ConfigError):
        system.healthy(7)
    system.shutdown()
    assert ref.healthy() is False
    with pytest.raises(SystemClosed):
        system.healthy("crew/one")


@pytest.mark.requirement("H4")
def test_health_and_figures_can_be_awaited(system):
    ref = system.spawn(Idle)
    ref.wait_ready(20)

    async def ask():
        return await ref.aio.healthy(), await ref.aio.info()

    healthy, info = asyncio.run(ask())
    assert healthy is True
    assert (info.name, info.memory_mb > 1) == (ref.name, True)
    ref.kill()
