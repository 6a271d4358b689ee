"""The story of an actor: each step as a line that a person can read."""

from __future__ import annotations

from understudy.lifecycle.actor import Actor
from understudy.lifecycle.events import (
    Checkpointed,
    Configure,
    Cued,
    Died,
    Errored,
    Event,
    Expired,
    Finishing,
    Forked,
    ForkFailed,
    Kill,
    Overran,
    Pause,
    Rejoin,
    Released,
    Resume,
    Silent,
    Stop,
)

_WIDTH = 200


def step(event: Event, before: Actor, after: Actor) -> str:
    """What happened, and what it made of the actor."""
    what = _told(event, after.name).replace("\n", " ")
    what = f"{what}, {after.held}" if after.held and not before.held else what
    what = what if len(what) <= _WIDTH else f"{what[: _WIDTH - 3]}..."
    return what if before.status is after.status else f"{what}: {before.status} -> {after.status}"


def _told(event: Event, name: str) -> str:  # noqa: C901 - one line for each
    match event:
        case Forked(pid):
            return f"born as pid {pid}"
        case ForkFailed(reason):
            return f"not born: {reason}"
        case Finishing(cause):
            return f"goes to its end: {cause}"
        case Errored(crash):
            return f"tells its error: {crash.headline(name)}"
        case Died(exit_code, signal, place, _, lost):
            how = signal or ("how is unknown" if exit_code is None else f"exit code {exit_code}")
            lap = f"lap {place.lap}" if place.lap else ""  # a program has none
            where = f"__{place.section}__, lap {place.lap}" if place.section else place.phase or lap
            return f"died: {how}{f', in {where}' if where else ''}{f', with {lost} messages in hand' if lost else ''}"
        case Stop(rungs, cause, drain):
            how = f"{', with a grace' if rungs else ''}{', after what has arrived' if drain else ''}"
            return f"a stop is asked ({cause}{how})"
        case Kill(cause):
            return f"a kill is asked ({cause})"
        case Expired(alarm):
            return f"the {alarm.value} clock ran out"
        case Checkpointed() | Rejoin() | Cued() | Released() | Pause() | Resume() | Configure():
            return event.cause
        case Overran(stage, place):
            where = f" __{place.section}__, lap {place.lap}" if place.section else ""
            return f"a section overran{where}: {stage.value}"
        case Silent(misses):
            return f"silent for {misses} heartbeats"
        case _:
            return type(event).__name__.lower()
