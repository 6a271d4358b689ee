"""Process: what a user subclasses, and runs as an actor in an operating system process of its own."""

from __future__ import annotations

import copy
import inspect
import logging
from typing import TYPE_CHECKING, Any, Self, cast

from understudy import runtime
from understudy.callables import check_call, wants_stop_event
from understudy.config import ProcessConfig
from understudy.errors import AlreadyStarted, ConfigError, NotAnActor, WrongProcess
from understudy.handle import arrived, here
from understudy.hooks import CALLED, refuse_generating_hooks
from understudy.part import Part, inside_of, part_of, started
from understudy.receiving.deferred import Deferred
from understudy.receiving.marks import UNMARKED, refuse_receive_without_message
from understudy.settings import check_delay, check_progress, check_timeout, shown
from understudy.shadowing import Verb, clash, refuse_near_misses, shadowable, verb
from understudy.timing import timed_hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from understudy.engine.timers import Reminder
    from understudy.ref import ActorRef
    from understudy.stats import Stats
    from understudy.status import Status
    from understudy.timing import Timers

_NOTE = 1000
_OFTEN = 0.001
"""Seconds: what waits for messages is woken no oftener."""


class Process:
    """Subclass this, define ``__loop__`` or ``__receive__``, and spawn it: each object is an actor in its own process.

    Hooks: ``__preloop__``, ``__loop__`` and ``__postloop__`` run each lap, ``__onfinish__`` once at a graceful end,
    ``__result__`` after it (what it returns is the actor's result), ``__error__`` when no life is left (it may return
    an exception to raise instead, None to raise the original, or a fallback result). ``__receive__(message)`` takes
    messages between them; what it returns is the reply to an ask. So do methods marked `receives` and
    `callable_remotely`. ``__terminated__(info)`` is told the ends of actors that it watches. One of these three or
    ``__loop__`` has to be there. Each may be ``async def``.

    ``__init__`` runs in the caller, once; there is no need to call ``super().__init__()``. ``self.config`` is there
    before it runs; an unknown setting or a wrong value raises at its line.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Set up once per object, before any ``__init__``."""
        if (args or kwargs) and cls.__init__ is object.__init__:
            given = ", ".join([*map(shown, args), *(f"{name}=" for name in kwargs)])
            raise TypeError(f"{cls.__name__}() takes no arguments; got {given}")  # what object.__new__ would say
        made = super().__new__(cls)
        made.__dict__["_understudy"] = Part(timed_hooks(cls))
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in VERBS:
            if inspect.getattr_static(cls, name) is not Process.__dict__[name]:
                clash(cls.__name__, name)
        refuse_near_misses(cls.__qualname__, vars(cls), CALLED)
        refuse_generating_hooks(cls)
        refuse_receive_without_message(vars(cls))

    if TYPE_CHECKING:

        def __call__(self, *, timeout: float | None) -> Self:
            """So that ``ref.call(timeout=2).add(2)`` is checked as ``ref.call.add(2)`` is."""

    @property
    def config(self) -> ProcessConfig:
        """The settings of this actor; change its fields, not the whole."""
        return part_of(self).config

    @config.setter
    def config(self, value: object) -> None:
        raise ConfigError(
            f"{type(self).__name__}.config cannot be replaced; set its fields, as in self.config.lives = 3"
        )

    def __copy__(self) -> Self:
        """A shallow copy with settings of its own, which was not started."""
        inherited = getattr(super(), "__copy__", None)
        # Where there is none, what copy.copy does then.
        rebuild: Any = copy._reconstruct  # type: ignore[attr-defined]  # noqa: SLF001
        made = inherited() if inherited else rebuild(self, None, *self.__reduce_ex__(4))
        made.__dict__["_understudy"] = copy.deepcopy(part_of(self))
        return cast("Self", made)

    # --- in the parent: a free-standing process

    @verb
    def start(self, *, name: str | None = None) -> ActorRef[Self]:
        """Run this object as an actor of the default system; inside an actor as its child, see `spawn`.

        Raises AlreadyStarted, and what `spawn` raises for what cannot travel.
        """
        part = part_of(self)
        if part.inside is not None:
            raise WrongProcess(f"{part.inside.name} runs already; it cannot start itself")
        with part.starting:  # of threads that start one object at once, one does
            if part.ref is not None:
                raise AlreadyStarted(f"this {type(self).__name__} was started as {part.ref.name}; make another one")
            part.ref = cast("ActorRef[Self]", runtime.default_system().spawn(self, name=name))
            return part.ref

    @verb
    def wait(self, timeout: float | None = None) -> Status:
        """Wait until it has ended, at most ``timeout`` seconds; raises WaitTimeout, NotStarted, WrongProcess inside."""
        return started(self, "wait for").wait(timeout)

    @verb
    def result(self, timeout: float | None = None) -> Any:
        """What ``__result__`` returned in its process, waiting for it; raises its error, WaitTimeout, NotStarted."""
        return started(self, "ask the result of").result(timeout)

    @verb
    def stop(self, *, after: str = "section", grace: float | None = None, drain: bool = False) -> str:
        """Ask for the end.

        Inside hooks: ``after="section"`` (no further section begins) or ``"lap"`` (this lap is finished first); then
        ``__onfinish__`` and ``__result__`` run. In the parent: as `ActorRef.stop`, with ``grace`` in seconds and
        ``drain``. Raises ConfigError for what belongs to the other side.
        """
        if after not in {"section", "lap"}:
            raise ConfigError(f"stop(after={shown(after)}): it is 'section' or 'lap'")
        inside = part_of(self).inside
        if inside is None:
            if after == "lap":
                raise ConfigError("stop(after='lap') is for hooks; from outside, a stop is after the section under way")
            return started(self, "stop").stop(grace=grace, drain=drain)
        if grace is not None:
            raise ConfigError("stop(grace=...) is for the parent; from within, the section under way ends by itself")
        if drain:
            raise ConfigError("stop(drain=True) is for the parent; from within, no further message is handled")
        inside.stop(after)
        return "asked"

    @verb
    def kill(self) -> str:
        """End now: no ``__onfinish__``, no ``__result__``. Inside hooks it does not return."""
        inside = part_of(self).inside
        if inside is None:
            return started(self, "kill").kill()
        inside.kill()
        return "asked"

    # --- messages

    @verb
    def tell(self, message: object, *, urgent: bool = False) -> None:
        """Send it a message and wait for nothing, as `ActorRef.tell`; inside hooks, to itself. Raises NotStarted."""
        inside = part_of(self).inside
        ref = started(self, "tell") if inside is None else inside.ref
        ref.tell(message, urgent=urgent)

    @verb
    def ask(self, message: object, timeout: float | None = None) -> Any:
        """Send it a message and wait for the reply, as `ActorRef.ask`; raises NotStarted, WrongProcess inside hooks."""
        inside = part_of(self).inside
        ref = started(self, "ask") if inside is None else inside.ref
        return ref.ask(message, timeout=timeout)

    @verb
    def receive(self, timeout: float | None = None) -> Any:
        """Wait inside a hook for the next message, at most ``timeout`` seconds, and give it.

        `sender` and `defer` are about this message then; of one that was asked and is not deferred, the asker gets None
        with the next `receive` or the end of the section. A stop ends the wait, and with it the section, without an
        error. Raises WaitTimeout.
        """
        return inside_of(self, "receive").receive(check_timeout(timeout))

    @verb
    def after(self, seconds: float, message: object) -> Reminder:
        """Send itself a message in so many seconds, which may be 0; the `Reminder` cancels it.

        It is handled as one that was told, by the same handlers or `receive`, as soon as it is due and its turn has
        come: before what waits in the mailbox, unless that is urgent, or the last one was a timer's too. It is not
        serialized, takes no room there, and `sender` is None. It ends with this life, and with a stop.
        Any thread of the actor may call it; of a class without handlers, once a hook has called this or `receive`.
        Raises ConfigError for what is no number of seconds from 0 to 1,000,000,000, WrongProcess outside hooks.
        """
        return inside_of(self, "after").after(check_delay("after", seconds, 0), message)

    @verb
    def every(self, seconds: float, message: object) -> Reminder:
        """Send itself a message again and again, as `after` does, in so many seconds for the first time.

        It is due at multiples of ``seconds`` from this call, by a clock that nobody sets. At most one of them waits for
        its turn, or for the async handler that has one in hand; those that are due by then as well are left out, and
        `Reminder.missed` counts them.
        Raises as `after`; ConfigError for less than 0.001 seconds, too.
        """
        return inside_of(self, "every").every(check_delay("every", seconds, _OFTEN), message)

    @verb
    def defer(self) -> Deferred:
        """Answer the message in hand later: what the handler returns is not the reply then, be it the Deferred itself.

        If it is called again for the same message, one of the two may answer it.
        Raises WrongProcess outside hooks, and where no message is in hand.
        """
        return inside_of(self, "defer").defer()

    @shadowable
    def sender(self) -> ActorRef[Any] | None:
        """The actor that sent the message in hand; None if it came from no actor, and between messages."""
        return inside_of(self, "sender").sender

    @shadowable
    def redelivered(self) -> bool:
        """Whether an earlier life may have handled the message in hand, wholly or in part: a reliable one."""
        return inside_of(self, "redelivered").redelivered

    @shadowable
    def system(self) -> Any:
        """The system that it lives in; inside hooks a handle: ``.ref(name)`` and ``.refs(glob)`` find other actors."""
        inside = part_of(self).inside
        if inside is not None:
            return arrived(inside.system_id, inside.system_name, inside.endpoint)
        ref = started(self, "ask the system of")
        found = here.get(ref.system_id)
        if found is None:
            raise WrongProcess(f"the system of {ref.name} does not run in this process, or was shut down and forgotten")
        return found

    # --- inside hooks

    @verb
    def spawn(
        self,
        target: Any,
        /,
        *args: Any,
        name: str | None = None,
        host: str = "process",
        replicas: int | None = None,
        config: dict[str, Any] | ProcessConfig | None = None,
        link: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Start an actor as a child of this one, and return its ref at once; from any thread of this actor.

        Arguments as of `ActorSystem.spawn`. Its name is this actor's, ``/`` and ``name`` (default: ``label-1``). It
        begins in the directory and environment of this process. When this life ends, though another may follow, its
        children are stopped by their own ladders, or killed if it was. With ``link`` the end of the child stops this
        actor, unless the child was stopped. Waits only for a name that a child of an earlier life is about to give
        back. Also raises DepthExceeded, ParentStopping, TooLarge beyond ``limits.spawn``, WrongProcess outside hooks.
        """
        options = {"name": name, "host": host, "replicas": replicas, "config": config, "link": link}
        return inside_of(self, "spawn").spawn(target, *args, **options, **kwargs)

    @verb
    def watch(self, who: ActorRef[Any] | Iterable[ActorRef[Any]]) -> None:
        """Have ``__terminated__(info)`` called when that actor, by its ref, or each of several, has ended for good.

        Once for each watch, between sections, in its turn among the messages and under ``timeouts.receive``, or amid a
        hook's `receive` (unless it is ``async def``); at once if it has ended. A watch stands for all lives of this
        actor: an end that one did not handle is told to the next. From any thread of the actor. Raises NotAnActor
        without the hook, ConfigError for no ref of this system, UnknownActor, WrongProcess for itself, outside hooks.
        """
        if not callable(getattr(type(self), "__terminated__", None)):
            raise NotAnActor(f"{type(self).__qualname__} has no __terminated__(self, info) to be told by; define it")
        inside_of(self, "watch").watch(who)

    @verb
    def unwatch(self, who: ActorRef[Any] | Iterable[ActorRef[Any]]) -> None:
        """Watch it no more: an end that was not handled yet is passed over. Raises as `watch`, but for the hook."""
        inside_of(self, "unwatch").unwatch(who)

    @verb
    def sleep(self, seconds: float) -> bool:
        """Sleep, but end early at a stop; True if it slept the whole time."""
        return inside_of(self, "sleep").sleep(seconds)

    @verb
    def checkpoint(self) -> None:
        """Keep this object, as it is now, for the lives that follow: they begin from it instead of the original.

        That is so where ``config.restart.revive = "checkpoint"``. It is serialized as at the spawn, and safe when this
        returns: whatever befalls the process then, the next life has it. Last rites have the original, as has a restart
        by hand of an actor that has ended. In the main thread only. Raises SerializationError with the path to what
        cannot travel, TooLarge beyond ``limits.checkpoint``, WrongProcess outside hooks; the last one stands then.
        """
        inside_of(self, "checkpoint").checkpoint(self)

    @verb
    def progress(self, done: float | None, total: float | None = None, *, note: str | None = None) -> None:
        """Report how far the work is: percent, or ``done`` of ``total``; shown by ``info()``, with the note.

        ``done`` may be None where only the note is known. A note is cut after 1,000 characters.
        Raises ConfigError for what is not between 0 and 100 percent.
        """
        inside_of(self, "progress").progress(check_progress(done, total), None if note is None else str(note)[:_NOTE])

    @shadowable
    def stopping(self) -> bool:
        """Whether a stop stands."""
        return inside_of(self, "stopping").stopping

    @shadowable
    def name(self) -> str:
        """The actor's name; raises NotStarted before there is one."""
        inside = part_of(self).inside
        return started(self, "tell the name of").name if inside is None else inside.name

    @shadowable
    def current_lap(self) -> int:
        """The lap under way, from 1; 0 before the first."""
        inside = part_of(self).inside
        return started(self, "ask the lap of").info().lap if inside is None else inside.lap

    @shadowable
    def completed_laps(self) -> int:
        """How many laps are complete."""
        inside = part_of(self).inside
        return started(self, "ask the laps of").info().completed_laps if inside is None else inside.completed_laps

    @shadowable
    def incarnation(self) -> int:
        """Which life this is, from 1."""
        inside = part_of(self).inside
        return started(self, "ask the incarnation of").info().incarnation if inside is None else inside.incarnation

    @shadowable
    def lives_left(self) -> int:
        """How many restarts are still possible."""
        inside = part_of(self).inside
        return started(self, "ask the lives of").info().lives_left if inside is None else inside.lives_left

    @shadowable
    def last_lap_time(self) -> float | None:
        """Seconds from the first section's start to the last one's end, of the last complete lap."""
        return inside_of(self, "last_lap_time").last_lap_time

    @shadowable
    def error(self) -> BaseException | None:
        """Inside ``__error__``: the error that took the last life."""
        return inside_of(self, "error").error

    @shadowable
    def stats(self) -> Stats:
        """Laps and their times in this life so far; over all lives see ``info().stats`` in the parent."""
        return inside_of(self, "stats").stats

    @shadowable
    def log(self) -> logging.Logger:
        """A logger of the actor's name; its records reach the handlers of the parent."""
        part = part_of(self)
        name = part.inside.name if part.inside else part.ref.name if part.ref else type(self).__name__
        return logging.getLogger("understudy.actor." + name.replace("/", "."))

    @shadowable
    def timers(self) -> Timers:
        """The timers of hooks with ``@timethis()``; no such attribute where there are none."""
        part = part_of(self)
        if part.timers is None:
            raise AttributeError(f"{type(self).__name__} has no timers: no hook bears @timethis()")
        return part.timers if part.ref is None else part.ref.timers() or part.timers


VERBS = ("config", *(name for name, value in vars(Process).items() if isinstance(value, Verb)))
"""What a subclass may not shadow."""


class FunctionProcess(Process):
    """A function as an actor of one lap; what it returns is the result."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.value: Any = None
        self.wants_stop_event = wants_stop_event(function, args, kwargs)
        check_call(function, args, {**kwargs, "stop_event": None} if self.wants_stop_event else kwargs)
        self.config.num_loops = 1
        if self.wants_stop_event:
            self.config.timeouts.loop = None  # it means to run until it is told

    def __loop__(self) -> None:
        if self.wants_stop_event:
            self.kwargs["stop_event"] = inside_of(self, "stop_event").stop_event
        self.value = self.function(*self.args, **self.kwargs)

    def __result__(self) -> Any:
        return self.value


class CoroutineFunctionProcess(FunctionProcess):
    """A coroutine function as an actor of one lap."""

    async def __loop__(self) -> None:  # type: ignore[override]  # a hook may be either
        super().__loop__()
        self.value = await self.value


UNMARKED.update({Process, FunctionProcess, CoroutineFunctionProcess})
