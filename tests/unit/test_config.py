"""The settings of an actor: what they hold, what they refuse, and where they say so."""

from __future__ import annotations

import copy
import dataclasses
import enum
import math
import pickle
import traceback
from fractions import Fraction
from typing import Any, Literal, get_args, get_origin

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy import config as module
from understudy.config import (
    Backoff,
    Heartbeat,
    Limits,
    Mailbox,
    ProcessConfig,
    Restart,
    Sampling,
    StopLadder,
    Timeouts,
    live_options,
    options,
)
from understudy.errors import ConfigError, UnderstudyError, UnknownField
from understudy.settings import Settings, shown

TIMEOUTS = {
    "preloop": 30.0,
    "loop": 300.0,
    "postloop": 60.0,
    "onfinish": 60.0,
    "result": 60.0,
    "error": 60.0,
    "receive": 300.0,
    "startup": 30.0,
    "exit": 2.0,
}
DEFAULTS = {
    "num_loops": None,
    "join_in": None,
    "lives": 1,
    "log_laps": False,
    "output": "inherit",
    "timeouts": TIMEOUTS,
    "heartbeat": {"interval": 2.0, "misses": 3, "kill": "auto"},
    "stop": {"command": 10.0, "term": 5.0, "term_again": 5.0},
    "restart": {
        "policy": "on_crash",
        "revive": "original",
        "backoff": {"base": 0.1, "factor": 2.0, "cap": 30.0, "jitter": 0.2, "reset": 10.0},
        "window": None,
    },
    "limits": {"result": 1024**3, "spawn": 1024**3, "checkpoint": 1024**2 * 64, "records": 1000}
    | {
        "output": 10 * 1024**2,
        "output_files": 3,
    },
    "mailbox": {"size": 1000, "on_full": "block", "concurrency": 1},
    "sampling": {"interval": 1.0, "family": True, "pss": True},
}
GROUPS = [Timeouts, Backoff, Restart, StopLadder, Heartbeat, Limits, Mailbox, Sampling, ProcessConfig]

# What fits each option, as far as its type and its known bounds say.
_BOUNDS: dict[str, tuple[float, float]] = {
    "restart.backoff.factor": (1.0, 1e6),
    "restart.backoff.jitter": (0.0, 1.0),
}
_WHOLE = {
    "limits.result": (1, 2**30),
    "limits.spawn": (1, 2**30),
    "limits.checkpoint": (1, 2**30),
    "limits.output": (4096, 2**63 - 1),
    "limits.output_files": (1, 100),
}


def _fitting(path: str, kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    members = get_args(kind) or (kind,)
    low, high = _BOUNDS.get(path, (0.001, 1e6))
    least, most = _WHOLE.get(path, (1, 2**63 - 1))
    values: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(least, most),
        float: st.floats(low, high) | st.integers(math.ceil(low), int(high)),
        type(None): st.none(),
    }
    return st.one_of([values[member] for member in members])


OVERRIDES = st.fixed_dictionaries({}, optional={each.path: _fitting(each.path, each.type) for each in options()})


class Lives(enum.IntEnum):
    MANY = 9


class Policy(str, enum.Enum):  # noqa: UP042 - str() of such a member is not its value
    NEVER = "never"


def at(config: ProcessConfig, path: str) -> tuple[Any, str]:
    """The group that holds an option, and the option's name in it."""
    owner: Any = config
    *groups, name = path.split(".")
    for group in groups:
        owner = getattr(owner, group)
    return owner, name


@pytest.mark.requirement("C1")
@pytest.mark.requirement("C2")
@pytest.mark.requirement("C3")
def test_a_fresh_config_holds_the_documented_defaults():
    assert ProcessConfig().to_dict() == DEFAULTS


@pytest.mark.requirement("C2")
def test_a_fraction_of_a_second_is_kept():
    config = ProcessConfig()
    config.timeouts.loop = 0.25
    assert config.timeouts.loop == 0.25


def test_a_whole_number_is_taken_for_seconds_and_stored_as_a_float():
    config = ProcessConfig(join_in=90)
    config.timeouts.loop = 2
    assert (type(config.timeouts.loop), type(config.join_in)) == (float, float)
    assert (config.timeouts.loop, config.join_in) == (2.0, 90.0)


