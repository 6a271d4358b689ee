"""What can be spawned: Process classes and instances, functions, and dotted names of these."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from understudy import runtime
from understudy.callables import NAMED, generates, name_of, signature_of
from understudy.config import ProcessConfig, overrides_of, program_config
from understudy.errors import ConfigError, NotAnActor
from understudy.hooks import hooks_of
from understudy.lifecycle.names import check_name
from understudy.lifecycle.programs import Program
from understudy.lifecycle.spec import Spec
from understudy.part import part_of
from understudy.process import CoroutineFunctionProcess, FunctionProcess, Process
from understudy.program import Exec
from understudy.receiving.marks import methods_of
from understudy.routing import check_replicas
from understudy.runtime import NOTHING
from understudy.settings import shown
from understudy.spawners.base import Target
from understudy.spawners.circumstances import levels, place
from understudy.spawners.execution import KEPT, Part
from understudy.terminal import of_input
from understudy.waiting.asking import check_wait
from understudy.waiting.protocols import Wait
from understudy.wire.pickling import dumps
from understudy.wire.travelling.names import spawned_at_import

HOSTS = ("process", "spawn")


@dataclass(slots=True)
class ProcessTarget:
    """An instance; it stays as it was and can be spawned again."""

    process: Process
    label: str
    command: str
    root: str = "self"

    def spec(self, overrides: dict[str, Any]) -> Spec:
        """Serialize it with its settings."""
        hooks = hooks_of(type(self.process))
        config = part_of(self.process).config.override(overrides)
        return Spec(
            label=self.label,
            command=self.command,
            blob=dumps(self.process, self.root, config),
            place=place(),
            levels=levels(),
            terminal=of_input(),
            config=config,
            hooks=hooks,
            takes="always"
            if "receive" in hooks
            else "never"
            if isinstance(self.process, FunctionProcess)
            else "perhaps",
            modules=("asyncio",) if any(map(inspect.iscoroutinefunction, _bound(self.process, hooks))) else (),
        )


@dataclass(slots=True)
class ClassTarget:
    """A Process class with the arguments of its constructor, which runs here and never in a child."""

    cls: type[Process]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The class's name in lower case."""
        return label_of(self.cls)

    def spec(self, overrides: dict[str, Any]) -> Spec:
        """Build it, then serialize it."""
        hooks_of(self.cls)
        made = self.cls(*self.args, **self.kwargs)
        if not isinstance(made, Process):
            raise NotAnActor(f"{self.cls.__qualname__}(...) made a {type(made).__name__}, which is no Process")
        return ProcessTarget(made, self.label, command_of(self.cls)).spec(overrides)


@dataclass(slots=True)
class FunctionTarget:
    """A function with its arguments: one lap, whose value is the result."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    timeout: Any = NOTHING
    """Seconds or None for its lap; NOTHING: as for any actor."""

    @property
    def label(self) -> str:
        """The function's name in lower case."""
        return label_of(self.function)

    def spec(self, overrides: dict[str, Any]) -> Spec:
        """Wrap it in a Process and serialize that."""
        kind = CoroutineFunctionProcess if inspect.iscoroutinefunction(self.function) else FunctionProcess
        made = kind(self.function, self.args, self.kwargs)
        if self.timeout is not NOTHING:
            made.config.timeouts.loop = self.timeout
        return ProcessTarget(made, self.label, command_of(self.function), root="").spec(overrides)


@dataclass(slots=True)
class ProgramTarget:
    """A program, which the zygote begins; ``wait`` is what it has to show before it is READY."""

    program: Exec
    wait: Wait | None = None

    @property
    def label(self) -> str:
        """The program's name in lower case."""
        return slug(self.program.label)

    def spec(self, overrides: dict[str, Any]) -> Spec:
        """What it is to be, as bytes."""
        program = self.program
        given = program.stdin.encode() if isinstance(program.stdin, str) else program.stdin
        part = Part(
            argv=tuple(map(os.fsencode, program.argv)),
            env={
                os.fsencode(name): None if value is None else os.fsencode(value) for name, value in program.env.items()
            },
            cwd=None if program.cwd is None else os.fsencode(program.cwd),
            user=_user(program.user),
            umask=program.umask,
            limits={name: _bounds(value) for name, value in program.limits.items()},
            input=given if isinstance(given, bytes) else None,
            input_path=os.fsencode(given) if isinstance(given, os.PathLike) else None,
            notifies=bool(getattr(self.wait, "notifies", False)),
        )
        return Spec(
            label=self.label,
            command=shlex.join(program.argv),
            blob=part.packed(),
            place=place(),
            levels=b"",
            config=program_config(overrides),
            takes="program",
            program=Program(frozenset(program.ok_codes), self.wait, "" if self.wait is None else repr(self.wait)),
        )


def _user(user: str | int | None) -> tuple[int, int, tuple[int, ...]] | None:
    """His number, his group's, and his other groups'; one whom the system doesn't know has his number for all."""
    if user is None:
        return None
    import pwd  # few programs are given a user

    try:
        entry = pwd.getpwnam(user) if isinstance(user, str) else pwd.getpwuid(user)
    except KeyError:
        if isinstance(user, int):
            return user, user, ()
        raise ConfigError(f"Exec(user={shown(user)}): there is no such user") from None
    return entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))


def _bounds(value: int | tuple[int | None, int | None] | None) -> tuple[int, int]:
    if isinstance(value, tuple):
        soft, hard = (-1 if one is None else one for one in value)
        return soft, hard
    return (-1 if value is None else value), KEPT


