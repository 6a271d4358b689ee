"""Every error that understudy raises, as one tree.

UnderstudyError
  ConfigError (ValueError)         a setting has a wrong value
  UnknownField (AttributeError)    a setting of that name does not exist
  NotAnActor (TypeError)           the target cannot be run as an actor
  SerializationError               a state, message or result cannot travel
    TooLarge                       ... for it is larger than its limit
  NameTaken                        a living actor or system has this name
  UnknownActor (LookupError)       no actor has this name
  NotStarted                       the Process was never started
  AlreadyStarted                   the Process is started
  WaitTimeout (TimeoutError)       what was waited for did not happen in time
  WaitFailed                       what was waited for will not happen any more
    SubjectDied                    ... for the program that it was waited for has ended
    WaitCancelled                  ... for nobody waits any longer
    HeldByStranger                 ... for a process of somebody else's has the port or socket
  SystemClosed                     the system was shut down
  GroupEnded                       the group was stopped
    GroupFailed                    ... it gave up: more of its members died than it may begin anew
  WrongProcess                     the call belongs into another process
  DepthExceeded                    actors spawn actors too deep
  ParentStopping                   an actor that is about to end spawns no other
  NoCapacity                       the machine's limits leave no room for one more actor
  ActorError                       the outcome of an actor
    SectionError                   ... a hook raised
      PreloopError MainLoopError PostLoopError OnFinishError ResultError ReceiveError ErrorHandlerError
      and of each a ...TimeoutError (also a TimeoutError)
    StartError                     ... it died before it was READY
      StartTimeout (TimeoutError)
    ActorDied                      ... it died without an exception
    ActorKilled                    ... it was killed by request
  AskTimeout (TimeoutError)        no reply in time
  MailboxFull                      the mailbox takes no more
  AskCycle                         actors ask one another in a circle
  PoolTaskError                    a task of a pool failed
  PoolClosed (RuntimeError)        the pool was shut down
  ProtocolError                    a frame is not of this protocol
  AccessDenied                     the key does not allow this
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from understudy.status import DeathReport


class UnderstudyError(Exception):
    """The base of every error that understudy raises."""

    def __reduce__(self) -> tuple[Callable[..., UnderstudyError], tuple[Any, ...]]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[UnderstudyError], args: tuple[Any, ...], state: dict[str, Any]) -> UnderstudyError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(UnderstudyError, ValueError):
    """A setting has a value that it cannot have; the message names field, value and what would be right."""


class UnknownField(UnderstudyError, AttributeError):
    """There is no setting of that name; the message names the nearest one."""


class NotAnActor(UnderstudyError, TypeError):
    """The target cannot be run as an actor, or a class lacks the hook that would make it one.

    Or something was told or asked to a function, which takes no messages.
    """


class SerializationError(UnderstudyError):
    """A state, message or result cannot travel to another process."""


class TooLarge(SerializationError):
    """A result or message is larger than its limit."""


class NameTaken(UnderstudyError):
    """A living actor, or system, bears this name already."""


class UnknownActor(UnderstudyError, LookupError):
    """No actor bears this name; the message lists the nearest ones."""


class NotStarted(UnderstudyError):
    """The Process was never started, so there is nothing to wait for, stop or ask."""


class AlreadyStarted(UnderstudyError):
    """The Process is started already; one object is one actor."""


class WaitTimeout(UnderstudyError, TimeoutError):
    """What was waited for did not happen within the timeout; the actor goes on."""


class WaitFailed(UnderstudyError):
    """What was waited for will not happen any more, so the wait ended before its timeout."""


class SubjectDied(WaitFailed):
    """The program whose port, file or log was waited for has ended; ``__cause__`` says how."""


class WaitCancelled(WaitFailed):
    """The wait was called off."""


class HeldByStranger(WaitFailed):
    """The port or socket that was waited for is held by a process that is not the program's.

    ``pid`` is its number, None where it may not be looked into; ``process`` is what it is called, or of whom it is.
    """

    pid: int | None
    process: str

    def __init__(self, message: str, *, pid: int | None = None, process: str = "") -> None:
        super().__init__(message)
        self.pid = pid
        self.process = process


class SystemClosed(UnderstudyError):
    """The ActorSystem was shut down and takes no more calls."""


class GroupEnded(UnderstudyError):
    """The group of actors was stopped, or has given up; nothing comes up in it any more."""


class GroupFailed(GroupEnded):
    """A group has given up: more of its members died than it may begin anew, and no group stands above it that may.

    ``name`` is the group's; ``report`` the :class:`DeathReport` of the last death, where there is one, whose error is
    ``__cause__``.
    """

    name: str
    report: DeathReport | None

    def __init__(self, message: str, *, name: str = "", report: DeathReport | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.report = report


class WrongProcess(UnderstudyError):
    """The call belongs into another process: a forked copy, or an actor, made it."""


class DepthExceeded(UnderstudyError):
    """Actors spawn actors deeper than the system's max_depth."""


class ParentStopping(UnderstudyError):
    """The actor that would be the parent is about to end: what it spawns would end with it at once."""


class NoCapacity(UnderstudyError):
    """A limit of this machine leaves no room for one more actor; the message has the numbers."""


class AskTimeout(UnderstudyError, TimeoutError):
    """No reply arrived within the timeout."""


class MailboxFull(UnderstudyError):
    """The receiver's mailbox takes no more."""


class AskCycle(UnderstudyError):
    """Actors that block on each other's replies form a circle; the message names it."""


