"""How an actor stands for others: for who speaks to it, and for its own process, which hears how it is to end."""

from __future__ import annotations

from understudy.lifecycle.actor import Actor, Hold, Wish
from understudy.lifecycle.budget import is_quarantined
from understudy.status import Status

_ANOTHER_LIFE = frozenset({Wish.RESTART, Wish.REJOIN})


def standing(actor: Actor) -> str:
    """For who speaks to it: ``waiting``, ``ready``, ``leaving``, ``stopping`` or ``ended``."""
    if actor.status.ended:
        return "ended"
    if _leaves(actor):
        return "leaving"
    if actor.status is Status.STOPPING:
        return "stopping"
    ready = actor.ready_at is not None and actor.status is not Status.RESTARTING
    return "ready" if ready else "waiting"


def held_back(actor: Actor) -> Hold | None:
    """Why its next life does not begin when its pause is over; quarantine lasts over the probes, until one is READY."""
    if actor.status not in {Status.RESTARTING, Status.STARTING}:
        return None
    return Hold.QUARANTINE if is_quarantined(actor.budget) else actor.held


def ordered(actor: Actor) -> str:
    """For its process: "" where no stop stands, else ``stop``, ``drain`` (what has arrived first) or ``restart``."""
    if actor.wish in _ANOTHER_LIFE:
        return "restart"
    if actor.wish is not Wish.STOP:
        return ""
    return "drain" if actor.drain else "stop"


def stands_still(actor: Actor) -> bool:
    """Whether a pause is of consequence: who stops for good goes to its end all the same."""
    return actor.paused and not actor.status.ended and actor.wish not in {Wish.STOP, Wish.KILL}


def state_of(actor: Actor) -> bytes:
    """From what its incarnation begins; last rites are held by the original."""
    revives = actor.spec.config.restart.revive == "checkpoint" and actor.rites_for is None
    return actor.checkpoint if revives and actor.checkpoint is not None else actor.spec.blob


def _leaves(actor: Actor) -> bool:
    """Whether its life ends in order, and another one follows."""
    if actor.status is not Status.STOPPING or actor.rites_for is not None:
        return False
    by_itself = actor.wish is Wish.NOTHING and actor.spec.config.restart.policy == "always"
    return by_itself or actor.wish in _ANOTHER_LIFE
