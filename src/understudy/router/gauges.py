"""Metrics of a system: read from outside the router's thread, which a scrape neither asks nor holds up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from understudy.errors import ConfigError
from understudy.mail.office import Office
from understudy.router.closing import Closing
from understudy.router.listing import info
from understudy.router.loop import Router
from understudy.router.sampling import PATIENCE

if TYPE_CHECKING:  # they need prometheus-client, which is an extra
    from understudy.observe.exporter import Exporter
    from understudy.observe.metrics import Reading


class Gauges:
    """Takes readings, and serves them until the system closes."""

    def __init__(self, router: Router, closing: Closing, office: Office) -> None:
        self._router, self._closing, self._office = router, closing, office
        self._exporters: list[Exporter] = []
        self._dropped = 0

    def serve(self, name: str, port: int, addr: str) -> str:
        """One more server; its URL."""
        try:
            from understudy.observe.exporter import Exporter
        except ModuleNotFoundError as error:
            if error.name != "prometheus_client":
                raise
            text = "metrics need prometheus-client, which is an extra: pip install 'understudy[metrics]'"
            raise ConfigError(text) from error
        from importlib.metadata import version

        exporter = Exporter(port, addr, self.reading, {"system": name, "version": version("understudy")})
        self._exporters.append(exporter)
        self._closing.also(exporter.close)
        return exporter.url

    def abandon(self) -> None:
        """In a forked copy of the parent: let go of the ports."""
        for exporter in self._exporters:
            exporter.abandon()

    def reading(self) -> Reading:
        """The system now; figures that are too old are measured first, as far as nothing holds that up for a second."""
        from understudy.observe.metrics import Reading, Row

        router = self._router
        world, registry = router.world, router.world.registry
        if any(map(router.sampler.is_due, registry.living())):
            router.errands.run_within(PATIENCE, lambda: router.sampler.refresh(registry.living()))
        rows, dropped = [], world.dropped + self._office.dropped
        for actor in registry.living():
            record = world.records.get(actor.uid)
            if record is not None:  # else it was admitted this instant
                sample = record.sample_of(actor)
                seconds = None if sample is None else sample.cpu_seconds
                rows.append(Row(info(world, router.watch, actor), seconds))
                page = record.page
                dropped += 0 if page is None else page.dropped
        # What ended meanwhile is in neither count, and a counter may not fall.
        self._dropped = max(self._dropped, dropped)
        return Reading(
            living=Counter(row.info.status for row in rows),
            spawned=registry.spawned,
            ended=dict(registry.ended),
            restarts=dict(registry.restarts),
            events=world.publisher.seq,
            events_missed=world.publisher.repeated,
            frames_dropped=self._dropped,
            frames_stale=registry.stale,
            records_lost=world.logs.dropped,
            dead_letters=world.letters.total,
            held=Counter(filter(None, (row.info.restart_held for row in rows))),
            actors=rows,
        )
