"""Standing orders: what is wished of each actor, sent until its process has heard it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic

from understudy.lifecycle.actor import Actor, Body
from understudy.lifecycle.standing import ordered
from understudy.router.timers import Timers
from understudy.wire.codec import encode
from understudy.wire.messages import Identity, Orders
from understudy.wire.sockets import Hub, topic

_FIRST_AGAIN, _LONGEST_AGAIN = 0.1, 2.0


@dataclass(slots=True)
class _Standing:
    """The last orders of one incarnation."""

    incarnation: int
    orders: Orders
    heard: bool = False
    again: float = _FIRST_AGAIN


class OrdersDesk:
    """Sends orders, and sends them again."""

    def __init__(self, system: str, hub: Hub, timers: Timers) -> None:
        self._system, self._hub, self._timers = system, hub, timers
        self._standing: dict[int, _Standing] = {}

    def remind(self, actor: Actor, stacks: int = 0) -> None:
        """Send what is wished of the actor, a dump of its ``stacks`` too, if its process has not heard it already."""
        stop = ordered(actor)
        verdict = "" if actor.verdict is None else actor.verdict.value
        acknowledged = actor.result is not None or actor.rites is not None
        last = self._standing.get(actor.uid)
        if last is not None and last.incarnation != actor.incarnation:
            last = None
        stacks = max(stacks, 0 if last is None else last.orders.stacks)
        if actor.body is Body.NONE:
            return
        number = 1 if last is None else last.orders.number
        settings = dict(actor.spec.changes)
        orders = Orders(number, stop, verdict, acknowledged, stacks, actor.paused, settings, actor.kept)
        if last is not None and orders == last.orders and last.heard:
            return
        if last is not None and orders != last.orders:
            orders = replace(orders, number=number + 1)
        self._standing[actor.uid] = _Standing(actor.incarnation, orders)
        self._send(actor.uid)

    def heard(self, uid: int, incarnation: int, number: int) -> None:
        """The process knows the orders of that number."""
        standing = self._standing.get(uid)
        if standing is not None and standing.incarnation == incarnation and standing.orders.number == number:
            standing.heard = True
            self._timers.clear(("orders", uid))

    def subscribed(self, uid: int, incarnation: int) -> None:
        """The way to the process is open: say now what it may have missed."""
        standing = self._standing.get(uid)
        if standing is not None and standing.incarnation == incarnation and not standing.heard:
            self._send(uid)

    def forget(self, uid: int) -> None:
        """The process is gone."""
        self._standing.pop(uid, None)
        self._timers.clear(("orders", uid))

    def _send(self, uid: int) -> None:
        standing = self._standing[uid]
        identity = Identity(self._system, uid, standing.incarnation, standing.orders.number)
        self._hub.send_orders(topic(self._system, uid, standing.incarnation), encode(identity, standing.orders)[0])
        self._timers.set(("orders", uid), monotonic() + standing.again, lambda: self._again(uid))
        standing.again = min(_LONGEST_AGAIN, standing.again * 2)

    def _again(self, uid: int) -> None:
        standing = self._standing.get(uid)
        if standing is not None and not standing.heard:
            self._send(uid)