@pytest.mark.parametrize(
    ("path", "given_value", "kind"),
    [
        ("timeouts.loop", np.float32(0.5), float),
        ("timeouts.loop", np.int64(2), float),
        ("timeouts.loop", Fraction(1, 2), float),
        ("num_loops", np.int32(7), int),
        ("lives", Lives.MANY, int),
        ("restart.policy", Policy.NEVER, str),
    ],
)
def test_numbers_and_words_of_other_libraries_are_stored_as_plain_ones(path, given_value, kind):
    config = ProcessConfig().override({path: given_value})
    stored = getattr(*at(config, path))
    assert type(stored) is kind
    assert stored == given_value


@pytest.mark.requirement("C2")
@pytest.mark.parametrize("name", TIMEOUTS)
def test_none_disables_each_timeout(name):
    config = ProcessConfig()
    setattr(config.timeouts, name, None)
    assert config.timeouts.to_dict() == TIMEOUTS | {name: None}


@pytest.mark.requirement("C2")
def test_disable_sets_every_timeout_to_none():
    timeouts = Timeouts()
    timeouts.disable()
    assert timeouts.to_dict() == dict.fromkeys(TIMEOUTS)


@pytest.mark.requirement("C2")
def test_quick_and_long_change_the_timeouts_in_place_to_the_documented_seconds():
    config = ProcessConfig()
    timeouts = config.timeouts
    timeouts.quick()
    assert timeouts.to_dict() == dict.fromkeys(TIMEOUTS, 5.0) | {
        "loop": 30.0,
        "receive": 30.0,
        "startup": 10.0,
        "exit": 1.0,
    }
    timeouts.long()
    assert timeouts.to_dict() == dict.fromkeys(TIMEOUTS, 600.0) | {
        "loop": 14_400.0,
        "receive": 14_400.0,
        "preloop": 300.0,
        "startup": 300.0,
        "exit": 20.0,
    }
    assert config.timeouts is timeouts


@pytest.mark.requirement("P2")
@pytest.mark.parametrize(
    ("owner", "written", "nearest"),
    [
        (ProcessConfig(), "num_loop", "num_loops"),
        (ProcessConfig(), "timeout", "timeouts"),
        (ProcessConfig(), "loop", "timeouts.loop"),
        (Timeouts(), "lop", "timeouts.loop"),
        (Timeouts(), "lives", "lives"),
        (Backoff(), "jiter", "restart.backoff.jitter"),
        (Limits(), "results", "limits.result"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_name(owner, written, nearest):
    with pytest.raises(UnknownField, match=rf"has no field '{written}'; did you mean '{nearest}'\?"):
        setattr(owner, written, 1)
    assert not hasattr(owner, written)


@pytest.mark.requirement("P2")
def test_an_unknown_field_that_is_like_none_gets_no_suggestion():
    with pytest.raises(UnknownField, match=r"^config has no field 'zzzzz'$"):
        setattr(ProcessConfig(), "zzzzz", 1)  # noqa: B010 - type checkers refuse the plain way


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("name", ["quick", "to_dict", "__class__", "__dict__", "_private", "at"])
def test_what_is_no_field_cannot_be_assigned_even_where_it_exists(name):
    with pytest.raises(UnknownField):
        setattr(Timeouts(), name, None)


@pytest.mark.requirement("P2")
def test_the_error_is_raised_at_the_line_that_assigns():
    config = ProcessConfig()
    try:
        config.timeouts.loop = -1
    except ConfigError as error:
        first = traceback.extract_tb(error.__traceback__)[0]
        assert first.line == "config.timeouts.loop = -1"
    else:
        pytest.fail("a negative timeout was taken")


_PATHS_OF_TIMES = [each.path for each in options() if "In seconds." in each.doc]
_MAY_BE_0 = {"restart.backoff.base", "stop.command", "stop.term", "stop.term_again", "sampling.interval"}


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("path", _PATHS_OF_TIMES)
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf, True, "5", b"5", [5], 1 + 0j, 10**400])
def test_what_is_no_time_is_refused_with_path_value_and_what_would_be_right(path, value):
    config = ProcessConfig()
    before = config.to_dict()
    owner, name = at(config, path)
    with pytest.raises(ConfigError) as caught:
        setattr(owner, name, value)
    text = str(caught.value)
    assert text.startswith(f"{path} must be a finite number of seconds, ")
    assert f"; got {shown(value)}" in text
    assert config.to_dict() == before


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("path", _PATHS_OF_TIMES)
def test_zero_seconds_are_refused_where_they_make_no_sense(path):
    config = ProcessConfig()
    owner, name = at(config, path)
    if path in _MAY_BE_0:
        setattr(owner, name, 0)
        assert getattr(owner, name) == 0.0
    else:
        with pytest.raises(ConfigError, match=rf"^{path} must be .* above 0"):
            setattr(owner, name, 0)


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("path", ["num_loops", "lives", "heartbeat.misses", "limits.result"])
@pytest.mark.parametrize("value", [0, -1, 1.0, math.nan, True, "3", np.bool_(True)])  # noqa: FBT003 - the value under test
def test_what_is_no_count_is_refused(path, value):
    config = ProcessConfig()
    owner, name = at(config, path)
    with pytest.raises(ConfigError, match=rf"^{path} must be a whole number.*, at least 1"):
        setattr(owner, name, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lives", 2**63),
        pytest.param("lives", 10**5000, id="lives-huge"),
        ("timeouts.loop", 1_000_000_001),
        ("join_in", 1e300),
    ],
)
def test_what_would_overflow_later_is_refused_now(path, value):
    config = ProcessConfig()
    owner, name = at(config, path)
    with pytest.raises(ConfigError, match=rf"^{path} may be \d+ at most; got "):
        setattr(owner, name, value)


