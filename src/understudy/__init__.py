"""understudy: an actor runtime for Python services.

A class derived from `Process` runs as an actor in an operating system process of its own; when it dies, a fresh
process takes over from the original serialized state. Where things live, from the ground up:

    errors      the tree of everything that is raised
    settings    what groups of settings are made of
    stats       what an actor's lives came to, in figures
    logs        what actors wrote and logged, as values
    status      what an actor is, was, and died of: frozen values
    deadletters a message that nobody handled, as a value
    config      every setting, checked when set
    timing      measured sections
    program     Exec, a program to be run as an actor
    lifecycle   pure decisions: states, lives, stops
    wire        messages, pickles, the shared page, sockets
    receiving   what takes an actor's messages
    part        the runtime's place in a user's object
    ref         ActorRef, and runtime, the slot through which it finds its system
    waiting     what a wait is, and who asks it again and again
    routing     which of several replicas a message is for
    group       GroupRef
    handle      an ActorSystem in a process that does not run it
    hooks       what a class must have to be an actor
    process     Process, what a user subclasses
    spawners    zygote, fresh interpreter, signals, the sweep
    observe     the status stream and its clients
    router      the parent's thread
    engine      what runs in the child
    system      ActorSystem, which puts it all together
    pool        Pool, an executor whose workers are actors
    services    waits for programs: ports, sockets, files, HTTP, log lines
"""

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from understudy.config import Backoff as Backoff
    from understudy.config import Heartbeat as Heartbeat
    from understudy.config import Limits as Limits
    from understudy.config import Mailbox as Mailbox
    from understudy.config import ProcessConfig as ProcessConfig
    from understudy.config import Restart as Restart
    from understudy.config import Sampling as Sampling
    from understudy.config import StopLadder as StopLadder
    from understudy.config import Timeouts as Timeouts
    from understudy.deadletters import DeadLetter as DeadLetter
    from understudy.engine.timers import Reminder as Reminder
    from understudy.errors import AccessDenied as AccessDenied
    from understudy.errors import ActorDied as ActorDied
    from understudy.errors import ActorError as ActorError
    from understudy.errors import ActorKilled as ActorKilled
    from understudy.errors import AlreadyStarted as AlreadyStarted
    from understudy.errors import AskCycle as AskCycle
    from understudy.errors import AskTimeout as AskTimeout
    from understudy.errors import ConfigError as ConfigError
    from understudy.errors import DepthExceeded as DepthExceeded
    from understudy.errors import ErrorHandlerError as ErrorHandlerError
    from understudy.errors import ErrorHandlerTimeoutError as ErrorHandlerTimeoutError
    from understudy.errors import GroupEnded as GroupEnded
    from understudy.errors import GroupFailed as GroupFailed
    from understudy.errors import HeldByStranger as HeldByStranger
    from understudy.errors import MailboxFull as MailboxFull
    from understudy.errors import MainLoopError as MainLoopError
    from understudy.errors import MainLoopTimeoutError as MainLoopTimeoutError
    from understudy.errors import NameTaken as NameTaken
    from understudy.errors import NoCapacity as NoCapacity
    from understudy.errors import NotAnActor as NotAnActor
    from understudy.errors import NotStarted as NotStarted
    from understudy.errors import OnFinishError as OnFinishError
    from understudy.errors import OnFinishTimeoutError as OnFinishTimeoutError
    from understudy.errors import ParentStopping as ParentStopping
    from understudy.errors import PoolClosed as PoolClosed
    from understudy.errors import PoolTaskError as PoolTaskError
    from understudy.errors import PostLoopError as PostLoopError
    from understudy.errors import PostLoopTimeoutError as PostLoopTimeoutError
    from understudy.errors import PreloopError as PreloopError
    from understudy.errors import PreloopTimeoutError as PreloopTimeoutError
    from understudy.errors import ProtocolError as ProtocolError
    from understudy.errors import ReceiveError as ReceiveError
    from understudy.errors import ReceiveTimeoutError as ReceiveTimeoutError
    from understudy.errors import ResultError as ResultError
    from understudy.errors import ResultTimeoutError as ResultTimeoutError
    from understudy.errors import SectionError as SectionError
    from understudy.errors import SerializationError as SerializationError
    from understudy.errors import StartError as StartError
    from understudy.errors import StartTimeout as StartTimeout
    from understudy.errors import SubjectDied as SubjectDied
    from understudy.errors import SystemClosed as SystemClosed
    from understudy.errors import TooLarge as TooLarge
    from understudy.errors import UnderstudyError as UnderstudyError
    from understudy.errors import UnknownActor as UnknownActor
    from understudy.errors import UnknownField as UnknownField
    from understudy.errors import WaitCancelled as WaitCancelled
    from understudy.errors import WaitFailed as WaitFailed
    from understudy.errors import WaitTimeout as WaitTimeout
    from understudy.errors import WrongProcess as WrongProcess
    from understudy.group import GroupRef as GroupRef
    from understudy.logs import LogEntry as LogEntry
    from understudy.logs import Logs as Logs
    from understudy.observe import Observer as Observer
    from understudy.observe import Remote as Remote
    from understudy.pool.keyed import TaskRecord as TaskRecord
    from understudy.pool.pool import Pool as Pool
    from understudy.pool.pool import PoolStats as PoolStats
    from understudy.pool.task import PoolBroken as PoolBroken
    from understudy.process import Process as Process
    from understudy.program import Exec as Exec
    from understudy.receiving.deferred import Deferred as Deferred
    from understudy.receiving.marks import callable_remotely as callable_remotely
    from understudy.receiving.marks import receives as receives
    from understudy.ref import ActorRef as ActorRef
    from understudy.router.exits import ExitCallback as ExitCallback
    from understudy.router.grouping import Group as Group
    from understudy.router.letters import DeadLetters as DeadLetters
    from understudy.services.waits.call import Call as Call
    from understudy.services.waits.file import File as File
    from understudy.services.waits.logline import LogLine as LogLine
    from understudy.services.waits.notified import Notified as Notified
    from understudy.services.waits.port import Port as Port
    from understudy.services.waits.sequence import All as All
    from understudy.services.waits.unixsocket import UnixSocket as UnixSocket
    from understudy.services.waits.web import Http as Http
    from understudy.spawners import Spawner as Spawner
    from understudy.spawners import Target as Target
    from understudy.stats import ErrorEvent as ErrorEvent
    from understudy.stats import Stats as Stats
    from understudy.status import ActorInfo as ActorInfo
    from understudy.status import ActorTable as ActorTable
    from understudy.status import DeathReport as DeathReport
    from understudy.status import Event as Event
    from understudy.status import Health as Health
    from understudy.status import Life as Life
    from understudy.status import Status as Status
    from understudy.status import Summary as Summary
    from understudy.status import Usage as Usage
    from understudy.system import ActorSystem as ActorSystem
    from understudy.timing import Timer as Timer
    from understudy.timing import Timers as Timers
    from understudy.timing import timethis as timethis
    from understudy.waiting.asking import wait_until as wait_until
    from understudy.waiting.protocols import Wait as Wait
    from understudy.wire.keyring import Keyring as Keyring
    from understudy.wire.travelling import travels as travels
