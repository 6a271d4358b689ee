"""Groups of actors that are looked after together: a part of `ActorSystem`, and what its `group` gives."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Literal, NoReturn, TypeVar, overload

from understudy.config import GroupConfig, ProcessConfig
from understudy.errors import GroupFailed, SerializationError, SystemClosed, UnknownActor
from understudy.group import GroupRef
from understudy.latch import Latch
from understudy.lifecycle.groups.plans import Farewell, Pace
from understudy.lifecycle.names import check_name
from understudy.process import Process
from understudy.ref import ActorRef
from understudy.router import verbs
from understudy.router.answers import Answers
from understudy.router.calls import Calls
from understudy.router.capacity import check_capacity, opened_descriptors
from understudy.router.perform import kill_doomed
from understudy.router.world import World
from understudy.settings import check_timeout
from understudy.targets import Wanted, wanted

P = TypeVar("P", bound=Process)
Ref = ActorRef[Any] | GroupRef[Any]
StrategyName = Literal["one_for_one", "one_for_all", "rest_for_one"]


class Grouping(ABC):
    """Makes groups."""

    _world: World
    _calls: Calls
    _answers: Answers

    @abstractmethod
    def _check(self) -> None:
        """Raise where it takes no calls, or not from here."""

    def group(
        self,
        name: str,
        *,
        strategy: StrategyName = GroupConfig.strategy,
        restarts: int = GroupConfig.restarts,
        window: float = GroupConfig.window,
    ) -> Group:
        """Make a group of actors that are looked after together; nobody is in it yet.

        When a member dies, ``strategy`` says who begins anew: "one_for_one" it alone, "one_for_all" all members,
        "rest_for_one" it and those that were added after it. Those of them that live are ended from the last to the
        first, and all begin again in their order, each when the one before it is READY. After more than ``restarts``
        deaths in ``window`` seconds the group gives up: to the group that it stands in this is the death of a member;
        of one that stands in none it is the end of the system, which then says why. ``lives`` and ``restart.window`` of
        the members don't count; their ``restart.policy`` and ``restart.backoff`` do.

        Raises NameTaken while a group of that name has not ended, ConfigError, SystemClosed.
        """
        return founded(self, check_name(name), GroupConfig(strategy, restarts, window), None)


def founded(home: Grouping, name: str, config: GroupConfig, parent: int | None) -> Group:
    """A new group, in another one or at the top."""
    home._check()  # noqa: SLF001 - its other half, here and below
    world = home._world  # noqa: SLF001

    def found() -> Group:
        world.check_open()
        number, highest = world.registry.found(name, config, parent)
        return Group(home, number, highest, name)

    return home._calls.make(found)  # noqa: SLF001


class Group:
    """Actors that are looked after together, as `ActorSystem.group` says; ``name`` is what their names begin with.

    Those that have ended for good are no members any more, however they ended: finished, stopped or killed by request.
    It belongs to the process that runs the system, and does not travel; its members' refs do.
    """

    def __init__(self, home: Grouping, number: int, top: int, name: str) -> None:
        self._home, self._number, self._top, self.name = home, number, top, name
        self._world, self._calls, self._answers = home._world, home._calls, home._answers  # noqa: SLF001

    @property
    def aio(self) -> AioGroupWaits:
        """What waits, for asyncio."""
        return AioGroupWaits(self)

    # --- who is in it

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
    ) -> Ref:
        """Start an actor as the last member, named ``group/name``, and return its ref; else as `ActorSystem.spawn`.

        It does not wait for those before it to be READY; who wants that waits by `ActorRef.wait_ready`. While the group
        begins anew, it waits until that is done. Raises GroupEnded, and GroupFailed, when nothing comes up in the group
        any more.
        """
        self._check()
        asked = wanted(target, args, kwargs, name=name, host=host, replicas=replicas, config=config)
        opened = opened_descriptors()
        while True:
            found = self._calls.make(partial(self._admit, asked, opened))
            if not isinstance(found, Latch):
                return found
            found.result()

    def group(
        self,
        name: str,
        *,
        strategy: StrategyName = GroupConfig.strategy,
        restarts: int = GroupConfig.restarts,
        window: float = GroupConfig.window,
    ) -> Group:
        """Make a group as the last member of this one, named ``group/name``, as `ActorSystem.group`.

        What it cannot bear any more is its death, and begins anew as a whole, with a clean slate, by the strategy of
        this one. Raises GroupEnded, GroupFailed when nothing comes up in this one any more.
        """
        name = check_name(f"{self.name}/{check_name(name)}")
        return founded(self._home, name, GroupConfig(strategy, restarts, window), self._number)

    def members(self) -> list[ActorRef[Any]]:
        """The members that have not ended, in the order in which they begin, those of inner groups in their places."""
        self._check()
        return self._calls.look(self._refs)

    # --- verbs

    def stop(self, *, grace: float | None = None, drain: bool = False) -> str:
        """Ask for its end and return: ``asked``, ``already`` (it was asked before, or has given up) or ``ended``.

        The members end from the last to the first, each when the one behind it has ended, and nothing comes up in the
        group any more. ``grace``, in seconds, is for all of them together: who is asked while others wait has half of
        what is left, divided as in `ActorRef.stop`. Without it each may finish its section. ``drain`` as there.
        """
        seconds, drains = verbs.check_grace(grace), verbs.check_drain(drain)

        def stop() -> str:
            word, now = self._word(), monotonic()
            farewell = Farewell(drain=drains)
            if seconds is not None:
                farewell = Farewell(Pace.GRACE, now + seconds, drain=drains)
            self._world.steer(lambda company, look, now: company.stop(self._number, farewell, "stop", look, now))
            return word

        return self._order(stop)

    def kill(self) -> str:
        """SIGKILL to all members and what they started, at once, and return: ``asked`` or ``ended``."""

        def kill() -> str:
            word = self._word()
            self._world.steer(lambda company, _, __: company.kill(self._number))
            kill_doomed(self._world)
            return verbs.ASKED if word == verbs.ALREADY else word

        return self._order(kill)

    def restart(self) -> str:
        """Let all members begin anew, and return: ``asked``, ``already`` (it ends, which stands) or ``ended``.

        They end from the last to the first, each by its own ladder, and begin again in their order. It does not count
        as a death, and those that had died are forgotten.
        """

        def restart() -> str:
            word = self._word()
            self._world.steer(lambda company, look, now: company.restart(self._number, look, now))
            return word

        return self._order(restart)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until no member is left, however those that there were have ended; their refs tell that.

        Raises GroupFailed if the group, or one that it stands in, gave up; WaitTimeout after ``timeout`` seconds.
        """
        seconds = check_timeout(timeout)
        until = None if seconds is None else monotonic() + seconds
        while refs := self._left():
            for ref in refs:
                ref.wait(None if until is None else max(0.0, until - monotonic()))
        self._raise_failure()

    # --- pieces

    def _check(self) -> None:
        self._home._check()  # noqa: SLF001

    def _admit(self, asked: Wanted, opened: int | None) -> Ref | Latch[None]:
        world, company = self._world, self._world.registry.company
        if company.is_busy(self._number):
            entrance: Latch[None] = Latch()
            world.awaited.append((self._number, entrance))
            return entrance
        world.check_open()
        seat = company.seat(self._number)
        name = None if asked.name is None else check_name(f"{self.name}/{asked.name}")
        check_capacity(world, opened, asked.count or 1)
        if asked.count is not None:
            return self._answers.ref_of(world.admit_group(asked.spec, name, asked.count, seat=seat))
        return self._answers.ref(world.admit(asked.spec, name, seat=seat))

    def _order(self, act: Callable[[], str]) -> str:
        self._check()
        return self._calls.make(act, self._word)

    def _word(self) -> str:
        group = self._world.registry.company.groups.get(self._number)
        if group is None:
            return verbs.ENDED
        return verbs.ASKED if self._world.registry.company.is_open(self._number) else verbs.ALREADY

    def _refs(self) -> list[ActorRef[Any]]:
        registry = self._world.registry
        return [self._answers.ref(registry.actors[uid]) for uid in registry.company.members(self._number)]

    def _left(self) -> list[ActorRef[Any]]:
        """Those that are still to be waited for; after the system's end there are none."""
        self._answers.check_process()
        try:
            return self._calls.look(self._refs)
        except SystemClosed:
            return []

    def _raise_failure(self) -> None:
        failure = self._world.failures.get(self._top)
        if failure is None:
            return
        cause: BaseException | None = None
        with contextlib.suppress(UnknownActor):  # its outcome is kept no more
            cause = self._answers.outcome(failure.uid)[1]
        raise GroupFailed(failure.cause, name=failure.name, report=getattr(cause, "report", None)) from cause

    def __repr__(self) -> str:
        return f"<Group {self.name}: {len(self._world.registry.company.members(self._number))} actors>"

    def __reduce__(self) -> NoReturn:
        raise SerializationError(f"the group {self.name} belongs to its process; send the refs of its members instead")


class AioGroupWaits:
    """What of a Group waits, as coroutines."""

    def __init__(self, group: Group) -> None:
        self._group = group

    async def wait(self, timeout: float | None = None) -> None:
        """As `Group.wait`; cancelling it leaves the members alone."""
        seconds = check_timeout(timeout)
        until = None if seconds is None else monotonic() + seconds
        while refs := self._group._left():  # noqa: SLF001 - its other half
            for ref in refs:
                await ref.aio.wait(None if until is None else max(0.0, until - monotonic()))
        self._group._raise_failure()  # noqa: SLF001
