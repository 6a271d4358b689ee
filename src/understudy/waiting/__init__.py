"""Waiting for a program to be there: what a wait is, what it is told, and who asks it again and again.

`understudy.services.waits` has the waits that come along; whoever writes another imports from here.
"""

from understudy.waiting.asking import Waiting as Waiting
from understudy.waiting.asking import check_wait as check_wait
from understudy.waiting.asking import wait_until as wait_until
from understudy.waiting.pace import Pace as Pace
from understudy.waiting.protocols import NOBODY as NOBODY
from understudy.waiting.protocols import Answer as Answer
from understudy.waiting.protocols import Holds as Holds
from understudy.waiting.protocols import Log as Log
from understudy.waiting.protocols import Never as Never
from understudy.waiting.protocols import NotYet as NotYet
from understudy.waiting.protocols import Probe as Probe
from understudy.waiting.protocols import Subject as Subject
from understudy.waiting.protocols import Wait as Wait

__all__ = [
    "NOBODY",
    "Answer",
    "Holds",
    "Log",
    "Never",
    "NotYet",
    "Pace",
    "Probe",
    "Subject",
    "Wait",
    "Waiting",
    "check_wait",
    "wait_until",
]
