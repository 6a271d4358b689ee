"""Watching and steering a system, from inside and from any other process.

rundir     the directory of a system, and how it is found by name
publisher  parent side of the status stream
journal    its recent past, for who missed some of it
observer   a client that follows the stream: snapshot first, then every change in order
remote     a client that stops, kills and restarts by name
"""

from understudy.observe.observer import Observer as Observer
from understudy.observe.remote import Remote as Remote
