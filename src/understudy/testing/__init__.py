"""For tests of programs that use understudy: a clock that stands still, and a check that nothing is left behind.

The fixtures are in `understudy.testing.plugin`, which needs pytest and is therefore not imported here.
"""

from __future__ import annotations

from understudy.testing.clock import FakeClock as FakeClock
from understudy.testing.leaks import Leak as Leak
from understudy.testing.leaks import LeakCheck as LeakCheck
from understudy.testing.leaks import Leaked as Leaked
