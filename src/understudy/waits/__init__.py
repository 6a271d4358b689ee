"""What shows that a program is ready: a Protocol, and waits that are there already."""

from __future__ import annotations

from understudy.waits.base import Started as Started
from understudy.waits.base import Wait as Wait
from understudy.waits.notified import Notified as Notified
from understudy.waits.port import Port as Port

__all__ = ["Notified", "Port", "Started", "Wait"]
