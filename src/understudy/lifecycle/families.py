"""Who spawned whom: what may be spawned by whom, under which name, and whom the end of an actor ends as well."""

from __future__ import annotations

from collections.abc import Iterable

from understudy.errors import DepthExceeded, ParentStopping
from understudy.lifecycle.actor import Actor, Kin, Tie, Wish
from understudy.lifecycle.effects import PassOn
from understudy.status import Status

_SPAWNS = frozenset({Status.STARTING, Status.RUNNING})


def kin_of(parent: Actor, tie: Tie, max_depth: int) -> Kin:
    """What a child of that actor is to it now. Raises DepthExceeded, ParentStopping."""
    if parent.status not in _SPAWNS or parent.wish is not Wish.NOTHING or parent.told is not None:
        raise ParentStopping(f"{parent.name} is about to end, and would take along whatever it spawns now")
    if parent.depth >= max_depth:
        raise DepthExceeded(
            f"{parent.name} has depth {parent.depth}, and max_depth={max_depth} allows none below it: let its parent "
            f"spawn, or open the system with max_depth={parent.depth + 1}"
        )
    return Kin(parent.uid, parent.incarnation, parent.depth + 1, tie)


def is_parent(parent: Actor | None, kin: Kin) -> bool:
    """Whether the life that spawned goes on."""
    between = parent is None or parent.status.ended or parent.status is Status.RESTARTING
    return parent is not None and not between and parent.incarnation == kin.incarnation


def bereft(after: Actor, lost: int, children: Iterable[Actor]) -> tuple[PassOn, ...]:
    """The children that go with the lives of an actor up to ``lost``: killed if it was, by request, else stopped."""
    killed = after.wish is Wish.KILL
    wish, done = (Wish.KILL, {Wish.KILL}) if killed else (Wish.STOP, {Wish.KILL, Wish.STOP})
    cause = f"its parent {after.name} {'was killed' if killed else 'has ended'}"
    return tuple(
        PassOn(child.uid, wish, cause)
        for child in children
        if child.kin is not None and child.kin.incarnation <= lost and child.wish not in done
    )


def linked(child: Actor, parent: Actor | None) -> tuple[PassOn, ...]:
    """What the end of a child means to its parent: a stop, where the two are linked and it was not stopped itself."""
    kin = child.kin
    if parent is None or kin is None or kin.tie is not Tie.LINKED or child.wish is Wish.STOP:
        return ()
    if not is_parent(parent, kin) or parent.wish is not Wish.NOTHING:
        return ()
    return (PassOn(parent.uid, Wish.STOP, f"{child.name}, which is linked to it, is {child.status}"),)
