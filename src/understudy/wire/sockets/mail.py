"""The sockets of messages: a sending thread's, which speaks to many mailboxes, and the mailbox of one actor."""

from __future__ import annotations

import errno
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, repeat
from typing import Any

import zmq

from understudy.wire.codec import MAX_PART
from understudy.wire.sockets.frames import LONG, Frames, milliseconds
from understudy.wire.sockets.places import Places

_AGAIN_MS, _AGAIN_MOST_MS = 2, 50
"""How soon, and at most how late, a mailbox that is not there is looked for again."""
_TAKEN_AHEAD = 64
"""Letters, each of which may be a batch, that libzmq reads ahead from each sender."""
_WORDS, _SPARE, _MOST_WORDS = 4, 1000, (1 << 31) - 1
"""Answers that may wait for one sender: so many for each message that it may have under way, and some."""
# Plain numbers: what an enum adds to a question costs half as much as the question.
_POLLIN, _NOBLOCK, _MORE = int(zmq.POLLIN), int(zmq.NOBLOCK), int(zmq.SNDMORE | zmq.NOBLOCK)
_OF_TWO = (_MORE, _NOBLOCK)
_EVENTS = int(zmq.EVENTS)


def mailbox_of(uid: int, incarnation: int) -> str:
    """Under what name the mailbox of a life is bound."""
    return f"m{uid}.{incarnation}"


class Exchange:
    """What the mail sockets of one process are made from."""

    def __init__(self, places: Places, context: Any = None) -> None:
        self._places = places
        self._unguard: Callable[[], None] | None = None
        self._owned = context is None
        self._context = zmq.Context(io_threads=1) if context is None else context
        if self._owned:
            self._context.set(zmq.MAX_SOCKETS, 8192)

    def outlet(self, name: bytes) -> Outlet:
        """For one sending thread, which all mailboxes know by that name."""
        return Outlet(self._context, self._places, name)

    def inlet(self, uid: int, incarnation: int, wake_fd: int, size: int) -> Inlet:
        """The mailbox of a life, for so many messages of each sender; ``wake_fd`` ends its waits."""
        if self._unguard is None:
            self._unguard = self._places.guard(self._context)
        bind = partial(self._places.bind, name=mailbox_of(uid, incarnation))
        return Inlet(self._context, bind, wake_fd, size)

    def close(self) -> None:
        """Wait until what was handed over has left, as long as the sockets linger."""
        if self._unguard is not None:
            self._unguard()
            self._unguard = None
        if self._owned:
            self._context.term()


class Outlet:
    """One thread's way to all mailboxes that it speaks to."""

    def __init__(self, context: Any, places: Places, name: bytes) -> None:
        self._places = places
        self._numbers = itertools.count()
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.ROUTING_ID, name)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.SNDHWM, 0)  # the credit of each connection bounds what waits
        self._socket.set(zmq.RCVHWM, 0)
        self._socket.set(zmq.ROUTER_MANDATORY, 1)
        self._socket.set(zmq.RECONNECT_IVL, _AGAIN_MS)
        self._socket.set(zmq.RECONNECT_IVL_MAX, _AGAIN_MOST_MS)
        self._socket.set(zmq.MAXMSGSIZE, MAX_PART)
        self._sends, self._tells = _raw(self._socket)
        self._ways: dict[str, tuple[bytes, str]] = {}
        """By mailbox: route and address of each connection, and of those that were to be made when something struck."""
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._wake_fd = -1

    def connect(self, uid: int, incarnation: int) -> bytes:
        """Begin to speak to the mailbox of that life, there or not; the route to name in `send`."""
        name = mailbox_of(uid, incarnation)
        # Who was interrupted as it connected does so again. Of two connections the later one, which may be the one that
        # is to go, would take the name, and what went the other way be lost.
        if (known := self._ways.get(name)) is not None and self._is_connected(known[0]):
            return known[0]
        # Never one that was there: libzmq ends the process that connects by the same route twice.
        route = b"m%d.%d.%d" % (uid, incarnation, next(self._numbers))
        address = self._places.approach(self._socket, name)
        self._ways[name] = route, address
        self._socket.set(zmq.CONNECT_ROUTING_ID, route)
        self._socket.connect(address)
        return route

    def _is_connected(self, route: bytes) -> bool:
        """Found by a message, which is refused where it arrives."""
        try:
            self.send_one(route, b"")
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
            return False
        return True

    def disconnect(self, uid: int, incarnation: int) -> None:
        """Drop what is not sent yet, and look for it no more."""
        name = mailbox_of(uid, incarnation)
        way = self._ways.get(name)
        # Two may have one address, where it is a port: whose it was has ended then, and would take the other with it.
        if way is not None and sum(address == way[1] for _, address in self._ways.values()) == 1:
            try:
                self._socket.disconnect(way[1])
            except zmq.ZMQError as error:
                if error.errno != errno.ENOENT:  # the other side has gone, and nobody was looking for it
                    raise
        self._ways.pop(name, None)

    def send(self, route: bytes, frames: Sequence[Any]) -> None:
        """Hand over one message; what is long stays where it is until it has left."""
        _send(self._sends, route, frames)

    def send_one(self, route: bytes, frame: bytes) -> None:
        """The same for a message of one short frame."""
        try:
            deque(map(self._sends, (route, frame), _OF_TWO), 0)
        except BaseException:
            _break_off(self._sends)
            raise

    def take(self) -> Frames | None:
        """One message that has arrived, its route first."""
        # Asked first, for an exception costs more than the whole message.
        return _taken(self._socket) if self._tells(_EVENTS) & _POLLIN else None

    def take_ready(self) -> Frames | None:
        """The same where `wait` has said that there is one, unless a signal's handler took it meanwhile."""
        with suppress(zmq.Again):
            return _taken(self._socket)
        return None

    def wait(self, seconds: float | None, wake_fd: int) -> bool:
        """Wait so long for a message, or until the descriptor is readable: whether there is a message."""
        if wake_fd != self._wake_fd:
            self._poller.register(wake_fd, zmq.POLLIN)
            self._wake_fd = wake_fd
        return (self._socket, _POLLIN) in self._poller.poll(milliseconds(seconds))

    def close(self, linger: float) -> None:
        """Close; what is unsent is given so many seconds to leave, behind the back of who closes."""
        self._socket.close(linger=int(linger * 1000))


