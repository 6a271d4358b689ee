"""The settings of an actor: plain dataclasses whose fields are checked once, when they are set (see `settings`).

Every setting is declared here and nowhere else; `options()`, and with it command line flags and TOML keys, derive from
these declarations. All times are in seconds.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, Self

from understudy.errors import ConfigError
from understudy.settings import SECONDS, Settings, option, own, paths, rules_of, shown, span, unknown, walk


@dataclass(repr=False)
class Timeouts(Settings):
    """How long each part of an actor's life may take, in seconds; None means for ever."""

    at = "timeouts"

    preloop: float | None = span(30.0, "Longest run of __preloop__.")
    loop: float | None = span(300.0, "Longest run of __loop__.")
    postloop: float | None = span(60.0, "Longest run of __postloop__.")
    onfinish: float | None = span(60.0, "Longest run of __onfinish__.")
    result: float | None = span(60.0, "Longest run of __result__.")
    error: float | None = span(60.0, "Longest run of __error__.")
    receive: float | None = span(300.0, "Longest run of __receive__ for one message.")
    startup: float | None = span(30.0, "From the spawn until the actor reports ready.")
    exit: float | None = span(2.0, "What leftover threads and atexit may delay the end by.")

    def shortest(self) -> float:
        """Seconds of the shortest one among those of the sections; infinite where none has a limit."""
        found = (self.preloop, self.loop, self.postloop, self.onfinish, self.result, self.error, self.receive)
        return min((seconds for seconds in found if seconds is not None), default=math.inf)

    def disable(self) -> None:
        """Set every timeout to None, `startup` and `exit` included: nothing is ever cut off."""
        self._become(None)

    def quick(self) -> None:
        """For tests and short work: loop and receive 30 s, startup 10 s, exit 1 s, all others 5 s."""
        self._become(5, loop=30, receive=30, startup=10, exit=1)

    def long(self) -> None:
        """For work of hours: loop and receive 4 h, preloop and startup 5 min, exit 20 s, all others 10 min."""
        self._become(600, loop=14_400, receive=14_400, preloop=300, startup=300, exit=20)

    def _become(self, others: float | None, **values: float) -> None:
        for name in rules_of(Timeouts):
            setattr(self, name, values.get(name, others))


@dataclass(repr=False)
class Backoff(Settings):
    """The pause before a restart: none before the first, then base x factor^n up to the cap."""

    at = "restart.backoff"

    base: float = option(0.1, "Pause before the second restart; 0 restarts at once, always.", unit=SECONDS, least=0)
    factor: float = option(2.0, "What each further pause is multiplied by.", least=1)
    cap: float = option(30.0, "Longest pause, before jitter.", unit=SECONDS, above=0)
    jitter: float = option(0.2, "Share by which a pause varies at random.", least=0, most=1)
    reset: float = option(10.0, "Healthy run after which pauses begin anew.", unit=SECONDS, above=0)


@dataclass(repr=False)
class Restart(Settings):
    """When an actor is started again, and how its crashes count."""

    at = "restart"

    policy: Literal["on_crash", "always", "never"] = option(
        "on_crash", "Restart what crashed, also what finished, or nothing."
    )
    revive: Literal["original", "checkpoint"] = option(
        "original", "Whether a life begins from the original state, or from the last checkpoint where there is one."
    )
    backoff: Backoff = field(default_factory=Backoff)
    window: float | None = span(
        None, "Age from which a crash no longer counts against the lives.", none="every crash counts"
    )


@dataclass(repr=False)
class StopLadder(Settings):
    """What a stop may take: a pause after each rung, and at the end SIGKILL. 0 skips a pause."""

    at = "stop"

    command: float = option(10.0, "From the stop command to SIGTERM.", unit=SECONDS, least=0)
    term: float = option(5.0, "From SIGTERM to the second SIGTERM.", unit=SECONDS, least=0)
    term_again: float = option(5.0, "From the second SIGTERM to SIGKILL.", unit=SECONDS, least=0)


@dataclass(repr=False)
class Heartbeat(Settings):
    """How an actor shows that it lives, and what its silence leads to."""

    at = "heartbeat"

    interval: float = option(2.0, "Time between two heartbeats.", unit=SECONDS, above=0)
    misses: int = option(3, "Heartbeats missed in a row before silence has consequences.", least=1)
    kill: Literal["auto", "always"] = option(
        "auto", "Whether silence kills only where no section's timeout can decide (auto), or always."
    )