class PoolTaskError(UnderstudyError):
    """A task of a pool came to no outcome of its own: its worker died, or its timeout was over.

    ``key`` is the one that it was given, ``order`` its number in the pool, from 0. ``worker`` and ``pid`` say whose
    hands it was in, ``report`` (None where there is none) how that died. ``may_have_run``: it was begun, and may have
    done some or all of its work. ``others`` are the further errors, where this one is raised for several tasks.
    """

    def __init__(
        self,
        message: str,
        *,
        key: Any = None,
        order: int = 0,
        worker: str = "",
        pid: int | None = None,
        may_have_run: bool = False,
    ) -> None:
        super().__init__(message)
        self.key = key
        self.order = order
        self.worker = worker
        self.pid = pid
        self.report: DeathReport | None = None
        self.others: tuple[BaseException, ...] = ()
        self.may_have_run = may_have_run


class PoolClosed(UnderstudyError, RuntimeError):
    """The pool was shut down, or is about to be: it takes no further task."""


class ProtocolError(UnderstudyError):
    """A frame is malformed, too large, or of another version of the protocol."""


class AccessDenied(UnderstudyError):
    """The key at hand does not allow this."""


class ActorError(UnderstudyError):
    """The outcome of an actor that did not finish.

    ``name`` and ``incarnation`` say whose, ``report`` is the :class:`DeathReport` of its last life (None where there
    was no life), ``result`` holds what the actor had delivered if it died after its result was acknowledged.
    """

    name: str
    incarnation: int
    report: DeathReport | None
    result: Any

    def __init__(
        self, message: str, *, name: str = "", incarnation: int = 0, report: DeathReport | None = None
    ) -> None:
        super().__init__(message)
        self.name = name
        self.incarnation = incarnation
        self.report = report
        self.result = None


class SectionError(ActorError):
    """A hook raised, or ran beyond its timeout; the original exception is ``__cause__``."""

    section: str
    lap: int

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        incarnation: int = 0,
        report: DeathReport | None = None,
        section: str = "",
        lap: int = 0,
    ) -> None:
        super().__init__(message, name=name, incarnation=incarnation, report=report)
        self.section = section
        self.lap = lap


class PreloopError(SectionError):
    """``__preloop__`` raised."""


class MainLoopError(SectionError):
    """``__loop__`` raised."""


class PostLoopError(SectionError):
    """``__postloop__`` raised."""


class OnFinishError(SectionError):
    """``__onfinish__`` raised."""


class ResultError(SectionError):
    """``__result__`` raised, or its value cannot travel."""


class ReceiveError(SectionError):
    """``__receive__`` raised."""


class ErrorHandlerError(SectionError):
    """``__error__`` raised; the error that it was to handle is ``__cause__``."""


class PreloopTimeoutError(PreloopError, TimeoutError):
    """``__preloop__`` ran beyond ``timeouts.preloop``."""


class MainLoopTimeoutError(MainLoopError, TimeoutError):
    """``__loop__`` ran beyond ``timeouts.loop``."""


class PostLoopTimeoutError(PostLoopError, TimeoutError):
    """``__postloop__`` ran beyond ``timeouts.postloop``."""


class OnFinishTimeoutError(OnFinishError, TimeoutError):
    """``__onfinish__`` ran beyond ``timeouts.onfinish``."""


class ResultTimeoutError(ResultError, TimeoutError):
    """``__result__`` ran beyond ``timeouts.result``."""


class ReceiveTimeoutError(ReceiveError, TimeoutError):
    """``__receive__`` ran beyond ``timeouts.receive``."""


class ErrorHandlerTimeoutError(ErrorHandlerError, TimeoutError):
    """``__error__`` ran beyond ``timeouts.error``."""


class StartError(ActorError):
    """The actor never became READY; ``phase`` says how far it came."""

    phase: str
    exit_code: int | None
    signal: str | None

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        incarnation: int = 0,
        report: DeathReport | None = None,
        phase: str = "",
        exit_code: int | None = None,
        signal: str | None = None,
    ) -> None:
        super().__init__(message, name=name, incarnation=incarnation, report=report)
        self.phase = phase
        self.exit_code = exit_code
        self.signal = signal


class StartTimeout(StartError, TimeoutError):
    """The actor was not READY within ``timeouts.startup``."""


class ActorDied(ActorError):
    """The actor died without an exception: by a signal, by ``os._exit``, or silent for too long."""

    exit_code: int | None
    signal: str | None

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        incarnation: int = 0,
        report: DeathReport | None = None,
        exit_code: int | None = None,
        signal: str | None = None,
    ) -> None:
        super().__init__(message, name=name, incarnation=incarnation, report=report)
        self.exit_code = exit_code
        self.signal = signal


class ActorKilled(ActorError):
    """The actor was killed by request: it has no result."""


def kind_named(name: object) -> type[UnderstudyError]:
    """The error of that name, as another process tells it; ProtocolError where there is none."""
    found: object = globals().get(str(name))
    return found if isinstance(found, type) and issubclass(found, UnderstudyError) else ProtocolError


SECTION_ERRORS: dict[str, tuple[type[SectionError], type[SectionError]]] = {
    "preloop": (PreloopError, PreloopTimeoutError),
    "loop": (MainLoopError, MainLoopTimeoutError),
    "postloop": (PostLoopError, PostLoopTimeoutError),
    "onfinish": (OnFinishError, OnFinishTimeoutError),
    "result": (ResultError, ResultTimeoutError),
    "receive": (ReceiveError, ReceiveTimeoutError),
    "error": (ErrorHandlerError, ErrorHandlerTimeoutError),
}
"""The error of each section, and that of its overrun."""