class Inlet:
    """The mailbox of one actor; its main thread's."""

    def __init__(self, context: Any, bind: Callable[[Any], None], wake_fd: int, size: int) -> None:
        self._socket = context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RCVHWM, _TAKEN_AHEAD)
        self._socket.set(zmq.ROUTER_HANDOVER, 1)  # whose connection broke may be back before that is known
        # Who keeps to its credit is sent no more than that; of who asks on and reads nothing, the rest is dropped.
        self._socket.set(zmq.SNDHWM, min(_WORDS * size + _SPARE, _MOST_WORDS))
        self._socket.set(zmq.MAXMSGSIZE, MAX_PART)
        self._sends, self._tells = _raw(self._socket)
        bind(self._socket)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(wake_fd, zmq.POLLIN)
        self._rung = wake_fd, _POLLIN

    def fileno(self) -> int:
        """For an event loop: readable when something has changed, which `take` has to be asked about."""
        fd: int = self._socket.get(zmq.FD)
        return fd

    def take(self) -> Frames | None:
        """One message that has arrived, its sender first."""
        return _taken(self._socket) if self._tells(_EVENTS) & _POLLIN else None

    def hush(self) -> None:
        """Take what has changed so far for known: the descriptor tells of what comes from now on."""
        self._tells(_EVENTS)

    def wait(self, seconds: float | None) -> tuple[bool, bool]:
        """Wait so long for a message, or until the descriptor is readable: whether there is one, whether it is."""
        found = self._poller.poll(milliseconds(seconds))
        return (self._socket, _POLLIN) in found, self._rung in found

    def take_ready(self) -> Frames | None:
        """As `Outlet.take_ready`."""
        with suppress(zmq.Again):
            return _taken(self._socket)
        return None

    def send(self, to: bytes, frames: Sequence[Any]) -> None:
        """Answer a sender; of who has gone, nothing is known."""
        _send(self._sends, to, frames)

    def close(self, linger: float) -> None:
        """Close; answers are given so many seconds to leave."""
        self._socket.close(linger=int(linger * 1000))


def _raw(socket: Any) -> tuple[Callable[..., Any], Callable[[int], Any]]:
    """How pyzmq sends one frame, and tells an option of a socket, without the Python around it."""
    inner: Any = super(zmq.Socket, socket)
    return inner.send, inner.get


def _send(sends: Callable[..., Any], to: bytes, frames: Sequence[Any]) -> None:
    """All frames are copied: one may be the user's own, changed as soon as it was said to be sent.

    And what is not copied is watched over by a thread of pyzmq's that stays.
    """
    flags = chain(repeat(_MORE, len(frames)), (_NOBLOCK,))
    try:
        deque(map(sends, (to, *frames), flags), 0)
    except BaseException:
        _break_off(sends)
        raise


def _break_off(sends: Callable[..., Any]) -> None:
    """A signal's handler may raise amid a message, before or after a frame is sent.

    With an empty frame what was begun ends, and is refused where it arrives; if nothing was begun, it goes nowhere.
    """
    with suppress(zmq.ZMQError):
        sends(b"", _NOBLOCK)


def _taken(socket: Any) -> Frames:
    """Whose message it is never comes alone; and a frame that is not copied at once says whether more follow."""
    try:
        frames = [socket.recv(_NOBLOCK)]
        frame = socket.recv(_NOBLOCK, copy=False)
        frames.append(frame.bytes)
        while frame.more:
            frame = socket.recv(_NOBLOCK, copy=False)
            frames.append(frame.buffer if len(frame) > LONG else frame.bytes)
    except BaseException:  # of a signal's handler: the rest of that message is not to be taken for the next one
        while socket.get(zmq.RCVMORE):
            socket.recv(_NOBLOCK)
        raise
    return frames