@pytest.mark.requirement("P2")
@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("lives", None, "a whole number, at least 1"),
        ("log_laps", 1, "True or False"),
        ("log_laps", None, "True or False"),
        ("log_laps", "yes", "True or False"),
        ("heartbeat.interval", None, "a finite number of seconds, above 0"),
        ("heartbeat.kill", "sometimes", "one of 'auto', 'always'"),
        ("restart.policy", "on_crush", "one of 'on_crash', 'always', 'never'"),
        ("restart.policy", None, "one of 'on_crash', 'always', 'never'"),
        ("restart.policy", ["never"], "one of 'on_crash', 'always', 'never'"),
        ("restart.policy", np.array(["never", "always"]), "one of 'on_crash', 'always', 'never'"),
        ("restart.backoff.jitter", 1.5, "a finite number, at least 0 and at most 1"),
        ("restart.backoff.factor", 0.5, "a finite number, at least 1"),
        ("output", "files", "one of 'inherit', 'file'"),
        ("limits.records", 0, "a whole number, at least 1, or None (no limit)"),
        ("limits.result", 0, "a whole number of bytes, at least 1 and at most 1073741824"),
    ],
)
def test_each_kind_of_field_says_what_would_be_right(path, value, wanted):
    config = ProcessConfig()
    owner, name = at(config, path)
    with pytest.raises(ConfigError) as caught:
        setattr(owner, name, value)
    assert str(caught.value).startswith(f"{path} must be {wanted}; got ")


@pytest.mark.requirement("P2")
@pytest.mark.parametrize("value", [None, 5, {"loop": 2}, Heartbeat(), Timeouts])
def test_a_group_is_refused_from_a_wrong_type(value):
    config = ProcessConfig()
    with pytest.raises(
        ConfigError, match=r"^timeouts must be of type Timeouts, or set its fields: timeouts.preloop, .*; got "
    ):
        config.timeouts = value
    assert config == ProcessConfig()


def test_a_group_may_be_assigned_as_a_whole():
    config = ProcessConfig()
    config.restart = Restart(policy="never", backoff=Backoff(base=0))
    assert config.restart.policy == "never"
    assert config.restart.backoff.base == 0.0


