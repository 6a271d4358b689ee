"""What is raised where somebody takes no message any more, or never did."""

from __future__ import annotations

from understudy.errors import ActorDied, NotAnActor, UnderstudyError
from understudy.mail.link import Peer


def closed(peer: Peer) -> UnderstudyError:
    """Why nothing can be said to it."""
    if peer.over:
        return died(peer, "has ended")
    if peer.takes == "program":
        return NotAnActor(f"{peer.name} is a program and takes no messages; speak to it as any other process would")
    return NotAnActor(f"{peer.name} is a function and takes no messages; a Process with a __receive__ does")


def died(peer: Peer, how: str) -> ActorDied:
    """What becomes of a message to who has died."""
    if peer.state == "unknown":
        return ActorDied(f"{peer.name} is no actor of this system any more", name=peer.name)
    return ActorDied(f"{peer.name} {how}", name=peer.name, incarnation=peer.deaths)