else:
    # Each name is imported at its first use: what a child does not use, the zygote does not carry.
    _WHERE = {
        "Backoff": "config",
        "Heartbeat": "config",
        "Limits": "config",
        "Mailbox": "config",
        "ProcessConfig": "config",
        "Restart": "config",
        "Sampling": "config",
        "StopLadder": "config",
        "Timeouts": "config",
        "DeadLetter": "deadletters",
        "Reminder": "engine.timers",
        "ExitCallback": "router.exits",
        "AccessDenied": "errors",
        "ActorDied": "errors",
        "ActorError": "errors",
        "ActorKilled": "errors",
        "AlreadyStarted": "errors",
        "AskCycle": "errors",
        "AskTimeout": "errors",
        "ConfigError": "errors",
        "DepthExceeded": "errors",
        "ErrorHandlerError": "errors",
        "ErrorHandlerTimeoutError": "errors",
        "GroupEnded": "errors",
        "GroupFailed": "errors",
        "HeldByStranger": "errors",
        "MailboxFull": "errors",
        "MainLoopError": "errors",
        "MainLoopTimeoutError": "errors",
        "NameTaken": "errors",
        "NoCapacity": "errors",
        "NotAnActor": "errors",
        "NotStarted": "errors",
        "OnFinishError": "errors",
        "OnFinishTimeoutError": "errors",
        "ParentStopping": "errors",
        "PoolClosed": "errors",
        "PoolTaskError": "errors",
        "PostLoopError": "errors",
        "PostLoopTimeoutError": "errors",
        "PreloopError": "errors",
        "PreloopTimeoutError": "errors",
        "ProtocolError": "errors",
        "ReceiveError": "errors",
        "ReceiveTimeoutError": "errors",
        "ResultError": "errors",
        "ResultTimeoutError": "errors",
        "SectionError": "errors",
        "SerializationError": "errors",
        "StartError": "errors",
        "StartTimeout": "errors",
        "SubjectDied": "errors",
        "SystemClosed": "errors",
        "TooLarge": "errors",
        "UnderstudyError": "errors",
        "UnknownActor": "errors",
        "UnknownField": "errors",
        "WaitCancelled": "errors",
        "WaitFailed": "errors",
        "WaitTimeout": "errors",
        "WrongProcess": "errors",
        "LogEntry": "logs",
        "Logs": "logs",
        "Observer": "observe",
        "Remote": "observe",
        "Pool": "pool.pool",
        "PoolBroken": "pool.task",
        "PoolStats": "pool.pool",
        "TaskRecord": "pool.keyed",
        "Process": "process",
        "Exec": "program",
        "Deferred": "receiving.deferred",
        "callable_remotely": "receiving.marks",
        "receives": "receiving.marks",
        "ActorRef": "ref",
        "GroupRef": "group",
        "DeadLetters": "router.letters",
        "Group": "router.grouping",
        "Call": "services.waits.call",
        "File": "services.waits.file",
        "LogLine": "services.waits.logline",
        "Port": "services.waits.port",
        "All": "services.waits.sequence",
        "UnixSocket": "services.waits.unixsocket",
        "Http": "services.waits.web",
        "Spawner": "spawners",
        "Target": "spawners",
        "ErrorEvent": "stats",
        "Stats": "stats",
        "ActorInfo": "status",
        "ActorTable": "status",
        "DeathReport": "status",
        "Event": "status",
        "Health": "status",
        "Life": "status",
        "Status": "status",
        "Summary": "status",
        "Usage": "status",
        "ActorSystem": "system",
        "Timer": "timing",
        "Timers": "timing",
        "timethis": "timing",
        "Keyring": "wire.keyring",
        "wait_until": "waiting.asking",
        "Wait": "waiting.protocols",
        "Notified": "services.waits.notified",
        "travels": "wire.travelling",
    }

    def __getattr__(name: str) -> object:
        where = _WHERE.get(name)
        if where is None:
            raise AttributeError(f"module 'understudy' has no attribute {name!r}")
        value = globals()[name] = getattr(_importlib.import_module(f"understudy.{where}"), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_WHERE})