def test_a_long_value_is_shortened_in_the_error():
    with pytest.raises(ConfigError) as caught:
        Timeouts(loop="x" * 100_000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 250


def test_a_value_whose_repr_raises_is_told_by_its_type():
    class Mute:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(ConfigError, match="Mute"):
        Timeouts(loop=Mute())  # type: ignore[arg-type]


@pytest.mark.requirement("C4")
@pytest.mark.parametrize(
    "make",
    [
        lambda: Timeouts(loop=-1),
        lambda: Backoff(jitter=2),
        lambda: Restart(policy="sometimes"),  # type: ignore[arg-type]
        lambda: StopLadder(1, 1, -1),
        lambda: Heartbeat(misses=0),
        lambda: Limits(result=0),
        lambda: ProcessConfig(lives=0),
        lambda: ProcessConfig(timeouts={"loop": 1}),  # type: ignore[arg-type]
    ],
)
def test_constructors_check_as_well(make):
    with pytest.raises(ConfigError):
        make()


def test_a_group_that_was_refused_midway_still_prints():
    half = ProcessConfig.__new__(ProcessConfig)
    assert repr(half).startswith("ProcessConfig(")


@pytest.mark.parametrize("kind", GROUPS)
def test_a_field_cannot_be_deleted(kind):
    group = kind()
    for each in dataclasses.fields(kind):
        with pytest.raises(ConfigError, match=f"{each.name} cannot be deleted"):
            delattr(group, each.name)
    with pytest.raises(UnknownField):
        del group.nonsense
    assert group == kind()


def test_reading_an_unknown_field_is_a_plain_attribute_error():
    with pytest.raises(AttributeError, match="lop"):
        Timeouts().lop  # type: ignore[attr-defined]  # noqa: B018 - the access is what raises


@pytest.mark.parametrize("kind", GROUPS)
def test_reads_are_plain_attributes(kind):
    assert "__getattribute__" not in vars(Settings)
    assert not hasattr(kind, "__getattr__")
    assert set(vars(kind())) == {each.name for each in dataclasses.fields(kind)}


@pytest.mark.requirement("C4")
def test_replace_gives_a_deep_copy_with_overrides():
    backoff = Backoff(base=1)
    original = ProcessConfig(lives=2, restart=Restart(backoff=backoff))
    timeouts = Timeouts(loop=5)
    copied = original.replace(lives=3, timeouts=timeouts)
    assert (copied.lives, copied.timeouts.loop, copied.restart.backoff.base) == (3, 5.0, 1.0)
    copied.restart.backoff.base = 9.0
    copied.timeouts.loop = 9.0
    assert (backoff.base, timeouts.loop, original.lives, original.timeouts.loop) == (1.0, 5.0, 2, 300.0)


@pytest.mark.requirement("C4")
def test_replace_checks_like_an_assignment():
    with pytest.raises(ConfigError, match=r"^timeouts\.loop must be"):
        Timeouts().replace(loop=0)
    with pytest.raises(UnknownField, match=r"'timeouts\.loop'"):
        Timeouts().replace(lop=1)


@pytest.mark.parametrize("kind", GROUPS)
def test_replace_without_overrides_is_an_equal_copy(kind):
    group = kind()
    assert group.replace() == group
    assert group.replace() is not group


def test_override_takes_dotted_paths_and_leaves_the_original():
    original = ProcessConfig(num_loops=5)
    made = original.override({"lives": 3, "timeouts.loop": 2.5, "restart.backoff.base": 0})
    assert (made.num_loops, made.lives, made.timeouts.loop, made.restart.backoff.base) == (5, 3, 2.5, 0.0)
    assert original == ProcessConfig(num_loops=5)


@pytest.mark.parametrize("turned", [False, True])
def test_override_applies_a_whole_group_before_the_options_within_it(turned):
    group = Timeouts(loop=1, exit=1)
    pairs: list[tuple[str, Any]] = [("timeouts", group), ("timeouts.loop", 2)]
    made = ProcessConfig().override(dict(reversed(pairs) if turned else pairs))
    assert (made.timeouts.loop, made.timeouts.exit) == (2.0, 1.0)
    assert group == Timeouts(loop=1, exit=1)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("timeouts.lop", "timeouts.loop"),
        ("timeout.loop", "timeouts.loop"),
        ("limit.result", "limits.result"),
        ("backoff.cap", "restart.backoff.cap"),
        ("live", "lives"),
    ],
)
def test_override_refuses_an_unknown_path_with_the_nearest_one(path, nearest):
    with pytest.raises(UnknownField, match=f"did you mean '{nearest}'"):
        ProcessConfig().override({path: 1})


@pytest.mark.parametrize(
    "path", ["", ".", "lives.loop", "timeouts.", "timeouts.loop.x", "__class__", 3, None, ("lives",)]
)
def test_override_refuses_what_is_no_path(path):
    with pytest.raises(UnknownField):
        ProcessConfig().override({path: 1})


