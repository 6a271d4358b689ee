"""What can be spawned: Process classes and instances, functions, and dotted names of these."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from understudy import runtime
from understudy.callables import NAMED, generates, name_of, signature_of
from understudy.config import ProcessConfig, overrides_of
from understudy.errors import ConfigError, NotAnActor
from understudy.hooks import hooks_of
from understudy.lifecycle.names import check_name
from understudy.lifecycle.spec import Spec
from understudy.part import part_of
from understudy.process import CoroutineFunctionProcess, FunctionProcess, Process
from understudy.receiving.marks import methods_of
from understudy.routing import check_replicas
from understudy.runtime import NOTHING
from understudy.settings import shown
from understudy.spawners.base import Target
from understudy.spawners.circumstances import levels, place
from understudy.terminal import of_input
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
    if isinstance(target, Process):
        if args or kwargs:
            raise NotAnActor(
                f"a {type(target).__name__} that is made already takes no arguments; spawn its class, or change it"
            )
        return ProcessTarget(target, label_of(type(target)), command_of(type(target)))
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
        f"{target!r} cannot be spawned: give a Process class or instance, a function, or 'package.module:Class'"
    )


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
