"""ActorSystem: the parent's side of everything, put together here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from understudy import runtime
from understudy.config import ProcessConfig, StopLadder, SystemConfig, overrides_of
from understudy.errors import ConfigError, WrongProcess
from understudy.group import GroupRef
from understudy.handle import arrived, here
from understudy.lifecycle.actor import Actor
from understudy.process import Process
from understudy.ref import ActorRef
from understudy.router import endings, verbs
from understudy.router.answers import Answers
from understudy.router.calls import Calls
from understudy.router.capacity import check_capacity, opened_descriptors
from understudy.router.closing import Closing, end_all
from understudy.router.commands import Commands
from understudy.router.founding import found
from understudy.router.gauges import Gauges
from understudy.router.grouping import Grouping
from understudy.router.letters import DeadLetters
from understudy.router.listing import info, summary, whole
from understudy.router.loop import Router
from understudy.router.outward import Outward, checked_all
from understudy.settings import check_timeout, shown
from understudy.status import ActorInfo, ActorTable, Status, Summary
from understudy.targets import target_of, wanted

T = TypeVar("T")
P = TypeVar("P", bound=Process)


class ActorSystem(Commands, Grouping, Outward):
    """Runs actors, each in its own operating system process, and looks after them.

    ``name`` is under which others find it (letters, digits, '.', '_', '-'; default: script and pid); of one name there
    is one system at a time. With ``signals`` SIGTERM and SIGHUP end all actors before they end this process, where
    nobody else handles them. Leaving the ``with`` block, or `shutdown`, ends every actor. ``preload`` names modules
    that the zygote imports first, so that actors of their classes start faster; one that raises or starts a Python
    thread is refused with ConfigError. What an actor had to import the next finds imported, unless ``learn`` is False.
    ``output_dir`` is where actors with ``output="file"`` have their files, ``<output_dir>/<actor>/stdout`` and
    ``stderr``, which are appended and kept; without it they have them in the system's own directory, which goes with
    it. In any second at most ``restarts_per_second`` restarts begin (None: no limit), the others in their turn; what
    `restart` asks for begins at once and is not counted. Actors may spawn actors (`Process.spawn`) until these have
    depth ``max_depth``, the system's own having depth 1. ``observe`` and ``control`` are endpoints of gates, ``keys``
    is the keyring: see `observe_at`. Raises NameTaken while a system of that name lives, ConfigError, also for an
    ``output_dir`` that can't be made, what `observe_at` raises, and WrongProcess inside an actor.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        signals: bool = True,
        preload: Iterable[str] = (),
        learn: bool = True,
        output_dir: str | os.PathLike[str] | None = None,
        restarts_per_second: int | None = SystemConfig.restarts_per_second,
        max_depth: int = SystemConfig.max_depth,
        observe: str | None = None,
        control: str | None = None,
        keys: str | os.PathLike[str] | None = None,
    ) -> None:
        if runtime.inside is not None:
            raise WrongProcess(f"an ActorSystem belongs to the parent process, not inside {runtime.whereabouts()}")
        shared, self._keys = SystemConfig(restarts_per_second, max_depth), keys
        gates = checked_all(observe, control, keys)
        self._world, self._leash = found(name, preload, shared, learn=learn, output_dir=output_dir)
        self._pid, self.name = os.getpid(), self._world.name
        self._calls = Calls()
        self._router = Router(self._world, self._calls)
        self._answers = Answers(self._world, self._calls, self._router.watch, self._router.sampler)
        self._closing = Closing(self, self._router, self._leash)
        self._closing.also(self._answers.post.close)
        self._closing.also(lambda: self._answers.exits.close(1.0))
        self._world.shut = self._closing.begin
        self._dead_letters = DeadLetters(self._world.letters, self._calls)
        self._gauges = Gauges(self._router, self._closing, self._answers.post)
        self._router.start()
        runtime.systems[self._world.system] = self._answers
        here[self._world.system] = self
        endings.enter(self, signals=signals)
        self._open_at_the_start(gates)

    # --- spawning

    @overload
    def spawn(self, target: type[P] | P, /, *args: Any, replicas: int, **options: Any) -> GroupRef[P]: ...

    @overload
    def spawn(self, target: Any, /, *args: Any, replicas: int, **options: Any) -> GroupRef[Any]: ...

    @overload
    def spawn(
        self,
        target: type[P] | P,
        /,
        *args: Any,
        name: str | None = None,
        host: str = "process",
        config: dict[str, Any] | ProcessConfig | None = None,
        **kwargs: Any,
    ) -> ActorRef[P]: ...

    @overload
    def spawn(
        self,
        target: Any,
        /,
        *args: Any,
        name: str | None = None,
        host: str = "process",
        config: dict[str, Any] | ProcessConfig | None = None,
        **kwargs: Any,
    ) -> ActorRef[Any]: ...

    def spawn(  # one argument each for what a user may say
        self,
        target: Any,
        /,
        *args: Any,
        name: str | None = None,
        host: str = "process",
        replicas: int | None = None,
        config: dict[str, Any] | ProcessConfig | None = None,
        **kwargs: Any,
    ) -> ActorRef[Any] | GroupRef[Any]:
        """Start an actor and return its ref at once.

        ``target`` is a Process class (with its constructor's arguments) or instance, a function (one lap; its
        ``timeout=`` in seconds is the lap's, None for no limit; it gets a ``stop_event`` if it has a parameter of that
        name), a dotted name ``"package.module:Class"``, or an Exec, which is READY when its ``wait=`` holds, if it has
        one. ``name`` is unique among the living (default: ``label-1``); ``host="spawn"`` starts a fresh interpreter
        instead of a fork. ``config={"lives": 3, "timeouts.loop": 2.5}`` overrides what the target set. With
        ``replicas=4`` four are started from one original, named ``name/1`` to ``name/4``, and a GroupRef is returned.

        Raises NameTaken, ConfigError, UnknownField, NotAnActor, SerializationError, NoCapacity, SystemClosed,
        WrongProcess, TypeError for arguments that a function would not take, and what a constructor raises; the name
        stays free then. An option that the target has a parameter for, too, is a ConfigError.
        """
        self._check()
        asked = wanted(target, args, kwargs, name=name, host=host, replicas=replicas, config=config)
        opened = opened_descriptors()

        def admit() -> ActorRef[Any] | GroupRef[Any]:
            check_capacity(self._world, opened, asked.count or 1)
            if asked.count is not None:
                return self._answers.ref_of(self._world.admit_group(asked.spec, asked.name, asked.count))
            return self._answers.ref(self._world.admit(asked.spec, asked.name))

        return self._calls.make(admit)

    def ref(self, name: str) -> Any:
        """The ActorRef of the living actor of that name, else of the last that bore it; raises UnknownActor.

        Of replicas that were spawned under that name, the GroupRef.
        """
        return self._look(lambda: self._answers.ref_of(name))

    def refs(self, pattern: str) -> list[ActorRef[Any]]:
        """The refs of the living actors that a glob means (``*`` crosses ``/``), or that bear the name.

        In the order of their spawn; an empty list where there is none. Raises ConfigError for what is no text.
        """
        if not isinstance(pattern, str):
            raise ConfigError(f"{shown(pattern)} is no pattern: give a name or a glob as text")
        return self._look(lambda: [self._answers.ref(actor) for actor in self._world.registry.match(pattern)])

    # --- verbs

    def stop(self, who: Any, *, grace: float | None = None, drain: bool = False) -> dict[str, str]:
        """Ask actors to stop, by name, glob, ref, or an iterable of these; ``{name: "asked"|"already"|"ended"}``.

        ``grace`` and ``drain`` as in `ActorRef.stop`. Raises UnknownActor for an unknown name; a glob without a match
        gives ``{}``.
        """
        return self._give(verbs.Stopping(who, grace, drain=drain))

    def kill(self, who: Any) -> dict[str, str]:
        """SIGKILL actors and all that they started; returns when the signals are sent."""
        return self._give(verbs.Killing(who))

    def restart(
        self,
        who: Any,
        *,
        target: Any = None,
        args: tuple[Any, ...] = (),
        grace: float | None = None,
        config: dict[str, Any] | ProcessConfig | None = None,
        **kwargs: Any,
    ) -> dict[str, str]:
        """Stop actors and begin anew from the original state, or from another ``target``, with all lives.

        The other target is made with ``args`` and ``kwargs`` and has its own settings, under those of ``config``; it
        runs on the same host. Of an ended actor its spec is spawned anew, under the same name and a new uid. Raises
        ConfigError for arguments or settings without a target, and what `spawn` raises for the target.
        """
        self._check()
        if target is None and (args or kwargs or config is not None):
            raise ConfigError("a restart without a target= is one from the original: it takes no arguments or settings")
        spec = None if target is None else target_of(target, args, kwargs).spec(overrides_of(config))
        return self._give(verbs.Restarting(who, grace, spec))

    def wait_all(self, who: Any = "*", timeout: float | None = None) -> dict[str, Status]:
        """Wait until all of them (default: all that live now) have ended; ``{name: status}``. Raises WaitTimeout."""
        seconds, wanted = check_timeout(timeout), verbs.meant(who)
        refs = self._look(lambda: [self._answers.ref(actor) for actor in verbs.select(self._world, wanted)])
        until = None if seconds is None else monotonic() + seconds
        return {ref.name: ref.wait(None if until is None else max(0.0, until - monotonic())) for ref in refs}

    def cleanup(self, *, force: bool = False) -> dict[str, Status]:
        """Stop every actor, by its ladder or with ``force`` by SIGKILL, and wait; the system stays open.

        Gives ``{name: status}``; what could not be killed is logged, and its status is none of the final ones.
        """
        refs = self._look(lambda: [self._answers.ref(actor) for actor in self._world.registry.living()])
        end_all(self._world, self._calls, None, force=force)
        return {ref.name: ref.info().status for ref in refs}

    def reap(self) -> list[int]:
        """The processes that actors had left behind and that were ended since the last call, by their numbers."""
        return self._look(self._world.reap)

    # --- looking

    def ps(self, *, all: bool = False) -> ActorTable:
        """The living actors, with ``all`` the ended ones too; prints as a table.

        Figures that are older than the actor's ``sampling.interval`` are measured anew, in this thread.
        """
        listed = self._world.registry.listed if all else self._world.registry.living
        self._router.sampler.refresh(self._look(listed))
        # In the router's thread, for what has ended long ago may be forgotten at any other moment.
        return self._look(lambda: ActorTable(map(self._info, listed())))

    def info(self, name: str) -> ActorInfo:
        """One actor by name, as `ps` has it; raises UnknownActor."""
        self._router.sampler.refresh([self._look(lambda: self._world.registry.find(name))])
        return self._look(lambda: whole(self._world, self._router.watch, self._world.registry.find(name)))

    def healthy(self, who: str | ActorRef[Any] | GroupRef[Any]) -> bool:
        """Whether an actor, by name or ref, is in health, as `ActorRef.healthy`; of a group, whether all of it are.

        Raises UnknownActor, also for a glob.
        """
        self._check()
        return all(map(self._answers.healthy_uid, verbs.uids_of(self._world, who)))

    def summary(self) -> Summary:
        """The whole system at one moment, counted and added up; figures as `ps` has them."""
        self._router.sampler.refresh(self._look(self._world.registry.living))
        return self._look(lambda: summary(self._world, self._router.watch))

    def stacks(self, who: Any = "*") -> dict[str, str]:
        """Where all threads of actors stand now, as `ActorRef.stacks`, by name, asked side by side.

        ``who`` is a name, a glob, a ref or one iterable of these. Raises UnknownActor for an unknown name.
        """
        self._check()
        return self._answers.stacks(verbs.meant(who))

    def story(self, name: str) -> list[str]:
        """The last steps of an actor's life as the router saw them, a line each."""
        return self._look(lambda: self._world.registry.story(self._world.registry.find(name).uid))

    @property
    def dead_letters(self) -> DeadLetters:
        """The messages that nobody handled, and why; see `DeadLetters`."""
        return self._dead_letters

    @property
    def is_open(self) -> bool:
        """Whether it takes calls: it was not shut down, and this process is the one that opened it."""
        return not self._closing.done and os.getpid() == self._pid

    @property
    def endpoint(self) -> str:
        """What Observer and Remote take."""
        return f"ipc://{self._world.directory}"

    # --- closing

    def shutdown(self, *, force: bool = False) -> None:
        """End every actor, side by side, and close.

        Each by its own stop ladder (10 s, 5 s, 5 s unless configured), or with ``force`` by SIGKILL at once. A Ctrl-C
        while it waits forces. Calling it again does nothing. What cannot be killed is logged and left. The actors' log
        records are waited for, 1 s at the most.
        """
        self._close(None, force=force)

    def close_by(self, ladder: StopLadder) -> None:
        """End by that ladder instead of the actors' own: at exit and on signals."""
        self._close(ladder, force=False)

    def disown(self) -> None:
        """In a forked copy of the parent: hold nothing that would keep actors alive, and end nothing."""
        self._leash.release()
        self._world.hub.places.close()
        self._gauges.abandon()
        self._abandon_gates()
        for spawner in self._world.spawners.values():
            spawner.abandon()

    def _close(self, ladder: StopLadder | None, *, force: bool) -> None:
        if os.getpid() == self._pid:
            self._answers.exits.about_to_close()
            self._closing.close(ladder, force=force)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio  # who awaits has it; the others do without

        try:
            await asyncio.to_thread(self.shutdown)
        except asyncio.CancelledError:
            # As Ctrl-C does where nobody awaits; a shutdown that was given up would end behind everybody's back.
            await asyncio.to_thread(self.shutdown, force=True)
            raise
        finally:
            endings.give_back()  # which that thread could not

    def __repr__(self) -> str:
        state = "closed" if self._closing.done else f"{len(self._world.registry.living())} actors"
        return f"<ActorSystem {self.name}: {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return arrived, (self._world.system, self.name, self.endpoint)

    # --- the default

    @staticmethod
    def default() -> ActorSystem:
        """The system of free-standing processes, made at first use and closed at exit.

        Inside an actor the handle of the system that it lives in.
        """
        if (inside := runtime.inside) is not None:
            handle: ActorSystem = arrived(inside.system_id, inside.system_name, inside.endpoint)
            return handle
        with _default_lock:
            if not (_default and _default[0].is_open):
                _default[:] = [ActorSystem(signals=False)]
            return _default[0]

    @staticmethod
    def close_default() -> None:
        """Close the default system, if there is one."""
        with _default_lock:
            if _default:
                _default.pop().shutdown()

    # --- pieces

    def _info(self, actor: Actor) -> ActorInfo:
        # As it stands by now: to measure many takes a moment.
        return info(self._world, self._router.watch, self._world.registry.actors.get(actor.uid, actor))

    def _check(self) -> None:
        self._answers.check_process()
        if self._closing.done:
            raise self._world.closed(f"the system {self.name} was shut down; make another")

    def _look(self, act: Callable[[], T]) -> T:
        self._check()
        return self._calls.look(act)

    def _give(self, order: verbs.Order) -> dict[str, str]:
        self._check()
        return self._calls.make(lambda: order.do(self._world), lambda: order.foresee(self._world))


_default: list[ActorSystem] = []
_default_lock = threading.RLock()
