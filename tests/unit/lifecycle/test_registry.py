"""Names, numbers, globs, and what is remembered of the ended."""

from __future__ import annotations

import difflib
import string
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lifecycle.scene import START, spec
from understudy.errors import ConfigError, NameTaken, UnknownActor
from understudy.globs import is_glob
from understudy.lifecycle.archive import KEEP_ENDED
from understudy.lifecycle.effects import Fork, Publish
from understudy.lifecycle.events import Died, Forked, ForkFailed, Kill, Place, Ready, Stop
from understudy.lifecycle.moment import Moment
from understudy.lifecycle.names import check_name
from understudy.lifecycle.registry import Registry
from understudy.status import Status

NOW = Moment(START)
segments = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_letters + string.digits),
    st.text(string.ascii_letters + string.digits + "._-", max_size=6),
)
names = st.lists(segments, min_size=1, max_size=4).map("/".join)


@pytest.fixture
def registry() -> Registry:
    return Registry()


def admit(registry: Registry, *names: str | None, label: str = "indexer") -> list[int]:
    return [registry.admit(spec(label=label), name, NOW)[0].uid for name in names]


def end(registry: Registry, *uids: int) -> None:
    for uid in uids:
        registry.apply(uid, Kill(), NOW)
        registry.apply(uid, ForkFailed("never mind"), NOW)
        assert registry.actors[uid].status is Status.KILLED


def named(registry: Registry, pattern: str) -> list[str]:
    return [actor.name for actor in registry.match(pattern)]


# --- what is a name


@given(names.filter(lambda name: len(name) <= 128))
def test_a_name_of_segments_is_taken_as_it_is(name: str):
    assert check_name(name) == name
    assert not is_glob(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".a",
        "-a",
        "_a",
        "a/.b",
        "a b",
        "a*",
        "a?",
        "[a]",
        "é",
        "a\n",
        "a|b",
        "x" * 129,
        7,
        None,
        b"a",
    ],
)
def test_what_is_no_name_is_refused_and_told_what_a_name_is(name: object):
    with pytest.raises(
        ConfigError, match=r"is not a name: segments of letters, digits, .* 128 characters in all"
    ) as caught:
        check_name(name)
    assert repr(name) in str(caught.value)


def test_the_longest_name_has_128_characters_slashes_included():
    assert check_name("a/" * 63 + "ab") == "a/" * 63 + "ab"


# --- names of the living


@pytest.mark.requirement("A5")
def test_a_name_is_taken_while_its_actor_lives_and_free_when_it_has_ended(registry: Registry):
    (first,) = admit(registry, "L2.1.1")
    for event in (Forked(7), Ready(), Stop()):
        registry.apply(first, event, NOW)
        with pytest.raises(NameTaken, match=r"'L2\.1\.1' is the name of a living actor \(uid 1, [A-Z]+\)"):
            registry.admit(spec(), "L2.1.1", NOW)
    assert [actor.uid for actor in registry.listed()] == [first]
    registry.apply(first, Died(0, None, Place()), NOW)
    assert registry.actors[first].status is Status.CRASHED
    assert admit(registry, "L2.1.1") == [2]


@pytest.mark.requirement("A5")
def test_a_name_can_be_used_again_and_again_and_uids_never(registry: Registry):
    seen = []
    for _ in range(500):
        (uid,) = admit(registry, "w")
        seen.append(uid)
        assert registry.find("w").uid == uid
        end(registry, uid)
    assert len(set(seen)) == 500
    assert seen == sorted(seen)
    assert registry.living() == []


def test_a_refused_name_uses_up_no_uid_and_leaves_no_trace(registry: Registry):
    admit(registry, "w")
    with pytest.raises(NameTaken):
        registry.admit(spec(), "w", NOW)
    assert admit(registry, "v") == [2]


def test_unnamed_actors_are_numbered_by_their_label_and_no_number_comes_twice(registry: Registry):
    uids = admit(registry, None, None)
    admit(registry, None, label="crawler")
    assert [actor.name for actor in registry.listed()] == ["indexer-1", "indexer-2", "crawler-1"]
    end(registry, *uids)
    admit(registry, None)
    assert registry.listed()[-1].name == "indexer-3"