@pytest.mark.parametrize("given_value", [None, 5, [("lives", 2)], "lives"])
def test_override_and_from_dict_refuse_what_is_no_mapping(given_value):
    with pytest.raises(ConfigError, match="must be a mapping"):
        ProcessConfig().override(given_value)
    with pytest.raises(ConfigError, match=r"^config must be a mapping"):
        ProcessConfig.from_dict(given_value)


def test_override_names_the_path_of_a_bad_value():
    with pytest.raises(ConfigError, match=r"^restart\.backoff\.cap must be"):
        ProcessConfig().override({"lives": 3, "restart.backoff.cap": 0})


def test_from_dict_takes_a_part_and_checks_it():
    config = ProcessConfig.from_dict({"lives": 2, "restart": {"backoff": {"cap": 5}}})
    assert config == ProcessConfig(lives=2, restart=Restart(backoff=Backoff(cap=5.0)))
    with pytest.raises(UnknownField, match=r"^restart has no field 'backof'; did you mean 'restart\.backoff'"):
        ProcessConfig.from_dict({"restart": {"backof": {}}})
    with pytest.raises(ConfigError, match=r"^restart\.backoff must be a mapping"):
        ProcessConfig.from_dict({"restart": {"backoff": 5}})
    with pytest.raises(ConfigError, match=r"^restart\.backoff\.cap must be"):
        ProcessConfig.from_dict({"restart": {"backoff": {"cap": -5}}})


@given(OVERRIDES)
def test_a_config_survives_msgpack_and_pickle_and_copy(overrides):
    config = ProcessConfig().override(overrides)
    packed = msgpack.packb(config.to_dict(), strict_types=True)
    assert ProcessConfig.from_dict(msgpack.unpackb(packed)) == config
    for twin in (pickle.loads(pickle.dumps(config)), copy.copy(config), copy.deepcopy(config), config.replace()):
        assert twin == config
        with pytest.raises(ConfigError):
            twin.lives = 0


def test_what_travels_of_settings_is_what_was_set():
    config = ProcessConfig(lives=3)
    config.restart.window = 5
    assert len(pickle.dumps(config)) < len(pickle.dumps(config.to_dict())) / 3
    twin = pickle.loads(pickle.dumps(config))
    twin.timeouts.loop = 9
    assert (twin.lives, twin.restart.window) == (3, 5)
    assert pickle.loads(pickle.dumps(config)) == config, "those that arrive share nothing with one another"


def test_a_group_that_two_share_is_shared_by_a_shallow_copy_and_by_what_travels_together():
    config, other = ProcessConfig(), ProcessConfig()
    config.timeouts.loop = 5
    other.timeouts = config.timeouts
    assert copy.copy(config).timeouts is config.timeouts
    one, two = pickle.loads(pickle.dumps((config, other)))
    assert one.timeouts is two.timeouts
    one, two = copy.deepcopy((config, other))
    assert one.timeouts is two.timeouts


@given(OVERRIDES)
def test_the_printed_config_is_the_expression_that_makes_it(overrides):
    config = ProcessConfig().override(overrides)
    assert eval(repr(config), vars(module).copy()) == config  # noqa: S307 - our own repr


@given(OVERRIDES)
def test_override_sets_what_is_named_and_nothing_else(overrides):
    config = ProcessConfig().override(overrides)
    for each in options():
        assert getattr(*at(config, each.path)) == overrides.get(each.path, each.default)


@pytest.mark.requirement("C4")
def test_a_config_prints_only_what_differs_from_the_defaults():
    assert repr(ProcessConfig()) == "ProcessConfig()"
    config = ProcessConfig(lives=3)
    config.timeouts.loop = 2.5
    config.restart.policy = "always"
    assert repr(config) == "ProcessConfig(lives=3, timeouts=Timeouts(loop=2.5), restart=Restart(policy='always'))"


def test_configs_are_equal_by_value_and_share_nothing_by_default():
    one, other = ProcessConfig(), ProcessConfig()
    assert one == other
    one.restart.backoff.base = 5.0
    assert one != other
    other.restart.backoff.base = 5.0
    assert one == other


