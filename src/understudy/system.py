"""ActorSystem: the parent's side of everything, put together here."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Any, Self

from understudy import runtime
from understudy.config import ProcessConfig, StopLadder
from understudy.errors import ConfigError, NoCapacity, SystemClosed, UnknownActor, WrongProcess
from understudy.lifecycle import ladder as ladders
from understudy.lifecycle.actor import Actor
from understudy.lifecycle.registry import check_name
from understudy.observe import rundir
from understudy.observe.publisher import Publisher
from understudy.outcome import open_outcome
from understudy.ref import ActorRef
from understudy.router import endings, verbs
from understudy.router.calls import Calls
from understudy.router.listing import capacity, info
from understudy.router.logs import LogThread
from understudy.router.loop import Router
from understudy.router.orders import OrdersDesk
from understudy.router.perform import perform
from understudy.router.timers import Timers as Clocks
from understudy.router.world import Cell, World
from understudy.spawners.fresh import FreshSpawner
from understudy.spawners.guard import Leash
from understudy.spawners.zygote import ZygoteSpawner
from understudy.status import ActorInfo, ActorTable, Life, Status
from understudy.targets import target_of
from understudy.timing import Timers
from understudy.wire.keys import new_key
from understudy.wire.pickling import spawned_at_import
from understudy.wire.sockets import Hub

HOSTS = ("process", "spawn")
_FDS_PER_ACTOR = 3
_RESERVE = 64
_MAX_REPORT = (1 << 30) + (1 << 20)
_LOGS_WAIT = 1.0
_AFTER_LADDER = 3.0
log = logging.getLogger("understudy")


class ActorSystem:
    """Runs actors, each in its own operating system process, and looks after them.

    ``name`` is under which others find it (letters, digits, '.', '_', '-'; default: script and pid). With ``signals``
    SIGTERM and SIGHUP end all actors before they end this process, where nobody else handles them. Leaving the
    ``with`` block, or `shutdown`, ends every actor. Raises WrongProcess inside an actor.
    """

    def __init__(self, name: str | None = None, *, signals: bool = True) -> None:
        if runtime.inside is not None:
            raise WrongProcess(
                f"an ActorSystem cannot be opened inside the actor {runtime.inside.name}{_importing()}: it belongs to the parent"
            )
        self.name = _default_name() if name is None else rundir.check_system_name(name)
        self._pid = os.getpid()
        self._state_lock = threading.RLock()
        self._closing = False
        self._closed = threading.Event()
        directory = rundir.make(self.name)
        self._id = os.path.basename(directory)
        self._leash = Leash(directory)
        try:
            hub = Hub(directory, _MAX_REPORT)
            clocks = Clocks()
            self._world = World(
                system=self._id,
                directory=directory,
                key=new_key(),
                hub=hub,
                spawners={"process": ZygoteSpawner(self._id, directory), "spawn": FreshSpawner()},
                publisher=Publisher(hub),
                timers=clocks,
                orders=OrdersDesk(self._id, hub, clocks),
                perform=perform,
            )
        except BaseException:
            self._leash.release()
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self._world.registry.keep = self._world.refs.__contains__
        self._calls = Calls()
        self._logs = LogThread(self.name)
        self._router = Router(self._world, self._calls, self._logs)
        self._router.start()
        runtime.systems[self._id] = self
        endings.enter(self, signals=signals)

    # --- spawning

    def spawn(
        self,
        target: Any,
        /,
        *args: Any,
        name: str | None = None,
        host: str = "process",
        config: dict[str, Any] | ProcessConfig | None = None,
        **kwargs: Any,
    ) -> ActorRef[Any]:
        """Start an actor and return its ref at once.

        ``target`` is a Process class (with its constructor's arguments) or instance, a function (one lap; its
        ``timeout=`` in seconds is the lap's; it gets a ``stop_event`` if it has a parameter of that name), or a
        dotted name ``"package.module:Class"``. ``name`` is unique among the living (default: ``label-1``);
        ``host="spawn"`` starts a fresh interpreter instead of a fork. ``config={"lives": 3, "timeouts.loop": 2.5}``
        overrides what the target set.

        Raises NameTaken, ConfigError, UnknownField, NotAnActor, SerializationError, NoCapacity, SystemClosed,
        WrongProcess, and what a constructor raises; the name stays free then.
        """
        self._check()
        if host not in HOSTS:
            raise ConfigError(f"host={host!r}: it is one of {', '.join(HOSTS)}")
        if name is not None:
            check_name(name)
        _note_importers()
        spec = target_of(target, args, kwargs).spec(_overrides(config))
        if host != spec.host:
            spec = replace(spec, host=host)
        self._check_capacity()

        def admit() -> Actor:
            if self._closing:
                raise SystemClosed(f"the system {self.name} is shutting down and spawns no more")
            return self._world.admit(spec, name)

        return self._ref(self._calls.make(admit))

    def ref(self, name: str) -> ActorRef[Any]:
        """The ref of the living actor of that name, else of the last that bore it; raises UnknownActor."""
        self._check()
        return self._ref(self._world.registry.find(name))

    # --- verbs

    def stop(self, who: Any, *, grace: float | None = None) -> dict[str, str]:
        """Ask actors to stop, by name, glob, ref, or an iterable of these; ``{name: "asked"|"already"|"ended"}``.

        ``grace`` as in `ActorRef.stop`. Raises UnknownActor for an unknown name; a glob without a match gives ``{}``.
        """
        return self._call(lambda: verbs.stop(self._world, who, grace))

    def kill(self, who: Any) -> dict[str, str]:
        """SIGKILL actors and all that they started; returns when the signals are sent."""
        return self._call(lambda: verbs.kill(self._world, who))

    def restart(
        self, who: Any, *, target: Any = None, args: tuple[Any, ...] = (), grace: float | None = None
    ) -> dict[str, str]:
        """Stop actors and begin anew from the original state, or from another ``target``, with all lives.

        Of an ended actor its spec is spawned anew, under the same name and a new uid.
        """
        spec = None if target is None else target_of(target, args, {}).spec({})
        return self._call(lambda: verbs.restart(self._world, who, grace, spec))

    def wait_all(self, who: Any = "*", timeout: float | None = None) -> dict[str, Status]:
        """Wait until all of them (default: all that live now) have ended; ``{name: status}``. Raises WaitTimeout."""
        self._check()
        chosen = self._call(lambda: verbs.select(self._world, who))
        until = None if timeout is None else monotonic() + timeout
        ended = {}
        for actor in chosen:
            left = None if until is None else max(0.0, until - monotonic())
            ended[actor.name] = self._ref(actor).wait(left)
        return ended

    def cleanup(self, *, force: bool = False) -> dict[str, Status]:
        """Stop every actor, by its ladder or with ``force`` by SIGKILL, and wait; the system stays open."""
        self._check()
        refs = [self._ref(actor) for actor in self._world.registry.living()]
        self._end_all(None, force=force)
        return {ref.name: ref.wait() for ref in refs}

    def reap(self) -> list[int]:
        """The processes that actors had left behind and that were ended since the last call, by their numbers."""
        self._check()

        def take() -> list[int]:
            swept = self._world.spawners["process"].swept
            found, swept[:] = list(swept), []
            return found

        return self._call(take)

    # --- looking

    def ps(self, *, all: bool = False) -> ActorTable:  # noqa: A002 - as the command of that name
        """The living actors, with ``all`` the ended ones too; prints as a table."""
        self._check()
        registry = self._world.registry
        actors = self._call(registry.listed if all else registry.living)
        return ActorTable(info(self._world, self._router.watch, actor) for actor in actors)

    def info(self, name: str) -> ActorInfo:
        """One actor by name; raises UnknownActor."""
        self._check()
        return info(self._world, self._router.watch, self._world.registry.find(name))

    def story(self, name: str) -> list[str]:
        """The last steps of an actor's life as the router saw them, a line each."""
        self._check()
        return self._world.registry.story(self._world.registry.find(name).uid)

    @property
    def endpoint(self) -> str:
        """What Observer and Remote take."""
        return f"ipc://{self._world.directory}"

    # --- closing

    def shutdown(self, *, force: bool = False) -> None:
        """End every actor, side by side, and close: by each one's stop ladder (10 s, 5 s, 5 s), or SIGKILL with ``force``.

        A Ctrl-C while it waits forces. Calling it again does nothing. What cannot be killed is logged and left.
        """
        self._close(None, force=force)

    def close_by(self, ladder: StopLadder) -> None:
        """End by that ladder instead of the actors' own: at exit and on signals."""
        self._close(ladder, force=False)

    def disown(self) -> None:
        """In a forked copy of the parent: hold nothing that would keep actors alive, and end nothing."""
        self._leash.release()
        for spawner in self._world.spawners.values():
            spawner.abandon()

    def _close(self, ladder: StopLadder | None, *, force: bool) -> None:
        if os.getpid() != self._pid or self._closed.is_set():
            return
        with self._state_lock:
            first, self._closing = not self._closing, True
        interrupted: KeyboardInterrupt | None = None
        try:
            self._end_all(ladder, force=force)
        except KeyboardInterrupt as error:
            interrupted = error
            self._end_all(None, force=True)
        except SystemClosed:
            return  # another thread closed it meanwhile
        if first or not self._closed.is_set():
            self._release()
        if interrupted is not None:
            raise interrupted

    def _end_all(self, ladder: StopLadder | None, *, force: bool) -> None:
        now = monotonic()

        def stop_all() -> list[tuple[Actor, Future[Status], float]]:
            ends = []
            for actor in self._world.registry.living():
                own = ladder or actor.spec.config.stop
                rungs = ladders.force(now) if force else ladders.by_ladder(own, now)
                if force:
                    verbs.kill(self._world, ActorRef(self._id, actor.uid, actor.name))
                else:
                    verbs.stop_one(self._world, actor, rungs, "shutdown")
                ends.append((actor, self._world.cells[actor.uid].settled, rungs[-1].at))
            return ends

        ends = self._calls.make(stop_all)
        until = max((at for _, _, at in ends), default=now) + _AFTER_LADDER
        for actor, settled, _ in ends:
            try:
                settled.result(max(0.0, until - monotonic()))
            except TimeoutError:
                log.error("%s (pid %s) cannot be killed; it is left behind", actor.name, actor.pid)

    def _release(self) -> None:
        with self._state_lock:
            if self._closed.is_set():
                return
            self._router.stop()
            self._logs.close(_LOGS_WAIT)
            for spawner in self._world.spawners.values():
                spawner.close()
            self._leash.release()
            shutil.rmtree(self._world.directory, ignore_errors=True)
            self._calls.release()
            endings.leave(self)
            self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.shutdown)

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else f"{len(self._world.registry.living())} actors"
        return f"<ActorSystem {self.name}: {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise WrongProcess(f"{self!r} cannot travel: spawn inside an actor is not possible yet")

    # --- runtime.Outside: what refs ask

    def started(self, uid: int) -> Future[None]:
        """Done when the actor was READY once, or could not be."""
        return self._cell(uid).started

    def settled(self, uid: int) -> Future[Status]:
        """Done when it has ended."""
        return self._cell(uid).settled

    def outcome(self, uid: int) -> tuple[Any, BaseException | None]:
        """Value and error of an ended actor, opened in the asking thread, once."""
        cell = self._cell(uid)
        with self._state_lock:
            if cell.opened is None and cell.outcome is not None:
                actor, record = self._world.registry.actors[uid], self._world.records[uid]
                cell.opened = open_outcome(cell.outcome, actor.name, actor.incarnation, record.report)
        return cell.opened or (runtime.NOTHING, None)

    def stop_uid(self, uid: int, *, grace: float | None = None) -> str:
        """As `stop`."""
        return self._word(uid, lambda ref: verbs.stop(self._world, ref, grace))

    def kill_uid(self, uid: int) -> str:
        """As `kill`."""
        return self._word(uid, lambda ref: verbs.kill(self._world, ref))

    def restart_uid(self, uid: int, *, grace: float | None = None) -> str:
        """As `restart`."""
        return self._word(uid, lambda ref: verbs.restart(self._world, ref, grace))

    def info_uid(self, uid: int) -> ActorInfo:
        """As `info`; also after the system has closed."""
        self._cell(uid)
        return info(self._world, self._router.watch, self._world.registry.actors[uid])

    def history_uid(self, uid: int) -> list[Life]:
        """Its lives."""
        self._cell(uid)
        return self._world.records[uid].history()

    def timers_uid(self, uid: int) -> Timers | None:
        """What its last life measured."""
        self._cell(uid)
        state = self._world.records[uid].measures.get("timers")
        return Timers.from_state(state) if isinstance(state, dict) else None

    # --- pieces

    @staticmethod
    def default() -> ActorSystem:
        """The system of free-standing processes, made at first use and closed at exit."""
        global _default  # noqa: PLW0603 - one a process
        with _default_lock:
            if _default is None or _default._closed.is_set() or _default._pid != os.getpid():  # noqa: SLF001
                _default = ActorSystem(signals=False)
            return _default

    @staticmethod
    def close_default() -> None:
        """Close the default system, if there is one."""
        if _default is not None:
            _default.shutdown()

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise WrongProcess(f"the system {self.name} belongs to process {self._pid}; this is a forked copy of it")
        if self._closed.is_set():
            raise SystemClosed(f"the system {self.name} was shut down; make another")

    def _call(self, act: Any) -> Any:
        self._check()
        return self._calls.make(act)

    def _word(self, uid: int, act: Any) -> str:
        if os.getpid() == self._pid and self._closed.is_set():
            return verbs.ENDED  # a system closes only when all have
        self._check()
        name = self._world.registry.actors[uid].name if uid in self._world.registry.actors else "?"
        words = self._calls.make(lambda: act(ActorRef(self._id, uid, name)))
        return str(next(iter(words.values())))

    def _ref(self, actor: Actor) -> ActorRef[Any]:
        found = self._world.refs.get(actor.uid)
        if found is None:
            found = self._world.refs[actor.uid] = ActorRef(self._id, actor.uid, actor.name)
        return found

    def _cell(self, uid: int) -> Cell:
        if os.getpid() != self._pid:
            raise WrongProcess(f"the system {self.name} belongs to process {self._pid}; this is a forked copy of it")
        try:
            return self._world.cells[uid]
        except KeyError:
            raise UnknownActor(f"the actor of uid {uid} ended long ago and is forgotten") from None

    def _check_capacity(self) -> None:
        opened, limit = capacity()
        living = self._world.registry.living()
        pending = sum(_FDS_PER_ACTOR for actor in living if actor.ready_at is None)
        if opened + pending + _FDS_PER_ACTOR + _RESERVE > limit:
            raise NoCapacity(
                f"one more actor needs {_FDS_PER_ACTOR} descriptors here; {opened} of {limit} are open, {pending} are "
                f"promised to starting actors and {_RESERVE} kept in reserve ({len(living)} actors live); raise `ulimit -n`"
            )


_default: ActorSystem | None = None
_default_lock = threading.RLock()
runtime.default = ActorSystem.default


def _default_name() -> str:
    script = os.path.splitext(os.path.basename(getattr(sys, "argv", [""])[0] or ""))[0]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", script).strip("-._") or "python"
    return f"{stem[:40]}-{os.getpid()}"


def _overrides(config: dict[str, Any] | ProcessConfig | None) -> dict[str, Any]:
    if config is None:
        return {}
    if isinstance(config, ProcessConfig):
        return config.to_dict()
    if not isinstance(config, dict):
        raise ConfigError(f"config= takes a dict of dotted settings or a ProcessConfig, not {type(config).__name__}")
    return config


def _module_frames() -> Iterator[str]:
    frame = sys._getframe(1)  # noqa: SLF001 - the stack is what is asked for
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            yield str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back  # type: ignore[assignment]


def _note_importers() -> None:
    """Modules at whose import this spawn happens must not be imported by the child: it would spawn again."""
    spawned_at_import.update(name for name in _module_frames() if name != "__main__")


def _importing() -> str:
    names: Iterable[str] = _module_frames()
    found = next((name for name in names if name not in {"__main__", "understudy.spawners.nursery"}), "")
    return f" (while it imports {found})" if found else ""

