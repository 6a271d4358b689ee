"""ActorRef: what `spawn` returns. Small, hashable, picklable; it survives restarts and never reaches a later actor."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from understudy import runtime
from understudy.errors import ConfigError, UnderstudyError, WaitTimeout, WrongProcess
from understudy.receiving.calls import Calls
from understudy.settings import check_timeout, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from understudy.router.exits import ExitCallback
    from understudy.status import ActorInfo, Life, Status
    from understudy.timing import Timers

T = TypeVar("T")
A = TypeVar("A")


class ActorRef(Generic[A]):
    """A reference to one spawned actor, over all its lives.

    Refs are equal when they name the same spawn of the same system. ``name`` is what it was spawned as, ``uid`` the
    number that no later actor of the system gets. Calls from a process that does not run the actor's system raise
    WrongProcess.
    """

    __slots__ = ("__weakref__", "_home", "_way", "name", "system_id", "uid")

    def __init__(self, system_id: str, uid: int, name: str, home: runtime.Outside | None = None) -> None:
        self.system_id = system_id
        self.uid = uid
        self.name = name
        # Keeps the outcome of its actor within reach also when the system has closed.
        self._home = home
        self._way: Callable[[int, str, Any, bool], None] | None = None

    @property
    def aio(self) -> AioRef:
        """The same calls for asyncio."""
        return AioRef(self)

    @property
    def call(self) -> A:
        """Its methods that are marked `callable_remotely`: ``ref.call.add(2)`` asks, and gives what ``add`` returns.

        ``ref.call(timeout=2).add(2)`` waits no longer than 2 s. Raises what ``ask`` raises; AttributeError is the cause
        where there is no such method, or no mark on it. An ``async def`` method, too, gives its value, though type
        checkers expect the coroutine.
        """
        return cast("A", Calls(self.ask))

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until it has been READY once; ``timeout`` in seconds.

        Raises WaitTimeout, or the actor's error if it ended without having been READY.
        """
        self._guard("wait")
        self._await(self._outside.started(self.uid), timeout, "be ready")

    def wait(self, timeout: float | None = None) -> Status:
        """Wait until it has ended, over all its lives, and give the final status; raises WaitTimeout.

        So may actors; in their main thread a stop ends the wait and its section, and a wait for itself, or for who
        takes it along, is a WrongProcess at once.
        """
        self._guard("wait")
        return self._await(self._outside.settled(self.uid), timeout, "end")

    def result(self, timeout: float | None = None) -> Any:
        """What `__result__` returned, waiting for it; the same object each time. For the program: not inside actors.

        Raises the actor's error if it did not finish (ActorKilled if it was killed), WaitTimeout after ``timeout``
        seconds. A fallback that `__error__` returned is given as if it were the result.
        """
        outside = self._settled_outside(timeout)
        value, error = outside.outcome(self.uid)
        if error is not None and value is runtime.NOTHING:
            raise error.with_traceback(None)  # the same object each time; the frames of former askers stay behind
        return value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error that it ended with, waiting for it, or None; with a fallback from `__error__` still the error."""
        return self._settled_outside(timeout).outcome(self.uid)[1]

    def done(self) -> bool:
        """Whether it has ended."""
        return self._outside.settled(self.uid).done()

    def on_exit(self, callback: Callable[[ActorInfo], object]) -> ExitCallback:
        """Have ``callback(info)`` called once when it has ended, over all its lives; at once if it has.

        In a thread that the system has for such callbacks, one after the other: what one raises, SystemExit too, is
        logged and the others go on; one that waits holds them up, and nobody else. It may spawn, stop, wait for other
        actors and shut the system down. What is given can be cancelled. A `shutdown` waits 1 s for those that are
        due by its end. One that a closed system left behind has no end. Raises ConfigError for what cannot be called,
        NoCapacity where no thread is to be had, WrongProcess in an actor, where `Process.watch` does it.
        """
        if not callable(callback):
            raise ConfigError(f"on_exit({shown(callback)}): give what can be called with the actor's info")
        if self._inside is not None:
            raise WrongProcess(f"on_exit is for the program; in the actor {self._inside.name} self.watch(ref) does it")
        return self._outside.on_exit_uid(self.uid, callback)

    def stop(self, *, grace: float | None = None, drain: bool = False) -> str:
        """Ask it to stop and return: ``asked``, ``already`` (it was asked before) or ``ended``.

        ``grace`` seconds from now it is killed, with SIGTERM at one half and three quarters of them; without it, the
        section under way may finish within its own timeout. With ``drain`` the messages that have arrived are handled
        first, within the grace, else each within its own timeout; without, they become dead letters. Who asks again
        may shorten the grace, no more.
        """
        inside = self._inside
        if inside is not None:
            return _only(inside.steer("stop", self, grace=grace, drain=drain))
        return self._outside.stop_uid(self.uid, grace=grace, drain=drain)

    def kill(self) -> str:
        """SIGKILL to it and all that it started; returns when the signal is sent."""
        inside = self._inside
        return self._outside.kill_uid(self.uid) if inside is None else _only(inside.steer("kill", self))

    def restart(self, *, grace: float | None = None) -> str:
        """Stop it, then begin anew from the original state with all lives; waiters wait on.

        If it has ended, its spec is spawned anew under a new uid, and this ref keeps its outcome.
        """
        inside = self._inside
        if inside is not None:
            return _only(inside.steer("restart", self, grace=grace))
        return self._outside.restart_uid(self.uid, grace=grace)

    def children(self) -> list[ActorRef[Any]]:
        """The living actors that it has spawned, in the order of their spawn."""
        inside = self._inside
        if inside is not None:
            return [ActorRef(self.system_id, uid, name) for name, uid in inside.steer("children", self).items()]
        return self._outside.children_uid(self.uid)

    def pause(self) -> str:
        """Let it stand still at its next check, and return: ``asked``, ``already`` (it was asked before) or ``ended``.

        It checks between sections, laps and messages, and in `Process.sleep`, `receive` and `stopping`. Until `resume`
        no section's time runs while it stands still, its mailbox fills, and lives that follow begin with the pause.
        A stop, kill or restart works at once.
        """
        return self._outside.pause_uid(self.uid)

    def resume(self) -> str:
        """Let it go on, however often it was paused: ``asked``, ``already`` (no pause stood) or ``ended``.

        A timer of its own that was due meanwhile gives one message; a section goes on with the rest of its time.
        """
        return self._outside.resume_uid(self.uid)

    def configure(self, options: Mapping[str, Any]) -> str:
        """Set options while it runs, by dotted path: ``asked``, ``already`` (all stand so) or ``ended``.

        ``{"timeouts.loop": 5}``; of ``num_loops``, ``join_in``, ``log_laps``, ``timeouts.*`` and ``heartbeat.*``. A
        section that is under way keeps its deadline, what begins afterwards goes by the new ones; they stand over
        restarts, and ``info().config`` shows them. Raises UnknownField with the nearest path, ConfigError for a bad
        value and for an option that is set at the spawn alone.
        """
        return self._outside.configure_uid(self.uid, options)

    def tell(self, message: Any, *, urgent: bool = False, reliable: bool = False) -> None:
        """Send it a message, from any thread of the system's processes, and return.

        Messages of one thread to one actor are handled in the order in which they are sent, asks among them; ``urgent``
        ones before all that wait. It is handled at most once: what a process has in hand when it dies is lost. A
        ``reliable`` one is handled at least once, as long as its sender lives: given to the next life again
        (`Process.redelivered`) until it was handled, and until the reliable ones were that its handling sent; after
        three deaths in hand it is a dead letter. Waits for room where the receiver's mailbox is full, unless its
        ``mailbox.on_full`` says otherwise (a reliable one is never dropped), and a reliable one where as many as the
        mailbox holds are not done. Raises SerializationError for what cannot travel, MailboxFull, ActorDied if it has
        ended, and NotAnActor if it is a function.
        """
        if reliable:
            self._post.tell_reliably(self.uid, self.name, message, urgent=urgent)
            return
        (self._way or self._find_way())(self.uid, self.name, message, urgent)

    def ask(self, message: Any, timeout: float | None = None) -> Any:
        """Send it a message and wait for the answer: what its handler returns.

        Raises ReceiveError with the handler's exception as its cause (ReceiveTimeoutError if it ran too long),
        AskTimeout after ``timeout`` seconds, ActorDied as soon as it dies or if it has ended, MailboxFull, AskCycle if
        it waits for the asker, SerializationError for what cannot travel, WrongProcess for an actor that asks itself,
        NotAnActor if it is a function.
        """
        return self._post.ask(self.uid, self.name, message, timeout)

    def info(self) -> ActorInfo:
        """Where it stands now; its figures are measured here and now if they are older than ``sampling.interval``."""
        return self._outside.info_uid(self.uid)

    def healthy(self) -> bool:
        """Whether its health is ``healthy``: it runs or stops, its heartbeats come, its process is no zombie."""
        return self._outside.healthy_uid(self.uid)

    def history(self) -> list[Life]:
        """Its lives so far, the current one last."""
        return self._outside.history_uid(self.uid)

    def stacks(self) -> str:
        """Where all threads of its process stand now, its main thread first; "" where it has no process.

        It takes a few milliseconds and doesn't disturb the actor. One that holds its interpreter in C is asked by a
        signal, after half a second. Where the stacks can't be had, as of a stopped process, a sentence in brackets
        says why, within 1.5 s (5 s on a machine that is too busy to tell).
        """
        return self._outside.stacks_uid(self.uid)

    def timers(self) -> Timers | None:
        """The timers of its last life that told them, or None if no hook is timed or it told none."""
        return self._outside.timers_uid(self.uid)

    @property
    def _outside(self) -> runtime.Outside:
        inside = self._inside
        return self._home or (runtime.find(self.system_id, self.name) if inside is None else inside.outside)

    def _find_way(self) -> Callable[[int, str, Any, bool], None]:
        """How messages go from this process, kept: there are many of them."""
        way: Callable[[int, str, Any, bool], None] = self._post.tell
        self._way = way
        return way

    @property
    def _post(self) -> runtime.Post:
        inside = self._inside
        return self._outside.post if inside is None else inside.post

    @property
    def _inside(self) -> runtime.Inside | None:
        """This process, if it is an actor of the same system."""
        inside = runtime.inside
        return inside if inside is not None and inside.system_id == self.system_id else None

    def _guard(self, verb: str) -> None:
        inside = self._inside
        if inside is not None and inside.name == self.name:
            raise WrongProcess(f"{self.name} cannot {verb} for itself")

    def _settled_outside(self, timeout: float | None) -> runtime.Outside:
        if self._inside is not None:
            self._inside.outside.refuse_outcomes()
        self.wait(timeout)
        return self._outside

    def _await(self, future: runtime.Awaited[T], timeout: float | None, what: str) -> T:
        seconds = check_timeout(timeout)
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():  # just now, or with an error of that kind
                return future.result()
        raise self._missed(seconds, what)

    def _missed(self, seconds: float | None, what: str) -> WaitTimeout:
        standing = ""
        with contextlib.suppress(UnderstudyError):  # for one that the system has forgotten
            info = self._outside.info_uid(self.uid)
            standing = f" ({info.status}, lap {info.lap})"
        return WaitTimeout(f"{self.name} did not {what} within {seconds:g} s{standing}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ActorRef):
            return NotImplemented
        return (self.system_id, self.uid) == (other.system_id, other.uid)

    def __hash__(self) -> int:
        return hash((self.system_id, self.uid))

    def __repr__(self) -> str:
        return f"<ActorRef {self.name} (uid {self.uid} of {self.system_id})>"

    def __reduce__(self) -> tuple[type[ActorRef[A]], tuple[str, int, str]]:
        return type(self), (self.system_id, self.uid, self.name)


def _only(words: dict[str, str]) -> str:
    """What was answered for the one that was meant."""
    return next(iter(words.values()))


class AioRef:  # imports asyncio where it is used: refs travel into children that do without it
    """The calls of an ActorRef that wait or measure, as coroutines; cancelling one leaves the actor alone."""

    def __init__(self, ref: ActorRef[Any]) -> None:
        self._ref = ref

    @property
    def call(self) -> Any:
        """As `ActorRef.call`; what is called is to be awaited."""
        return Calls(self.ask)

    async def wait_ready(self, timeout: float | None = None) -> None:
        """As `ActorRef.wait_ready`."""
        await self._until(self._ref._outside.started(self._ref.uid), timeout, "be ready")  # noqa: SLF001 - its other half
        self._ref.wait_ready(0)

    async def wait(self, timeout: float | None = None) -> Status:
        """As `ActorRef.wait`."""
        await self._until(self._ref._outside.settled(self._ref.uid), timeout, "end")  # noqa: SLF001
        return self._ref.wait(0)

    async def result(self, timeout: float | None = None) -> Any:
        """As `ActorRef.result`."""
        import asyncio

        await self.wait(timeout)
        return await asyncio.to_thread(self._ref.result)

    async def exception(self, timeout: float | None = None) -> BaseException | None:
        """As `ActorRef.exception`."""
        import asyncio

        await self.wait(timeout)
        return await asyncio.to_thread(self._ref.exception)

    async def tell(self, message: Any, *, urgent: bool = False, reliable: bool = False) -> None:
        """As `ActorRef.tell`; waits for room without holding up the loop.

        What is sent by ``aio`` is in order among itself, in no order with what the plain calls send.
        """
        ref = self._ref
        await ref._post.courier.tell(ref.uid, ref.name, message, urgent=urgent, reliable=reliable)  # noqa: SLF001

    async def ask(self, message: Any, timeout: float | None = None) -> Any:
        """As `ActorRef.ask`; cancelling it takes the ask back, if its handling was not begun."""
        return await self._ref._post.courier.ask(self._ref.uid, self._ref.name, message, timeout)  # noqa: SLF001

    async def info(self) -> ActorInfo:
        """As `ActorRef.info`; measured in a thread of its own."""
        import asyncio

        return await asyncio.to_thread(self._ref.info)

    async def stacks(self) -> str:
        """As `ActorRef.stacks`; a thread of its own waits for them."""
        import asyncio

        return await asyncio.to_thread(self._ref.stacks)

    async def healthy(self) -> bool:
        """As `ActorRef.healthy`, which waits for nothing."""
        return self._ref.healthy()

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()

    async def _until(self, future: runtime.Awaited[Any], timeout: float | None, what: str) -> None:
        import asyncio

        seconds = check_timeout(timeout)
        if future.done():  # also for a wait of no time
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def wake(_: object) -> None:
            # The loop may have been closed before the actor ended.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

        future.add_done_callback(wake)
        try:
            await asyncio.wait_for(ended.wait(), seconds)
        except TimeoutError:
            if not future.done():
                raise self._ref._missed(seconds, what) from None  # noqa: SLF001
        finally:
            future.remove_done_callback(wake)
