"""What is far away takes longer, and nothing else."""

from __future__ import annotations

import time

import pytest

from tests.remote.slowly import ADDRESS, SlowLine
from tests.stage import until
from understudy import ActorSystem, Observer, Process, Remote

pytestmark = [pytest.mark.requirement("A4"), pytest.mark.requirement("K1")]
DELAY = 0.15


class Stays(Process):
    def __loop__(self):
        self.progress(None, note="at work")
        self.sleep(0.1)


def test_over_a_line_that_takes_its_time_one_follows_and_stops_as_over_another(keys):
    with (
        ActorSystem(control="tcp://127.0.0.1:0", keys=keys.directory) as system,
        SlowLine(system.gates[0].ports, DELAY),
    ):
        far = f"tcp://{ADDRESS}:{system.gates[0].ports[0]}"
        with (
            Observer(far, key=keys.key_path("wall"), kinds="state", timeout=60) as observer,
            Remote(far, key=keys.key_path("alice"), timeout=60) as remote,
        ):
            observer.snapshot()
            until(lambda: system._calls.make(system._world.publisher.watched), 60, "the subscription")
            system.spawn(Stays, name="worker").wait_ready()
            assert observer.wait_for("worker", status="RUNNING", timeout=60).name == "worker"

            began = time.monotonic()
            assert remote.stop("worker") == {"worker": "asked"}
            assert time.monotonic() - began >= 2 * DELAY

            assert [str(event and event.after) for event in (observer.next(60), observer.next(60))] == [
                "STOPPING",
                "FINISHED",
            ]
