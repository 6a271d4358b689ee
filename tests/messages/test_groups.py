"""Replicas: several actors alike under one name, and who of them gets a message. Each test has a system."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.stage import hold, note, noted, until
from understudy import (
    ActorDied,
    ActorRef,
    ActorSystem,
    ConfigError,
    GroupRef,
    MailboxFull,
    NameTaken,
    Process,
    ReceiveError,
    Status,
    UnknownActor,
    callable_remotely,
)

LONG = 60.0
NAMES = ["kept/1", "kept/2", "kept/3"]

pytestmark = pytest.mark.requirement("A7")


class Keeper(Process):
    """Keeps what it is told, and answers with its name."""

    def __init__(self, size: int = 1000, on_full: Literal["block", "raise"] = "block") -> None:
        self.kept: list[object] = []
        self.config.mailbox.size, self.config.mailbox.on_full = size, on_full

    def __receive__(self, message):
        match message:
            case "kept":
                return self.kept
            case ["hold", started, gate]:
                note(started, self.name)
                hold(gate)
            case ["hold", started, gate, "for the stop"]:
                note(started, self.name)
                hold(gate)
                until(lambda: self.stopping, 60, "the stop, which the parent knows of before")
            case ["raise", name] if name == self.name:
                raise ValueError(name)
            case "result":
                self.stop()
            case _:
                self.kept.append(message)
        return self.name

    @callable_remotely
    def add(self, one: int, other: int) -> tuple[str, int]:
        return self.name, one + other

    def __result__(self):
        return self.name


class Foreman(Process):
    """Has a group in its state, and finds another by name; does as it is told with them."""

    def __init__(self, group: GroupRef[Keeper]) -> None:
        self.group = group

    def __receive__(self, message):
        match message:
            case ["by key", keys]:
                return [self.group.ask("who", LONG, key=key) for key in keys]
            case ["in turn", count, GroupRef() as group]:
                return [group.ask("who", LONG) for _ in range(count)]
            case ["one of", data]:
                return pickle.loads(data).ask("who", LONG)
            case ["all of", name]:
                found = self.system.ref(name)
                return found, found.ask("who", LONG, route="broadcast")
            case ["who stays"]:
                return [ref.name for ref in self.group if self.group._post.stays(ref.uid, ref.name)]
            case ["verb"]:
                return self.group.result(1)


def test_a_group_is_spoken_to_in_turn_by_key_and_as_a_whole_from_every_process(system):
    kept = system.spawn(Keeper, name="kept", replicas=3)
    foreman = system.spawn(Foreman, kept, name="foreman")
    check_names(system, kept)
    check_turns(kept, foreman)
    check_keys(kept, foreman)
    check_broadcasts(kept, foreman)
    check_refusals(kept)
    with pytest.raises(ReceiveError, match="WrongProcess"):
        foreman.ask(["verb"], LONG)


def check_names(shared: ActorSystem, kept: GroupRef[Keeper]) -> None:
    assert isinstance(kept, GroupRef)
    assert (len(kept), [ref.name for ref in kept], kept.name) == (3, NAMES, "kept")
    assert shared.ref("kept") == kept
    assert shared.ref("kept/2") is kept.refs[1]
    assert {kept: 1}[pickle.loads(pickle.dumps(kept))] == 1
    assert copy.copy(kept) == kept != GroupRef("kept", kept.refs[:2])
    kept.wait_ready(LONG)
    assert kept.healthy() == dict.fromkeys(NAMES, True)
    assert {name: info.name for name, info in kept.info().items()} == dict(zip(NAMES, NAMES, strict=True))
    assert not kept.done()


def check_turns(kept: GroupRef[Keeper], foreman: ActorRef[Foreman]) -> None:
    assert Counter(kept.ask("who", LONG) for _ in range(6)) == dict.fromkeys(NAMES, 2)
    told = foreman.ask(["in turn", 6, kept], LONG)
    assert Counter(told) == dict.fromkeys(NAMES, 2)
    copies = [foreman.ask(["one of", pickle.dumps(kept)], LONG) for _ in range(6)]
    assert Counter(copies) == dict.fromkeys(NAMES, 2), "each copy of the ref went to the same"

    async def ask() -> list[str]:
        return list(await asyncio.gather(*(kept.aio.ask("who", LONG) for _ in range(6))))

    assert Counter(asyncio.run(ask())) == dict.fromkeys(NAMES, 2)
    assert {kept.call.add(1, 2) for _ in range(3)} == {(name, 3) for name in NAMES}


def check_keys(kept: GroupRef[Keeper], foreman: ActorRef[Foreman]) -> None:
    keys = [f"user-{number}" for number in range(30)] + [("user", 7), 7, b"7"]
    here = [kept.ask("who", LONG, key=key) for key in keys]
    assert set(here) == set(NAMES)
    assert here == [kept.ask("who", LONG, key=key) for key in keys]
    assert foreman.ask(["by key", keys], LONG) == here

    async def ask() -> list[str]:
        return [await kept.aio.ask("who", LONG, key=key) for key in keys]

    assert asyncio.run(ask()) == here


def check_broadcasts(kept: GroupRef[Keeper], foreman: ActorRef[Foreman]) -> None:
    kept.tell("for all", route="broadcast")
    assert all("for all" in told for told in kept.ask("kept", LONG, route="broadcast"))
    assert kept.ask("who", LONG, route="broadcast") == NAMES
    found, answers = foreman.ask(["all of", "kept"], LONG)
    assert (found, answers) == (kept, NAMES)
    with pytest.raises(ReceiveError) as raised:
        kept.ask(["raise", "kept/2"], LONG, route="broadcast")
    assert isinstance(raised.value.__cause__, ValueError)

    async def use() -> list[str]:
        await kept.aio.tell("for all, too", route="broadcast")
        with pytest.raises(ReceiveError):
            await kept.aio.ask(["raise", "kept/3"], LONG, route="broadcast")
        return list(await kept.aio.ask("who", LONG, route="broadcast"))

    assert asyncio.run(use()) == NAMES
    assert all("for all, too" in told for told in kept.ask("kept", LONG, route="broadcast"))


def check_refusals(kept: GroupRef[Keeper]) -> None:
    wrong: list[dict[str, Any]] = [
        {"route": "random"},
        {"route": None},
        {"key": 1.5},
        {"route": "broadcast", "key": "a"},
    ]
    for how in wrong:
        with pytest.raises(ConfigError):
            kept.tell("nothing", **how)
        with pytest.raises(ConfigError):
            kept.ask("nothing", LONG, **how)
        with pytest.raises(ConfigError):
            asyncio.run(kept.aio.tell("nothing", **how))
    assert not any("nothing" in told for told in kept.ask("kept", LONG, route="broadcast"))


def test_all_are_asked_at_once_and_the_least_loaded_first(system, tmp_path):
    group = system.spawn(Keeper, replicas=3)
    group.wait_ready(LONG)
    started, gate = str(tmp_path / "started"), str(tmp_path / "gate")
    asks = threading.Thread(target=group.ask, args=(["hold", started, gate], LONG), kwargs={"route": "broadcast"})
    asks.start()
    noted(started, 3)
    Path(gate).touch()
    asks.join(LONG)
    assert not asks.is_alive(), "each held until all had begun"

    gate = str(tmp_path / "another gate")
    group.refs[0].tell(["hold", started, gate])
    noted(started, 4)
    others = {ref.name for ref in group.refs[1:]}
    assert {group.ask("who", LONG, route="least_loaded") for _ in range(6)} == others
    for _ in range(20):
        group.refs[0].tell("waits")
    for number in range(20):
        group.tell(number, route="least_loaded")
    told = [one for ref in group.refs[1:] for one in ref.ask("kept", LONG)]
    assert sorted(one for one in told if one != "who") == [*range(20)]

    async def use() -> set[str]:
        await group.refs[0].aio.tell("waits, too")
        return {await group.aio.ask("who", LONG, route="least_loaded") for _ in range(6)}

    assert asyncio.run(use()) == others
    Path(gate).touch()
    # What goes by asyncio is in no order with the rest.
    until(lambda: Counter(group.refs[0].ask("kept", LONG)) == {"waits": 20, "waits, too": 1})


def test_what_has_ended_is_passed_over_until_none_is_left(system):
    mortals = system.spawn(Keeper, replicas=3)
    names = [ref.name for ref in mortals]
    keys = [f"user-{number}" for number in range(40)]
    before = {key: mortals.ask("who", LONG, key=key) for key in keys}
    assert mortals.refs[1].kill() == "asked"
    mortals.refs[1].wait(LONG)
    left = [names[0], names[2]]
    after = {key: mortals.ask("who", LONG, key=key) for key in keys}
    assert set(after.values()) == set(left)
    assert all(after[key] == place for key, place in before.items() if place != names[1])
    assert Counter(mortals.ask("who", LONG) for _ in range(6)).keys() == set(left)
    assert {mortals.ask("who", LONG, route="least_loaded") for _ in range(6)} == set(left)
    assert mortals.ask("who", LONG, route="broadcast") == left
    mortals.tell("to those that live", route="broadcast")
    assert system.ref(mortals.name) == mortals

    words = mortals.stop()
    assert words == dict(zip(names, ["asked", "ended", "asked"], strict=True))
    statuses = mortals.wait(LONG)
    assert list(statuses.values()) == [Status.FINISHED, Status.KILLED, Status.FINISHED]
    assert mortals.done()
    for how in ({}, {"key": "user-1"}, {"route": "least_loaded"}, {"route": "broadcast"}):
        with pytest.raises(ActorDied):
            mortals.ask("who", LONG, **how)
        with pytest.raises(ActorDied, match=f"all 3 replicas of {mortals.name} have ended"):
            mortals.tell("nobody", **how)

        async def tell(how=how) -> None:
            with pytest.raises(ActorDied):
                await mortals.aio.ask("who", LONG, **how)
            await mortals.aio.tell("nobody", **how)

        with pytest.raises(ActorDied, match="all 3 replicas"):
            asyncio.run(tell())


class Needs(Process):
    """Answers when another actor has what it is asked for."""

    def __init__(self, other):
        self.other = other

    def __receive__(self, message):
        while message not in self.other.ask("kept", LONG):
            self.sleep(0.005)
        return message


def test_what_this_thread_has_told_others_is_on_its_way_before_it_waits_for_a_group(system):
    other = system.spawn(Keeper)
    group = system.spawn(Needs, other, name="needy", replicas=2)
    other.tell("warm")
    assert group.ask("warm", LONG, route="broadcast") == ["warm"] * 2
    for number in range(5):
        other.tell(f"alone {number}")
        other.tell(f"gathered {number}")
        assert group.ask(f"gathered {number}", LONG, route="broadcast") == [f"gathered {number}"] * 2


def test_a_replica_that_stops_is_passed_over_from_every_process_until_no_other_is_left(system, tmp_path):
    kept = system.spawn(Keeper, name="kept", replicas=3)
    foreman = system.spawn(Foreman, kept)
    assert kept.ask("who", LONG, route="broadcast") == NAMES
    home = next(key for key in map(str, range(100)) if kept.ask("who", LONG, key=key) == NAMES[1])
    foreman.ask(["in turn", 3, kept], LONG)
    gate = tmp_path / "gate"
    kept.refs[1].tell(["hold", str(tmp_path / "held"), str(gate)])
    noted(tmp_path / "held")
    assert kept.refs[1].stop() == "asked"
    left = [NAMES[0], NAMES[2]]
    for how in ({}, {"key": home}, {"route": "least_loaded"}, {"route": "broadcast"}):
        for number in range(6):
            kept.tell([number], **how)
    assert kept.ask("who", LONG, key=home) in left
    assert {kept.ask("who", LONG, route="least_loaded") for _ in range(4)} <= set(left)
    assert kept.ask("who", LONG, route="broadcast") == left

    async def elsewhere() -> tuple[Any, Any]:
        await kept.aio.tell("all", route="broadcast")
        return await kept.aio.ask("who", LONG, key=home), await kept.aio.ask("who", LONG, route="broadcast")

    one, all_of_them = asyncio.run(elsewhere())
    assert (one in left, all_of_them) == (True, left)
    # The others hear of the stop by a word that is on its way: until then they may choose it.
    until(lambda: foreman.ask(["who stays"], LONG) == left, 20, "the news of the stop")
    assert set(foreman.ask(["in turn", 6, kept], LONG)) == set(left)
    gate.touch()
    kept.refs[1].wait(LONG)
    assert system.dead_letters.total == 0
    told = [one for kept in kept.ask("kept", LONG, route="broadcast") for one in kept if one != "who"]
    assert len(told) == 6 + 6 + 6 + 2 * 6 + 2

    for ref, path in ((kept.refs[0], "one"), (kept.refs[2], "other")):
        ref.tell(["hold", str(tmp_path / path), str(tmp_path / "last"), "for the stop"])
        noted(tmp_path / path)
    kept.stop()
    kept.tell("nobody stays", route="broadcast")
    kept.tell("and still two live")
    (tmp_path / "last").touch()
    kept.wait(LONG)
    until(lambda: system.dead_letters.total == 3, 10, "the account")


def test_who_ends_between_a_look_and_the_message_is_left_out_of_a_broadcast(system, monkeypatch):
    group = system.spawn(Keeper, name="looked-at", replicas=3)
    group.refs[1].stop()
    group.refs[1].wait(LONG)
    for look in ("lives", "stays"):
        monkeypatch.setattr(type(group.refs[0]._post), look, lambda *_: True)

    async def speak():
        await group.aio.tell("nobody", route="broadcast")
        return await group.aio.ask("who", LONG, route="broadcast")

    assert asyncio.run(speak()) == group.ask("who", LONG, route="broadcast") == ["looked-at/1", "looked-at/3"]


def test_verbs_answer_for_each_replica_and_the_name_means_all(system):
    group = system.spawn(Keeper, name="verbs", replicas=2)
    names = ["verbs/1", "verbs/2"]
    group.wait_ready(LONG)
    assert group.healthy() == dict.fromkeys(names, True)
    assert system.healthy(group) is system.healthy("verbs") is system.healthy("verbs/1") is True
    assert group.restart() == dict.fromkeys(names, "asked")
    until(lambda: all(info.status is Status.RUNNING and info.incarnation == 2 for info in group.info().values()))
    group.tell("result", route="broadcast")
    assert group.result(LONG) == dict(zip(names, names, strict=True))
    assert system.stop("verbs") == system.kill(group) == dict.fromkeys(names, "ended")
    assert system.healthy(group) is system.healthy("verbs") is False
    with pytest.raises(UnknownActor):
        system.healthy([])
    assert group.refs[0].restart() == "ended"
    anew = system.ref("verbs")
    assert anew != group
    assert anew.refs[1] == group.refs[1]
    assert anew.ask("who", LONG, route="broadcast") == ["verbs/1"]
    assert system.kill("verbs") == {"verbs/1": "asked", "verbs/2": "ended"}
    assert system.wait_all(anew, LONG) == {"verbs/1": Status.KILLED, "verbs/2": Status.FINISHED}


def test_a_full_mailbox_keeps_nobody_else_from_being_told(system, tmp_path):
    group = system.spawn(Keeper, 2, "raise", name="small", replicas=2)
    group.wait_ready(LONG)
    started, gate = str(tmp_path / "started"), str(tmp_path / "gate")
    group.refs[0].tell(["hold", started, gate])
    noted(started)
    with contextlib.suppress(MailboxFull):
        while True:
            group.refs[0].tell("fills it")
    with pytest.raises(MailboxFull, match="small/1"):
        group.tell("for all", route="broadcast")
    assert group.refs[1].ask("kept", LONG) == ["for all"]


def test_names_of_groups_and_actors_are_in_each_others_way_while_they_live(system):
    kept = system.spawn(Keeper, replicas=1)
    assert (isinstance(kept, GroupRef), kept.name, kept.ask("who", LONG)) == (True, "keeper-1", "keeper-1/1")
    system.spawn(Keeper, name="single")
    system.spawn(Keeper, name="split/2")
    for name, says in (("keeper-1", "a group with living"), ("single", "a living actor"), ("split", "'split/2'")):
        with pytest.raises(NameTaken, match=says):
            system.spawn(Keeper, name=name, replicas=2)
    with pytest.raises(NameTaken, match="'keeper-1' is the name of a group with living replicas"):
        system.spawn(Keeper, name="keeper-1")
    for replicas in (0, -1, True, "4", 2.5):
        with pytest.raises(ConfigError, match="replicas must be a whole number, at least 1"):
            system.spawn(Keeper, replicas=replicas)
    assert {row.name for row in system.ps(all=True)} == {"keeper-1/1", "single", "split/2"}, "all or none"
    assert system.spawn(Keeper).name == "keeper-2"

    kept.kill()
    kept.wait(LONG)
    assert system.ref("keeper-1") == kept
    successor = system.spawn(Keeper, name="keeper-1")
    assert system.ref("keeper-1") is successor