def _bound(process: Process, hooks: Iterable[str]) -> Iterator[Any]:
    cls = type(process)
    names = {*(f"__{name}__" for name in hooks), *methods_of(cls)}
    return (getattr(process, name) for name in names if hasattr(cls, name))


def target_of(target: object, args: tuple[Any, ...], kwargs: dict[str, Any], options: Iterable[str] = ()) -> Target:
    """The Target for whatever was given to `spawn`; raises NotAnActor for what cannot be run.

    ``options`` are those of `spawn` itself that were given; ConfigError where they could as well be the target's.
    """
    if isinstance(target, str):
        target = _imported(target)
    if isinstance(target, type):
        if not issubclass(target, Process):
            raise NotAnActor(f"{target.__qualname__} is a class but no Process; derive it from understudy.Process")
        _refuse_ambiguous(target.__init__, (None, *args), options)
        return ClassTarget(target, args, kwargs)
    if isinstance(target, Process | Exec):
        return _made(target, args, kwargs)
    if callable(getattr(target, "spec", None)) and isinstance(getattr(target, "label", None), str):
        return target  # type: ignore[return-value]  # somebody's own Target
    if callable(target):
        if generates(target) or generates(type(target).__call__):
            raise NotAnActor(
                f"{command_of(target)} is a generator function: calling it would run nothing of it; "
                "spawn a function that iterates over it"
            )
        if "timeout" in kwargs:
            options = (*options, "timeout")
        _refuse_ambiguous(target, args, options)
        timeout = kwargs.pop("timeout", NOTHING)
        return FunctionTarget(target, args, kwargs, timeout)
    raise NotAnActor(
        f"{target!r} cannot be spawned: give a Process class or instance, a function, 'package.module:Class', an Exec"
    )


def _made(target: Process | Exec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
    """Of what is made already."""
    if isinstance(target, Exec):
        wait = kwargs.pop("wait", None)
        if args or kwargs:
            raise NotAnActor(
                f"for an Exec, whose argv has its arguments, spawn takes wait= alone: {shown(args or kwargs)}"
            )
        if wait is not None:
            check_wait("wait", wait)
        return ProgramTarget(target, wait)
    if args or kwargs:
        raise NotAnActor(
            f"a {type(target).__name__} that is made already takes no arguments; spawn its class, or change it"
        )
    return ProcessTarget(target, label_of(type(target)), command_of(type(target)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a spawn asks for, checked: the name may be None for a generated one, the count for a single actor."""

    spec: Spec
    name: str | None
    count: int | None


def wanted(
    target: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    name: object = None,
    host: object = HOSTS[0],
    replicas: object = None,
    config: dict[str, Any] | ProcessConfig | None = None,
    link: object = False,
) -> Wanted:
    """Read the arguments of a spawn and serialize the target; raises what `ActorSystem.spawn` says, but for the name's.

    Whether the name is free, and the system open, is for the router to say.
    """
    given = {"name": name, "host": host, "config": config, "replicas": replicas, "link": link}
    usual = {"host": HOSTS[0], "link": False}
    found = target_of(target, args, kwargs, [option for option in given if given[option] != usual.get(option)])
    if host not in HOSTS:
        raise ConfigError(f"host={host!r}: it is one of {', '.join(HOSTS)}")
    if isinstance(found, ProgramTarget) and host != HOSTS[0]:
        raise ConfigError(f"host={host!r}: a program is begun by the zygote; leave host out")
    if not isinstance(link, bool):
        raise ConfigError(f"link={shown(link)}: it is True or False")
    name = None if name is None else check_name(name)
    count = None if replicas is None else check_replicas(replicas)
    # A child that imported a module at whose import this spawn happens would spawn again.
    spawned_at_import.update(runtime.importing())
    return Wanted(replace(found.spec(overrides_of(config)), host=str(host)), name, count)


def _refuse_ambiguous(function: Callable[..., Any], args: tuple[Any, ...], options: Iterable[str]) -> None:
    if not options:
        return
    bound: Collection[str] = ()
    while isinstance(function, functools.partial):
        args, bound = (*function.args, *args), {*bound, *function.keywords}
        function = function.func
    signature = signature_of(function)
    if signature is None:
        return
    with contextlib.suppress(TypeError):  # of too many arguments the call itself will tell
        bound = {*bound, *signature.bind_partial(*args).arguments}
    for name in options:
        found = signature.parameters.get(name)
        if found is not None and found.kind in NAMED and name not in bound:
            raise ConfigError(
                f"{name}= is spawn's, but {name_of(function)} has a parameter of that name, too: give it its own by "
                "position, by functools.partial or, for a class, in an instance"
            )


def label_of(target: object) -> str:
    """A stem for generated names."""
    name = getattr(target, "__name__", None) or type(target).__name__
    return slug(name)


def slug(name: str) -> str:
    """The same of a name: what of it may stand in one."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-_.") or "actor"


def command_of(target: object) -> str:
    """How people call it: module and qualified name."""
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    return f"{getattr(target, '__module__', None) or '?'}:{name}"


def _imported(dotted: str) -> object:
    module_name, colon, path = dotted.partition(":")
    if not colon or not module_name or not path:
        raise NotAnActor(f"{dotted!r} is no dotted name: write 'package.module:Class'")
    try:
        found: object = importlib.import_module(module_name)
    except ImportError as error:
        raise NotAnActor(f"{dotted!r} cannot be imported: {error}") from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise NotAnActor(f"{dotted!r} cannot be found: {error}") from error
    if isinstance(found, str):
        raise ConfigError(f"{dotted!r} names a text, not a target")
    return found
