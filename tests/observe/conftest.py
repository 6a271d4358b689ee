"""A system for each test, and no test in which the router meets a defect of its own."""

from __future__ import annotations

import pytest

from tests.guard import no_defect_is_told  # noqa: F401 - for the tests of this folder
from tests.observe.scripted import Scripted
from tests.stage import until
from understudy import ActorSystem, Observer


@pytest.fixture
def system(nothing_is_left_behind):
    opened = ActorSystem()
    yield opened
    opened.shutdown(force=True)


@pytest.fixture
def scripted(nothing_is_left_behind):
    """A system with nothing behind its sockets but a script."""
    opened = Scripted()
    yield opened
    opened.close()


@pytest.fixture
def follow(system):
    """Makes observers whose subscription has arrived, so that none misses the first events."""
    made = []

    def make(**options):
        made.append(Observer(system.endpoint, **options))
        until(lambda: system._calls.make(system._world.hub.watched), what="the subscription")
        return made[-1]

    yield make
    for observer in made:
        observer.close()