@dataclass(repr=False)
class Limits(Settings):
    """Upper bounds on what an actor may send, and write to files of its own."""

    at = "limits"

    result: int = option(2**30, "Largest serialized result.", unit="bytes", least=1, most=2**30)
    spawn: int = option(
        2**30, "Largest serialized original of an actor that it spawns.", unit="bytes", least=1, most=2**30
    )
    checkpoint: int = option(2**26, "Largest serialized checkpoint.", unit="bytes", least=1, most=2**30)
    records: int | None = option(1000, "Log records that reach the parent in one second.", least=1, none="no limit")
    output: int | None = option(
        10 * 2**20, "Size from which a file of its own output is begun anew.", unit="bytes", least=4096, none="no limit"
    )
    output_files: int = option(3, "Files that are kept of each stream, the present one included.", least=1, most=100)


@dataclass(repr=False)
class Mailbox(Settings):
    """What an actor holds of messages that it has not handled yet, and how many it handles at once."""

    at = "mailbox"

    size: int = option(1000, "Messages that it holds, and that each sender may have on their way to it.", least=1)
    on_full: Literal["block", "raise", "drop_oldest"] = option(
        "block", "Whether a sender to a full mailbox waits, gets MailboxFull, or displaces the oldest message."
    )
    concurrency: int = option(1, "Async handlers that run at the same time.", least=1)


@dataclass(repr=False)
class Sampling(Settings):
    """What `info()` and `ps()` measure of an actor, and how often at the most."""

    at = "sampling"

    interval: float = option(1.0, "Age from which figures are measured anew when asked for.", unit=SECONDS, least=0)
    family: bool = option(default=True, doc="Measure all that the actor started, too, or its own process alone.")
    pss: bool = option(default=True, doc="Measure the proportional set size: the dearest figure, for large processes.")


@dataclass(repr=False)
class ProcessConfig(Settings):
    """All settings of one actor."""

    num_loops: int | None = option(None, "Laps in each life.", least=1, none="no limit")
    join_in: float | None = span(None, "Time from the first readiness to a stop, over all lives and pauses.")
    lives: int = option(1, "Attempts in all: 1 means no restart.", least=1)
    log_laps: bool = option(default=False, doc="Log a DEBUG record with the section times of every lap.")
    output: Literal["inherit", "file"] = option(
        "inherit", "Whether it writes to the parent's stdout and stderr, or to files of its own."
    )
    timeouts: Timeouts = field(default_factory=Timeouts)
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    stop: StopLadder = field(default_factory=StopLadder)
    restart: Restart = field(default_factory=Restart)
    limits: Limits = field(default_factory=Limits)
    mailbox: Mailbox = field(default_factory=Mailbox)
    sampling: Sampling = field(default_factory=Sampling)

    def override(self, options: Mapping[str, Any]) -> Self:
        """An independent copy with these options set, by dotted path: `{"timeouts.loop": 2.5}`.

        A path may name a group, for its value to be one, or a mapping of its options: `{"timeouts": {"loop": 2.5}}`.
        The more dots a path has, the later it is applied.
        Raises UnknownField with the nearest path, ConfigError for a bad value.
        """
        if not isinstance(options, Mapping):
            raise ConfigError(f"overrides must be a mapping of dotted paths; got {shown(options)}")
        made = copy.deepcopy(self)
        for path in options:
            if path not in paths():
                raise unknown("", path)
        adopt(made, options)
        return made


def adopt(config: ProcessConfig, options: Mapping[str, Any]) -> None:
    """Set these options of it, by paths that there are; raises ConfigError for a bad value."""
    for path in sorted(options, key=lambda known: known.count(".")):
        for single, value in _opened(path, options[path]):
            owner: Settings = config
            *groups, name = single.split(".")
            for group in groups:
                owner = getattr(owner, group)
            setattr(owner, name, own(value))


LIVE = ("num_loops", "join_in", "log_laps", "timeouts", "heartbeat")
"""The options, and groups of them, that may be set while an actor runs."""


