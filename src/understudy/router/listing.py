"""ActorInfo from what the router knows; read by any thread, for the registry's values never change in place."""

from __future__ import annotations

import time
from time import monotonic

from understudy.lifecycle import budget
from understudy.lifecycle.actor import Actor, Body
from understudy.router.watch import Watch
from understudy.router.world import World
from understudy.status import ActorInfo, Health, health_of


def info(world: World, watch: Watch, actor: Actor) -> ActorInfo:
    """One row of ps."""
    record, config = world.records[actor.uid], actor.spec.config
    page, life = record.page, record.current or (record.lives[-1] if record.lives else None)
    section, lap = ("", life.lap if life else 0) if page is None else page.place
    completed = record.laps if page is None else page.laps
    now, ended_at = monotonic(), None if life is None else life.ended_at
    ended = actor.status.ended
    time_left = None
    if config.join_in is not None and actor.first_ready_at is not None and not ended:
        time_left = max(0.0, config.join_in - (now - actor.first_ready_at))
    runtime = None if life is None else max(0.0, (ended_at or time.time()) - life.started_at)
    return ActorInfo(
        name=actor.name,
        uid=actor.uid,
        pid=actor.pid,
        parent=None,
        status=actor.status,
        health=health(actor, watch),
        alive=actor.body is Body.LIVE,
        incarnation=actor.incarnation,
        lives_left=budget.lives_left(config, actor.budget, now),
        lap=lap,
        laps_left=None if config.num_loops is None else max(0, config.num_loops - completed),
        time_left=time_left,
        section=section,
        progress=record.progress,
        note=record.note,
        next_restart=None if actor.next_restart is None else max(0.0, actor.next_restart - now),
        exit_code=None if life is None else life.exit_code,
        command=actor.spec.command,
        started_at=record.started_at,
        runtime=runtime,
        heartbeat_age=watch.age(actor.uid) if actor.body is Body.LIVE else None,
        stats=_stats(record.measures),
        completed_laps=completed,
    )


def health(actor: Actor, watch: Watch) -> Health:
    """As far as the router knows."""
    found = health_of(actor.status)
    return Health.UNRESPONSIVE if found is Health.HEALTHY and watch.misses(actor.uid) else found


def _stats(measures: dict[str, object]) -> dict[str, object] | None:
    stats = measures.get("stats")
    return stats if isinstance(stats, dict) else None
