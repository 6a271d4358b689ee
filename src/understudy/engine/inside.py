"""What the user's object may ask of the runtime while it runs in its process."""

from __future__ import annotations

import threading
import time

from understudy.engine.halt import AFTER_LAP, AFTER_SECTION, Halt
from understudy.engine.laps import LapTimes
from understudy.engine.link import Link
from understudy.engine.outbox import Outbox
from understudy.engine.sections import Sections
from understudy.spawners.base import Birth
from understudy.stats import Stats
from understudy.wire.messages import KillMe, Progress
from understudy.wire.page import PLACE, PLACE_SHIFT


class Actor:
    """The engine's face towards hooks; an implementation of `runtime.Inside`."""

    def __init__(self, birth: Birth, halt: Halt, sections: Sections, link: Link, outbox: Outbox) -> None:
        self.name = birth.name
        self.system_id, self.system_name = birth.system, birth.system_name
        self.endpoint = f"ipc://{birth.directory}"
        self.stop_event: threading.Event = halt.event
        self.error: BaseException | None = None
        self.times = LapTimes()
        self._began = time.time()
        self._birth, self._halt, self._sections = birth, halt, sections
        self._link, self._outbox = link, outbox

    @property
    def lap(self) -> int:
        """The lap under way."""
        return self._sections.page.words[PLACE] >> PLACE_SHIFT

    @property
    def completed_laps(self) -> int:
        """Complete laps."""
        return self._sections.page.laps

    @property
    def last_lap_time(self) -> float | None:
        """Seconds."""
        return self.times.last

    @property
    def incarnation(self) -> int:
        """Which life this is."""
        return self._birth.incarnation

    @property
    def lives_left(self) -> int:
        """Restarts still possible when this life began."""
        return self._birth.lives_left

    @property
    def stopping(self) -> bool:
        """Whether a stop stands."""
        return self._halt.level > 0

    @property
    def stats(self) -> Stats:
        """Of this life so far."""
        return self.times.stats(self._began)

    def stop(self, after: str) -> None:
        """End after this section or lap."""
        self._halt.stop(AFTER_LAP if after == "lap" else AFTER_SECTION, f"self.stop(after={after!r})")

    def kill(self) -> None:
        """Ask for SIGKILL, and wait for it: nothing of the user's runs any more."""
        self._sections.close(self.lap)
        self._outbox.say(KillMe())
        while True:
            threading.Event().wait()

    def sleep(self, seconds: float) -> bool:
        """True if it slept the whole time."""
        return self._halt.sleep(seconds)

    def progress(self, percent: float | None, note: str | None) -> None:
        """Tell how far the work is."""
        self._link.progress(Progress(percent, note))
