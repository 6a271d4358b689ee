"""GroupRef: what `spawn(..., replicas=4)` returns. Several actors alike under one name; a message is for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from understudy import runtime
from understudy.errors import ActorDied, MailboxFull
from understudy.receiving.calls import Calls
from understudy.ref import ActorRef
from understudy.routing import BROADCAST, LEAST_LOADED, ROUND_ROBIN, by_key, check_route, in_turn, least_loaded
from understudy.settings import check_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from understudy.status import ActorInfo, Status

A = TypeVar("A")


class GroupRef(Generic[A]):
    """The replicas that one spawn made; ``refs`` are theirs, in order, and it iterates over them.

    It travels as an ActorRef does. Who gets a message is decided in the sender, by its ``route``: "round_robin", where
    each process goes round by itself; "least_loaded", who has the fewest of this thread's messages to handle yet, as
    far as it has said; "broadcast", all of them. By ``key``, a text, bytes, whole number or tuple of these, messages of
    one key go to one replica, from every process; in a group of another size most keys keep their place. A replica that
    has ended is passed over while another lives, one that stops while another does not; one that restarts is not, for
    messages wait for its next life. Raises ConfigError for another route or key, and for a key beside a route other
    than "round_robin".
    """

    __slots__ = ("__weakref__", "name", "refs")

    def __init__(self, name: str, refs: Iterable[ActorRef[A]]) -> None:
        self.name = name
        self.refs: tuple[ActorRef[A], ...] = tuple(refs)

    @property
    def aio(self) -> AioGroup:
        """The calls that wait, for asyncio."""
        return AioGroup(self)

    @property
    def call(self) -> A:
        """As `ActorRef.call`, of one replica after the other."""
        return cast("A", Calls(self.ask))

    def tell(
        self, message: Any, *, route: str = ROUND_ROBIN, key: Any = None, urgent: bool = False, reliable: bool = False
    ) -> None:
        """Send a message to one replica, or with "broadcast" to each, as `ActorRef.tell`.

        Raises ActorDied if all have ended, and what `ActorRef.tell` raises. In a broadcast a full mailbox keeps nobody
        else from being told; MailboxFull of the first is raised then.
        """
        way, post = check_route(route, key), self._post
        if way == BROADCAST:
            self._tell_all(post, message, urgent=urgent, reliable=reliable)
            return
        while True:
            loads = post.loads(self._members) if way == LEAST_LOADED else ()
            ref = self._choose(post, way, key, loads)
            try:
                ref.tell(message, urgent=urgent, reliable=reliable)
            except ActorDied:  # it was not sent
                if post.lives(ref.uid, ref.name):
                    raise
            else:
                return

    def ask(self, message: Any, timeout: float | None = None, *, route: str = ROUND_ROBIN, key: Any = None) -> Any:
        """Ask one replica, as `ActorRef.ask`; with "broadcast" each, all at once.

        A broadcast gives the list of answers, in the replicas' order, of all that had not ended; ``timeout``, in
        seconds, is for all together, and the first error in that order is raised. Nothing that was sent is asked again
        of another replica: ActorDied is raised if the one that was chosen dies, and if all have ended.
        """
        way, post = check_route(route, key), self._post
        if way == BROADCAST:
            answers = post.ask_all([(ref.uid, ref.name) for ref in self._audience(post)], message, timeout)
            if not answers:
                raise self._over()
            return answers
        loads = post.loads(self._members) if way == LEAST_LOADED else ()
        return self._choose(post, way, key, loads).ask(message, timeout)

    def stop(self, *, grace: float | None = None, drain: bool = False) -> dict[str, str]:
        """As `ActorRef.stop`: ``{name: "asked"|"already"|"ended"}``."""
        return {ref.name: ref.stop(grace=grace, drain=drain) for ref in self.refs}

    def kill(self) -> dict[str, str]:
        """As `ActorRef.kill`: ``{name: "asked"|"already"|"ended"}``."""
        return {ref.name: ref.kill() for ref in self.refs}

    def restart(self, *, grace: float | None = None) -> dict[str, str]:
        """As `ActorRef.restart`, all at once: ``{name: "asked"|"already"|"ended"}``.

        What had ended comes up under a new uid; ``system.ref(name)`` gives the group with it.
        """
        return {ref.name: ref.restart(grace=grace) for ref in self.refs}

    def pause(self) -> dict[str, str]:
        """As `ActorRef.pause`: ``{name: "asked"|"already"|"ended"}``."""
        return {ref.name: ref.pause() for ref in self.refs}

    def resume(self) -> dict[str, str]:
        """As `ActorRef.resume`: ``{name: "asked"|"already"|"ended"}``."""
        return {ref.name: ref.resume() for ref in self.refs}

    def configure(self, options: Mapping[str, Any]) -> dict[str, str]:
        """As `ActorRef.configure`: ``{name: "asked"|"already"|"ended"}``."""
        return {ref.name: ref.configure(options) for ref in self.refs}

    def wait_ready(self, timeout: float | None = None) -> None:
        """As `ActorRef.wait_ready`, for each; ``timeout``, in seconds, is for all together."""
        left = _countdown(timeout)
        for ref in self.refs:
            ref.wait_ready(left())

    def wait(self, timeout: float | None = None) -> dict[str, Status]:
        """As `ActorRef.wait`, for each: ``{name: status}``; ``timeout``, in seconds, is for all together."""
        left = _countdown(timeout)
        return {ref.name: ref.wait(left()) for ref in self.refs}

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """As `ActorRef.result`, for each: ``{name: result}``; raises the first error in the replicas' order.

        ``timeout``, in seconds, is for all together.
        """
        left = _countdown(timeout)
        return {ref.name: ref.result(left()) for ref in self.refs}

    def done(self) -> bool:
        """Whether all have ended."""
        return all(ref.done() for ref in self.refs)

    def info(self) -> dict[str, ActorInfo]:
        """As `ActorRef.info`: ``{name: info}``."""
        return {ref.name: ref.info() for ref in self.refs}

    def healthy(self) -> dict[str, bool]:
        """As `ActorRef.healthy`: ``{name: whether it is}``."""
        return {ref.name: ref.healthy() for ref in self.refs}

    def _tell_all(self, post: runtime.Post, message: Any, *, urgent: bool, reliable: bool) -> None:
        full: MailboxFull | None = None
        over: ActorDied | None = None
        told = 0
        for ref in self._audience(post):
            try:
                ref.tell(message, urgent=urgent, reliable=reliable)
                told += 1
            except ActorDied as error:
                if post.lives(ref.uid, ref.name):
                    raise
                over = error
            except MailboxFull as error:
                full = full or error
        if full is not None:
            raise full
        if not told:
            raise self._over() from over

    def _choose(self, post: runtime.Post, route: str, key: Any, loads: Iterable[int | None]) -> ActorRef[A]:
        """The replica, one that stays before one that stops; raises ActorDied where none lives."""
        loads = tuple(loads)
        turn = 0 if key is not None else post.turn(self.refs[0].uid)
        for counts in (post.stays, post.lives):

            def is_meant(place: int, counts: Callable[[int, str], bool] = counts) -> bool:
                return counts(self.refs[place].uid, self.refs[place].name)

            if key is not None:
                place = by_key(key, len(self.refs), is_meant)
            elif route == LEAST_LOADED:
                place = least_loaded(turn, [load if is_meant(at) else None for at, load in enumerate(loads)])
            else:
                place = in_turn(turn, len(self.refs), is_meant)
            if place is not None:
                return self.refs[place]
        raise self._over()

    def _audience(self, post: runtime.Post) -> Sequence[ActorRef[A]]:
        """Whom a broadcast is for: those that stay; all where none does."""
        return [ref for ref in self.refs if post.stays(ref.uid, ref.name)] or self.refs

    def _over(self) -> ActorDied:
        return ActorDied(f"all {len(self.refs)} replicas of {self.name} have ended", name=self.name)

    @property
    def _members(self) -> list[tuple[int, str]]:
        return [(ref.uid, ref.name) for ref in self.refs]

    @property
    def _post(self) -> runtime.Post:
        return self.refs[0]._post  # noqa: SLF001 - all are of one system

    def __len__(self) -> int:
        return len(self.refs)

    def __iter__(self) -> Iterator[ActorRef[A]]:
        return iter(self.refs)

    def __eq__(self, other: object) -> bool:
        return self.refs == other.refs if isinstance(other, GroupRef) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.refs)

    def __repr__(self) -> str:
        return f"<GroupRef {self.name}: {len(self.refs)} replicas>"

    def __reduce__(self) -> tuple[type[GroupRef[A]], tuple[str, tuple[ActorRef[A], ...]]]:
        return type(self), (self.name, self.refs)


class AioGroup:
    """The calls of a GroupRef that wait, as coroutines."""

    def __init__(self, group: GroupRef[Any]) -> None:
        self._group = group

    @property
    def call(self) -> Any:
        """As `GroupRef.call`; what is called is to be awaited."""
        return Calls(self.ask)

    async def tell(
        self, message: Any, *, route: str = ROUND_ROBIN, key: Any = None, urgent: bool = False, reliable: bool = False
    ) -> None:
        """As `GroupRef.tell`, and as `ActorRef.aio.tell`."""
        if check_route(route, key) == BROADCAST:
            await self._tell_all(message, urgent=urgent, reliable=reliable)
            return
        while True:
            ref = await self._choose(route, key)
            try:
                await ref.aio.tell(message, urgent=urgent, reliable=reliable)
            except ActorDied:  # it was not sent
                if self._lives(ref):
                    raise
            else:
                return

    async def ask(
        self, message: Any, timeout: float | None = None, *, route: str = ROUND_ROBIN, key: Any = None
    ) -> Any:
        """As `GroupRef.ask`, and as `ActorRef.aio.ask`."""
        if check_route(route, key) != BROADCAST:
            return await (await self._choose(route, key)).aio.ask(message, timeout)
        return await self._ask_all(message, timeout)

    async def wait_ready(self, timeout: float | None = None) -> None:
        """As `GroupRef.wait_ready`."""
        left = _countdown(timeout)
        for ref in self._group.refs:
            await ref.aio.wait_ready(left())

    async def wait(self, timeout: float | None = None) -> dict[str, Status]:
        """As `GroupRef.wait`."""
        left = _countdown(timeout)
        return {ref.name: await ref.aio.wait(left()) for ref in self._group.refs}

    async def result(self, timeout: float | None = None) -> dict[str, Any]:
        """As `GroupRef.result`."""
        left = _countdown(timeout)
        return {ref.name: await ref.aio.result(left()) for ref in self._group.refs}

    async def _tell_all(self, message: Any, *, urgent: bool, reliable: bool) -> None:
        import asyncio

        post = await self._meet()
        living = [ref for ref in self._group._audience(post) if self._lives(ref)]  # noqa: SLF001 - its other half
        told = (ref.aio.tell(message, urgent=urgent, reliable=reliable) for ref in living)
        outcomes = await asyncio.gather(*told, return_exceptions=True)
        errors = [error for error in outcomes if error is not None and not isinstance(error, ActorDied)]
        if errors:
            raise errors[0]
        if None not in outcomes:
            raise self._group._over()  # noqa: SLF001

    async def _ask_all(self, message: Any, timeout: float | None) -> list[Any]:
        post = await self._meet()
        living = [(ref.uid, ref.name) for ref in self._group._audience(post) if self._lives(ref)]  # noqa: SLF001
        answers: list[Any] = await post.courier.ask_all(living, message, timeout)
        if not answers:
            raise self._group._over()  # noqa: SLF001
        return answers

    async def _choose(self, route: str, key: Any) -> ActorRef[Any]:
        post = await self._meet()
        loads = post.courier.loads(self._group._members) if route == LEAST_LOADED else ()  # noqa: SLF001
        return self._group._choose(post, route, key, loads)  # noqa: SLF001

    async def _meet(self) -> runtime.Post:
        """Once each replica is known, how it stands is told without a wait."""
        post = self._group._post  # noqa: SLF001
        await post.courier.meet(self._group._members)  # noqa: SLF001
        return post

    def _lives(self, ref: ActorRef[Any]) -> bool:
        return self._group._post.lives(ref.uid, ref.name)  # noqa: SLF001


def _countdown(timeout: float | None) -> Callable[[], float | None]:
    """The seconds that are left of it, each time it is asked."""
    seconds = check_timeout(timeout)
    if seconds is None:
        return lambda: None
    until = monotonic() + seconds
    return lambda: max(0.0, until - monotonic())
