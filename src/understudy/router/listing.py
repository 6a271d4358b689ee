"""What the router knows, as values; read by any thread, for the registry's own never change in place.

Figures are as they were last measured: who wants fresh ones has them refreshed first.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from time import monotonic
from typing import Any

from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.standing import held_back, stands_still
from understudy.router.watch import Watch
from understudy.router.world import World
from understudy.spawners import family
from understudy.spawners.figures import Figures
from understudy.status import ActorInfo, Health, Status, Summary, health_of

ZOMBIE = "zombie"
"""The word for the state of a process that has ended and was not yet reaped."""


def info(world: World, watch: Watch, actor: Actor) -> ActorInfo:
    """One row of ps."""
    record, config = world.records[actor.uid], actor.spec.config
    page, life = record.page, record.current or (record.lives[-1] if record.lives else None)
    section, lap = ("", life.lap if life else 0) if page is None else page.place
    completed = record.laps if page is None else page.laps
    now, ended_at = monotonic(), None if life is None else life.ended_at
    ended = actor.status.ended
    sample = record.sample_of(actor)
    figures = Figures() if sample is None else sample.figures
    time_left = None
    if config.join_in is not None and actor.first_ready_at is not None and not ended:
        time_left = max(0.0, config.join_in - (now - actor.first_ready_at))
    runtime = None if life is None else max(0.0, (ended_at or time.time()) - life.started_at)
    return ActorInfo(
        name=actor.name,
        uid=actor.uid,
        pid=actor.pid,
        parent=None if (parent := world.registry.parent(actor)) is None else parent.name,
        status=actor.status,
        health=health(actor, watch, figures.os_status),
        alive=actor.body is Body.LIVE,
        os_status=figures.os_status,
        incarnation=actor.incarnation,
        lives_left=world.registry.lives_left(actor, now),
        lap=lap,
        laps_left=None if config.num_loops is None else max(0, config.num_loops - completed),
        time_left=time_left,
        section=section,
        paused=stands_still(actor),
        progress=record.progress,
        note=record.note,
        next_restart=world.registry.next_restart(actor, now),
        restart_held=None if (held := held_back(actor)) is None else held.value,
        exit_code=None if life is None else life.exit_code,
        is_zombie=figures.os_status == ZOMBIE,
        cpu_percent=None if sample is None else sample.cpu_percent,
        memory_mb=figures.memory_mb,
        pss_mb=figures.pss_mb,
        threads=figures.threads,
        open_files=figures.open_files,
        command=actor.spec.command,
        started_at=record.started_at,
        runtime=runtime,
        heartbeat_age=watch.age(actor.uid) if actor.body is Body.LIVE else None,
        mailbox_depth=page.waiting if page is not None and "receive" in actor.spec.hooks else None,
        stats=record.stats(),
        completed_laps=completed,
        depth=actor.depth,
        group=world.registry.company.name_of(actor),
        children=tuple(child.name for child in world.registry.children(actor.uid)),
    )


def brief(world: World, watch: Watch, actor: Actor) -> dict[str, Any]:
    """The same as plain values, of one among many: without lap times and errors one by one."""
    row = info(world, watch, actor)
    stats = None if row.stats is None else replace(row.stats, recent=(), error_events=())
    return replace(row, stats=stats).to_dict()


def whole(world: World, watch: Watch, actor: Actor) -> ActorInfo:
    """The same of one that is asked for alone: with its settings."""
    return replace(info(world, watch, actor), config=actor.spec.config.to_dict())


def health(actor: Actor, watch: Watch, os_status: str | None) -> Health:
    """As far as the router, and who measured, know."""
    found = health_of(actor.status)
    if os_status == ZOMBIE and not actor.status.ended:
        return Health.ZOMBIE
    return Health.UNRESPONSIVE if found is Health.HEALTHY and watch.misses(actor.uid) else found


def is_healthy(actor: Actor, watch: Watch) -> bool:
    """Whether its health is HEALTHY now: its process is looked at by one line of the process table, no more."""
    if actor.pid is None or health(actor, watch, None) is not Health.HEALTHY:
        return False
    try:
        row = family.row(actor.pid)
    except OSError:  # no descriptor is left to look with: the heartbeats have to do
        return True
    return row is not None and row.state != "Z"


def summary(world: World, watch: Watch) -> Summary:
    """All actors that are listed, counted and added up."""
    actors = world.registry.listed()
    rows = [info(world, watch, actor) for actor in actors if not actor.status.ended]
    counted = Counter(actor.status for actor in actors)
    return Summary(
        system=world.system,
        counts={status: counted[status] for status in Status if counted[status]},
        living=len(rows),
        unhealthy=sum(row.health in {Health.UNRESPONSIVE, Health.ZOMBIE} for row in rows),
        sampled=sum(row.memory_mb is not None for row in rows),
        memory_mb=sum(row.memory_mb or 0.0 for row in rows),
        pss_mb=sum(row.pss_mb or 0.0 for row in rows),
        cpu_percent=sum(row.cpu_percent or 0.0 for row in rows),
        restarts=world.registry.restarts.total(),
        messages=world.handled + sum(_handled(world, actor) for actor in actors),
    )


def _handled(world: World, actor: Actor) -> int:
    page = world.records[actor.uid].page
    return 0 if page is None else page.handled