def live_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """These options one by one, as they are stored; raises ConfigError for what is set at the spawn alone, or wrong."""
    made = ProcessConfig().override(options)
    if not options:
        raise ConfigError("configure takes at least one option, as in {'timeouts.loop': 5}")
    for path in options:
        if path.partition(".")[0] not in LIVE:
            may = ", ".join(f"{name}.*" if name in _groups() else name for name in LIVE)
            raise ConfigError(f"{path} is set at the spawn; while an actor runs, {may} may be")
    meant = [path for path in options if path not in _groups()]
    for path in set(options) & _groups():
        value = options[path]
        names = value if isinstance(value, Mapping) else rules_of(type(value))
        meant += [f"{path}.{name}" for name in names]
    return {path: _value_of(made, path) for path in meant}


FOR_PROGRAMS = (
    "join_in",
    "lives",
    "output",
    "limits.output",
    "limits.output_files",
    "timeouts.startup",
    "stop",
    "restart.policy",
    "restart.backoff",
    "restart.window",
    "sampling",
)
"""The options, and groups of them, that mean something for a program; the others are of hooks, messages and beats."""


def program_config(overrides: Mapping[str, Any]) -> ProcessConfig:
    """The settings of a program, whose output is in files unless it is said otherwise.

    Raises what `ProcessConfig.override` raises, and ConfigError for an option that a program has no use for.
    """
    usual = ProcessConfig(output="file")
    made = usual.override(overrides)
    for path in (one.path for one in options()):
        value = _value_of(made, path)
        if value != _value_of(usual, path) and not any(f"{path}.".startswith(f"{known}.") for known in FOR_PROGRAMS):
            raise ConfigError(f"{path}={shown(value)}: a program has no use for it; it has {', '.join(FOR_PROGRAMS)}")
    return made


def stands(config: ProcessConfig, options: Mapping[str, Any]) -> bool:
    """Whether each of these single options has that value already."""
    return all(_value_of(config, path) == value for path, value in options.items())


def _value_of(config: ProcessConfig, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _opened(path: str, value: object) -> Iterator[tuple[str, object]]:
    """One option, or those of a mapping that stands for a group, the groups within it before single ones of theirs."""
    if not isinstance(value, Mapping) or path not in _groups():
        yield path, value
        return
    for name in value:
        if f"{path}.{name}" not in paths():
            raise unknown(path, name)
    for name in sorted(value, key=lambda known: known.count(".")):
        yield from _opened(f"{path}.{name}", value[name])


@cache
def _groups() -> frozenset[str]:
    return frozenset(rule.path for rule in walk(ProcessConfig) if rule.group is not None)


@dataclass(repr=False)
class SystemConfig(Settings):
    """What holds for all actors of a system together: arguments of `ActorSystem`, of the same names."""

    restarts_per_second: int | None = option(
        100, "Restarts that begin in any one second, those by request not counted.", least=1, none="no limit"
    )
    max_depth: int = option(2, "How deep actors may spawn actors; those of the system itself have depth 1.", least=1)


@dataclass(repr=False)
class GroupConfig(Settings):
    """What holds for a group of actors: arguments of `ActorSystem.group`, of the same names."""

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = option(
        "one_for_one", "Who begins anew when a member has died: it alone, all, or it and those added after it."
    )
    restarts: int = option(
        3, "Deaths within `window` for which it begins members anew; at one more it gives up.", least=0
    )
    window: float = option(5.0, "Age from which a death no longer counts.", unit=SECONDS, above=0)


Settings.whole = ProcessConfig


@dataclass(frozen=True, slots=True)
class Option:
    """One setting, as a command line flag or a TOML key needs it.

    `path` is dotted, as `ProcessConfig.override` takes it; `type` the annotation, such as `int | None`; `doc` a
    sentence, with the unit where there is one.
    """

    path: str
    type: Any
    default: bool | int | float | str | None
    doc: str


def options() -> list[Option]:
    """Every single setting, in the order of declaration, groups opened."""
    leaves = (rule for rule in walk(ProcessConfig) if rule.group is None)
    return [Option(rule.path, rule.annotation, rule.default, rule.told()) for rule in leaves]


def overrides_of(config: dict[str, Any] | ProcessConfig | None) -> dict[str, Any]:
    """What ``config=`` of a spawn says, as dotted settings; raises ConfigError for what says nothing."""
    if config is None:
        return {}
    if isinstance(config, ProcessConfig):
        return {one.name: getattr(config, one.name) for one in fields(config)}
    if not isinstance(config, dict):
        raise ConfigError(f"config= takes a dict of dotted settings or a ProcessConfig, not {type(config).__name__}")
    return config
