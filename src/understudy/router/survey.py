"""Figures of all living actors for the status stream, while somebody there asks for them."""

from __future__ import annotations

from time import monotonic

from understudy.lifecycle.actor import Actor
from understudy.router.errands import Errands
from understudy.router.listing import ZOMBIE
from understudy.router.sampling import PATIENCE, Sampler
from understudy.router.world import World


class Survey:
    """Has them measured by the thread for errands, and publishes what is new; for the router's thread."""

    def __init__(self, world: World, sampler: Sampler, errands: Errands) -> None:
        self._world, self._sampler, self._errands = world, sampler, errands
        self._told: dict[int, float] = {}
        """When the figures of each actor were measured that were published last."""
        self._under_way = 0
        """The number of the survey that is under way, if one is."""
        self._number, self._until = 0, 0.0

    def begin(self) -> None:
        """Measure what is due, if somebody asks and the last survey is over, or held up: then others are measured."""
        if self._under_way and monotonic() < self._until:
            return
        if not self._world.publisher.wants_figures():
            self._told.clear()
            return
        actors = self._world.registry.living()
        self._number += 1
        number, self._until = self._number, monotonic() + PATIENCE
        begun = self._errands.run(lambda: self._sampler.refresh(actors), lambda _: self._end(number, actors))
        self._under_way = number if begun else 0

    def _end(self, number: int, actors: list[Actor]) -> None:
        if number == self._under_way:  # else it was held up, and another one took its place
            self._under_way = 0
            self._publish(actors)

    def _publish(self, actors: list[Actor]) -> None:
        told, self._told = self._told, {}
        for uid in [actor.uid for actor in actors]:
            actor, record = self._world.registry.actors.get(uid), self._world.records.get(uid)
            sample = None if actor is None or record is None else record.sample_of(actor)
            if actor is None or sample is None:
                continue
            self._told[uid] = sample.at
            if told.get(uid) == sample.at:
                continue
            figures = sample.figures
            data = {
                "os_status": figures.os_status,
                "is_zombie": figures.os_status == ZOMBIE,
                "cpu_percent": sample.cpu_percent,
                "memory_mb": figures.memory_mb,
                "pss_mb": figures.pss_mb,
                "threads": figures.threads,
                "open_files": figures.open_files,
            }
            self._world.publisher.publish("figures", actor.name, uid, actor.incarnation, None, None, None, data)