def _default_system() -> object:
    """The system of free-standing processes: `process` cannot import what stands above it."""
    return _importlib.import_module("understudy.system").ActorSystem.default()


_runtime: _typing.Any = _importlib.import_module("understudy.runtime")
_runtime.default = _default_system

__all__ = [
    "AccessDenied",
    "ActorDied",
    "ActorError",
    "ActorInfo",
    "ActorKilled",
    "ActorRef",
    "ActorSystem",
    "ActorTable",
    "All",
    "AlreadyStarted",
    "AskCycle",
    "AskTimeout",
    "Backoff",
    "Call",
    "ConfigError",
    "DeadLetter",
    "DeadLetters",
    "DeathReport",
    "Deferred",
    "DepthExceeded",
    "ErrorEvent",
    "ErrorHandlerError",
    "ErrorHandlerTimeoutError",
    "Event",
    "Exec",
    "ExitCallback",
    "File",
    "Group",
    "GroupEnded",
    "GroupFailed",
    "GroupRef",
    "Health",
    "Heartbeat",
    "HeldByStranger",
    "Http",
    "Keyring",
    "Life",
    "Limits",
    "LogEntry",
    "LogLine",
    "Logs",
    "Mailbox",
    "MailboxFull",
    "MainLoopError",
    "MainLoopTimeoutError",
    "NameTaken",
    "NoCapacity",
    "NotAnActor",
    "NotStarted",
    "Notified",
    "Observer",
    "OnFinishError",
    "OnFinishTimeoutError",
    "ParentStopping",
    "Pool",
    "PoolBroken",
    "PoolClosed",
    "PoolStats",
    "PoolTaskError",
    "Port",
    "PostLoopError",
    "PostLoopTimeoutError",
    "PreloopError",
    "PreloopTimeoutError",
    "Process",
    "ProcessConfig",
    "ProtocolError",
    "ReceiveError",
    "ReceiveTimeoutError",
    "Reminder",
    "Remote",
    "Restart",
    "ResultError",
    "ResultTimeoutError",
    "Sampling",
    "SectionError",
    "SerializationError",
    "Spawner",
    "StartError",
    "StartTimeout",
    "Stats",
    "Status",
    "StopLadder",
    "SubjectDied",
    "Summary",
    "SystemClosed",
    "Target",
    "TaskRecord",
    "Timeouts",
    "Timer",
    "Timers",
    "TooLarge",
    "UnderstudyError",
    "UnixSocket",
    "UnknownActor",
    "UnknownField",
    "Usage",
    "Wait",
    "WaitCancelled",
    "WaitFailed",
    "WaitTimeout",
    "WrongProcess",
    "callable_remotely",
    "receives",
    "timethis",
    "travels",
    "wait_until",
]
