"""The only package that knows ZeroMQ: every socket is made, and every option set, here.

hub: the parent's four · line: an actor's two · mail: those of messages · tap: a client's · frames: what all share.
places: where they are, by ipc or · loopback: by TCP with keys · finding: by which of the two ·
curve, gate: those that a network reaches; asked for by their own names, for actors do without them.
"""

from understudy.wire.sockets.finding import at as at
from understudy.wire.sockets.finding import found as found
from understudy.wire.sockets.frames import MAX_CONTROL as MAX_CONTROL
from understudy.wire.sockets.frames import MAX_REPLY as MAX_REPLY
from understudy.wire.sockets.frames import MAX_SUBSCRIPTION as MAX_SUBSCRIPTION
from understudy.wire.sockets.frames import Frames as Frames
from understudy.wire.sockets.frames import topic as topic
from understudy.wire.sockets.hub import Hub as Hub
from understudy.wire.sockets.hub import Sent as Sent
from understudy.wire.sockets.line import Line as Line
from understudy.wire.sockets.mail import Exchange as Exchange
from understudy.wire.sockets.mail import Inlet as Inlet
from understudy.wire.sockets.mail import Outlet as Outlet
from understudy.wire.sockets.mail import mailbox_of as mailbox_of
from understudy.wire.sockets.places import TRANSPORTS as TRANSPORTS
from understudy.wire.sockets.places import Places as Places
from understudy.wire.sockets.tap import Credentials as Credentials
from understudy.wire.sockets.tap import Meeting as Meeting
from understudy.wire.sockets.tap import Route as Route
from understudy.wire.sockets.tap import Tap as Tap
from understudy.wire.sockets.tap import local as local