def test_the_options_are_all_the_leaves_with_type_default_and_a_sentence():
    leaves = {each.path: each for each in options()}
    assert len(leaves) == len(options())
    defaults = ProcessConfig()
    for path, each in leaves.items():
        assert getattr(*at(defaults, path)) == each.default
        assert each.doc.endswith(".")
        assert each.doc[0].isupper()
    flat = [path for path, value in _flat(DEFAULTS) if not isinstance(value, dict)]
    assert list(leaves) == flat
    assert leaves["num_loops"].type == int | None
    assert leaves["timeouts.loop"].type == float | None
    assert leaves["heartbeat.kill"].type == Literal["auto", "always"]
    assert leaves["log_laps"].type is bool


def test_errors_of_the_config_belong_to_the_tree():
    for error, builtin in ((ConfigError, ValueError), (UnknownField, AttributeError)):
        assert issubclass(error, UnderstudyError)
        assert issubclass(error, builtin)


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found.append((before + name, value))
        if isinstance(value, dict):
            found.extend(_flat(value, f"{before}{name}."))
    return found


def test_the_shortest_timeout_is_that_of_a_section():
    timeouts = Timeouts()
    assert timeouts.shortest() == 30  # not exit's 2 s
    timeouts.error = 0.5
    assert timeouts.shortest() == 0.5
    timeouts.receive = 0.25
    assert timeouts.shortest() == 0.25
    timeouts.disable()
    timeouts.startup = 1
    assert timeouts.shortest() == float("inf")


@pytest.mark.parametrize(
    "options",
    [
        {"timeouts": {"loop": 3, "exit": None}, "restart": {"policy": "always", "backoff": {"base": 0}}},
        {"timeouts": {"loop": 3, "exit": None}, "restart.policy": "always", "restart.backoff": {"base": 0}},
        {
            "restart": {"backoff.base": 0, "backoff": {"base": 5}, "policy": "always"},
            "timeouts": {"exit": None, "loop": 3},
        },
        {"timeouts.loop": 3, "timeouts": {"loop": 4, "exit": None}, "restart": {"policy": "always", "backoff.base": 0}},
    ],
)
def test_override_takes_a_mapping_for_a_group_and_leaves_its_other_options(options):
    original = ProcessConfig()
    original.timeouts.preloop = 7
    made = original.override(options)
    assert (made.timeouts.preloop, made.timeouts.loop, made.timeouts.exit) == (7, 3, None)
    assert (made.restart.policy, made.restart.backoff.base, made.restart.backoff.factor) == ("always", 0, 2)
    assert original.timeouts.loop == 300


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"timeouts": {"lop": 3}}, UnknownField, r"timeouts has no field 'lop'; did you mean 'timeouts\.loop'\?"),
        ({"timeouts": {5: 3}}, UnknownField, "timeouts has no field 5"),
        ({"restart": {"backoff": {"bas": 3}}}, UnknownField, r"restart\.backoff has no field 'bas'; did you mean"),
        ({"restart": {"backoff": {"base": -3}}}, ConfigError, r"restart\.backoff\.base must be .*; got -3"),
        ({"timeouts": {"loop": {"seconds": 3}}}, ConfigError, r"timeouts\.loop must be a finite number"),
        ({"timeouts": [("loop", 3)]}, ConfigError, "timeouts must be "),
    ],
)
def test_override_refuses_what_a_mapping_gets_wrong_with_its_path(options, kind, told):
    with pytest.raises(kind, match=told):
        ProcessConfig().override(options)


@pytest.mark.requirement("A8")
@pytest.mark.parametrize("option", options(), ids=lambda option: option.path)
def test_each_option_may_be_set_while_an_actor_runs_or_is_refused_by_its_name(option):
    group = option.path.partition(".")[0]
    if group in {"num_loops", "join_in", "log_laps", "timeouts", "heartbeat"}:
        assert live_options({option.path: option.default}) == {option.path: option.default}
    else:
        with pytest.raises(ConfigError, match=rf"^{option.path} is set at the spawn"):
            live_options({option.path: option.default, "num_loops": 3})


@pytest.mark.requirement("A8")
def test_groups_of_live_options_are_opened():
    assert live_options({"timeouts": {"loop": 5}, "heartbeat.misses": 4}) == {
        "timeouts.loop": 5.0,
        "heartbeat.misses": 4,
    }
    assert live_options({"heartbeat": Heartbeat(interval=1)}) == {
        "heartbeat.interval": 1.0, "heartbeat.misses": 3, "heartbeat.kill": "auto",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="at least one option"):
        live_options({})