@given(st.text(string.ascii_lowercase + "._-", min_size=1, max_size=300).filter(lambda label: label[0].isalpha()))
def test_a_numbered_name_is_a_name_however_long_its_label(label: str):
    registry = Registry()
    for uid in admit(registry, None, None, label=label):
        assert check_name(registry.actors[uid].name) == registry.actors[uid].name
        assert registry.actors[uid].name.startswith(label[:100])


def test_labels_that_differ_behind_their_cut_share_their_numbers(registry: Registry):
    first, second = (admit(registry, None, label="l" * 200 + end)[0] for end in "ab")
    assert registry.actors[first].name != registry.actors[second].name


@pytest.mark.parametrize("label", ["we ird*", "*", "", "-x", "a|b", "ä"])
def test_a_label_that_makes_no_name_is_refused_and_takes_no_number(registry: Registry, label: str):
    with pytest.raises(ConfigError, match="is not a name"):
        admit(registry, None, label=label)
    assert registry.living() == []
    assert registry.actors[admit(registry, None)[0]].uid == 1


def test_a_number_that_somebody_took_by_name_is_left_out(registry: Registry):
    admit(registry, "indexer-1", "indexer-2", None)
    assert registry.listed()[-1].name == "indexer-3"


def test_an_admitted_actor_is_starting_and_its_process_asked_for(registry: Registry):
    actor, effects = registry.admit(spec(), "w", NOW)
    assert (actor.status, actor.incarnation) == (Status.STARTING, 1)
    assert effects[0] == Fork()
    assert effects[-1] == Publish("state", Status.CREATED, Status.STARTING, "spawned")


# --- finding


def test_a_living_actor_is_found_before_an_ended_one_and_else_the_last_that_bore_the_name(registry: Registry):
    first, *_ = admit(registry, "w")
    end(registry, first)
    assert registry.find("w").uid == first
    (second,) = admit(registry, "w")
    assert registry.find("w").uid == second
    end(registry, second)
    assert registry.find("w").uid == second


def test_an_unknown_name_is_told_with_the_nearest_ones(registry: Registry):
    with pytest.raises(UnknownActor, match=r"^no actor is named 'w'; there are none$"):
        registry.find("w")
    admit(registry, "indexer", "crawler/fetch-3", "crawler/fetch-4", "zeta")
    with pytest.raises(UnknownActor, match="did you mean indexer"):
        registry.find("indexr")
    with pytest.raises(UnknownActor, match=r"did you mean crawler/fetch-[34], crawler/fetch-[34]\b"):
        registry.find("crawler/fetch-5")
    with pytest.raises(UnknownActor, match=r"'q+'; there are indexer, crawler/fetch-3, crawler/fetch-4 and 1 more$"):
        registry.find("qqqqqqq")


# --- globs


@pytest.mark.requirement("A5")
def test_a_star_crosses_slashes(registry: Registry):
    admit(registry, "crawler", "crawler/fetch-1", "crawler/fetch-2/parse", "indexer")
    assert named(registry, "*") == ["crawler", "crawler/fetch-1", "crawler/fetch-2/parse", "indexer"]
    assert named(registry, "crawler/*") == ["crawler/fetch-1", "crawler/fetch-2/parse"]
    assert named(registry, "*parse") == ["crawler/fetch-2/parse"]
    assert named(registry, "crawler/fetch-[12]") == ["crawler/fetch-1"]
    assert named(registry, "crawler/fetch-?") == ["crawler/fetch-1"]
    assert named(registry, "CRAWLER*") == []


def test_names_that_are_prefixes_are_told_apart(registry: Registry):
    admit(registry, "w", "w1", "w10")
    assert [registry.find(name).uid for name in ("w", "w1", "w10")] == [1, 2, 3]
    assert named(registry, "w1") == ["w1"]
    assert named(registry, "w1*") == ["w1", "w10"]
    registry.apply(2, Stop(), NOW)
    assert [actor.status for actor in registry.living()] == [Status.STARTING, Status.STOPPING, Status.STARTING]


def test_a_glob_finds_the_living_only(registry: Registry):
    one, _ = admit(registry, "a", "b")
    end(registry, one)
    assert named(registry, "*") == ["b"]
    assert named(registry, "z*") == []


@given(st.sets(names, max_size=8), st.text("ab*?[]/.-", max_size=6))
def test_a_glob_finds_exactly_what_it_matches_in_the_order_of_spawn(chosen: set[str], pattern: str):
    registry = Registry()
    admit(registry, *chosen)
    assert named(registry, pattern) == [name for name in chosen if fnmatchcase(name, pattern)]


@pytest.mark.parametrize(("text", "glob"), [("w", False), ("a/b-1", False), ("w*", True), ("w?", True), ("[w]", True)])
def test_a_glob_is_known_by_its_marks(text, glob):
    assert is_glob(text) is glob


# --- the ended


def test_the_last_thousand_ended_are_kept(registry: Registry):
    uids = admit(registry, *[f"w{number}" for number in range(KEEP_ENDED + 50)])
    end(registry, *uids)
    assert [actor.uid for actor in registry.listed()] == uids[50:]
    assert set(registry.stories) == set(uids[50:])
    with pytest.raises(UnknownActor):
        registry.find("w49")
    assert registry.find("w50").uid == uids[50]


def test_those_that_somebody_refers_to_are_kept_beside_the_last_thousand(registry: Registry):
    held = set(admit(registry, *[f"held-{number}" for number in range(1200)]))
    registry.archive.keep = held.__contains__
    end(registry, *sorted(held))
    others = admit(registry, *[f"w{number}" for number in range(KEEP_ENDED + 300)])
    end(registry, *others)
    assert {actor.uid for actor in registry.listed()} == held | set(others[300:])


def test_those_that_are_no_longer_referred_to_go_in_their_turn(registry: Registry):
    held = set(admit(registry, *[f"held-{number}" for number in range(100)]))
    registry.archive.keep = held.__contains__
    end(registry, *sorted(held))
    end(registry, *admit(registry, *[f"w{number}" for number in range(KEEP_ENDED)]))
    held.clear()
    last = admit(registry, *[f"v{number}" for number in range(100)])
    end(registry, *last)
    assert len(registry.listed()) == KEEP_ENDED
    assert all(uid in registry.actors for uid in last)


def test_an_older_actor_that_goes_takes_no_name_from_a_later_one(registry: Registry):
    (first,) = admit(registry, "w")
    end(registry, first)
    (second,) = admit(registry, "w")
    end(registry, second)
    end(registry, *admit(registry, *[f"v{number}" for number in range(KEEP_ENDED - 1)]))
    assert first not in registry.actors
    assert registry.find("w").uid == second


# --- what comes late


@pytest.mark.requirement("L6")
def test_frames_of_another_incarnation_or_actor_are_stale_and_counted(registry: Registry):
    (uid,) = admit(registry, "w")
    assert registry.is_current(uid, 1)
    assert registry.stale == 0
    assert not registry.is_current(uid, 2)
    assert not registry.is_current(uid, 0)
    assert not registry.is_current(uid + 1, 1)
    assert registry.stale == 3


@pytest.mark.requirement("L6")
def test_frames_of_an_ended_actor_are_stale_also_where_another_bears_its_name(registry: Registry):
    (first,) = admit(registry, "w")
    end(registry, first)
    (second,) = admit(registry, "w")
    assert not registry.is_current(first, 1)
    assert registry.is_current(second, 1)
    assert registry.stale == 1


def test_the_nearest_names_are_looked_for_with_an_effort_that_is_bounded(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    compared: list[str] = []
    honest = difflib.get_close_matches

    def matches(name: str, names: list[str], n: int) -> list[str]:
        compared.extend(names)
        return honest(name, names, n)

    monkeypatch.setattr(difflib, "get_close_matches", matches)
    for number in range(300):
        registry.admit(spec(), f"{'x' * 120}-{number}", Moment(START))
    with pytest.raises(UnknownActor, match="did you mean"):
        registry.find("x" * 120)
    assert 20 < len(compared) < 100
    compared.clear()
    with pytest.raises(UnknownActor, match="; there are x"):
        registry.find("x" * 12)
    assert len(compared) == len(registry.actors)
