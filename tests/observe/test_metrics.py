"""Metrics as Prometheus scrapes them: over HTTP, read by its own parser."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.pages import ROOT, tables
from tests.stage import hold, noted, python, running, until
from understudy import ActorSystem, ConfigError, Process, Remote, Status, SystemClosed
from understudy.observe import metrics
from understudy.observe.exporter import SCRAPES


def scrape(url, accept="text/plain"):
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return answer.read().decode()


def samples(url):
    """Every sample by its name: what stands in its labels, and its value."""
    found: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(scrape(url)):
        for sample in family.samples:
            assert tuple(sample.labels.values()) not in found[sample.name], f"{sample.name} twice"
            found[sample.name][tuple(sample.labels.values())] = sample.value
    return found


class Turns(Process):
    """Three laps a life; crashes after the first, then goes on until it is stopped."""

    def __init__(self):
        self.config.lives = 3
        self.config.restart.backoff.base = 0

    def __loop__(self):
        if self.incarnation == 1 and self.current_lap == 4:
            raise RuntimeError("once")
        while time.process_time() < 0.05:  # the kernel counts in ticks of 0.01 s
            pass
        if self.incarnation > 1 and self.current_lap == 4:
            self.sleep(600)


class Again(Process):
    """Finishes, and begins anew, until its second life."""

    def __init__(self):
        self.config.num_loops = 1
        self.config.restart.policy = "always"

    def __loop__(self):
        if self.incarnation == 2:
            self.sleep(600)


class Held(Process):
    """Holds the first message until it hears that it is to stop."""

    def __init__(self, begun):
        self.begun = begun

    def __receive__(self, message):
        with open(self.begun, "w") as file:
            file.write("begun\n")
        until(lambda: self.stopping, 60, "the stop")


class Idle(Process):
    def __loop__(self):
        self.sleep(600)


@pytest.fixture
def url(system):
    return system.serve_metrics(0)


def test_a_scrape_tells_of_actors_lives_laps_and_figures(system, url):
    turns = system.spawn(Turns, name="crew/turns", config={"sampling.interval": 0.001})
    until(lambda: turns.info().completed_laps == 3 and turns.info().incarnation == 2, 20, "the second life")
    running(turns)
    found = samples(url)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/metrics", url)
    assert found["understudy_info"] == {(system.name, "0.1.0"): 1}
    assert found["understudy_actors"] == {("STARTING",): 0, ("RUNNING",): 1, ("STOPPING",): 0, ("RESTARTING",): 0}
    assert found["understudy_spawned_total"] == {(): 1}
    assert found["understudy_restarts_total"] == {("crash",): 1, ("asked",): 0, ("always",): 0, ("group",): 0}
    assert found["understudy_actor_laps_total"] == {("crew/turns",): 6}
    assert found["understudy_actor_restarts_total"] == {("crew/turns",): 1}
    assert found["understudy_actor_errors_total"] == {("crew/turns",): 1}
    assert found["understudy_actor_lives_left"] == {("crew/turns",): 1}
    assert found["understudy_actor_healthy"] == {("crew/turns",): 1}
    assert found["understudy_actors_paused"] == {(): 0}
    turns.pause()
    assert samples(url)["understudy_actors_paused"] == {(): 1}
    memory, pss = (found[f"understudy_actor_{kind}_bytes"][("crew/turns",)] for kind in ("memory", "pss"))
    assert memory > 1 << 20
    assert 0 < pss <= memory
    assert found["understudy_actor_cpu_seconds_total"][("crew/turns",)] > 0
    assert found["understudy_actor_threads"][("crew/turns",)] >= 2
    assert found["understudy_actor_open_files"][("crew/turns",)] > 3
    assert found["understudy_events_total"][()] > 5
    assert found["process_open_fds"][()] > 10, "the figures of the parent itself stand beside them"


def test_what_has_ended_is_counted_by_how_and_named_no_more(system, url):
    assert system.spawn(os.getpid).wait(20) is Status.FINISHED
    killed, lost = system.spawn(Idle), system.spawn(Turns, config={"lives": 1})
    running(killed)
    killed.kill()
    assert (killed.wait(20), lost.wait(20)) == (Status.KILLED, Status.CRASHED)
    found = samples(url)
    assert found["understudy_ended_total"] == {("FINISHED",): 1, ("CRASHED",): 1, ("KILLED",): 1}
    assert found["understudy_spawned_total"] == {(): 3}
    assert not found["understudy_actor_laps_total"]
    assert sum(found["understudy_actors"].values()) == 0


@pytest.mark.requirement("A7")
def test_messages_that_wait_and_those_that_nobody_handled_are_told(system, url, tmp_path):
    held = system.spawn(Held, str(tmp_path / "begun"), name="held")
    for _ in range(3):
        held.tell("message")
    noted(tmp_path / "begun")
    until(lambda: held.info().mailbox_depth == 3, 20, "their being taken in, the one in hand among them")
    assert samples(url)["understudy_actor_mailbox_depth"] == {("held",): 3}
    held.stop()
    held.wait(20)
    until(lambda: system.dead_letters.total == 2, 20, "the dead letters")
    assert samples(url)["understudy_dead_letters_total"] == {(): 2}


def test_what_followers_missed_is_counted_as_they_ask_for_it(system, url):
    system.spawn(os.getpid).wait(20)
    with Remote(system.endpoint) as remote:
        told = remote._client.ask("replay", since=0)["events"]
    assert len(told) >= 4
    assert samples(url)["understudy_events_missed_total"] == {(): len(told)}


def test_restarts_are_told_apart_by_their_cause(system, url):
    asked, again = system.spawn(Idle), system.spawn(Again)
    running(asked)
    asked.restart()
    group = system.group("both", strategy="one_for_all")
    both = [group.spawn(Idle), group.spawn(Idle)]
    running(*both)
    os.kill(both[0].info().pid, signal.SIGKILL)
    until(lambda: {ref.info().incarnation for ref in (asked, again, *both)} == {2}, 20, "their second lives")
    assert samples(url)["understudy_restarts_total"] == {("crash",): 1, ("asked",): 1, ("always",): 1, ("group",): 1}


def test_a_restart_asked_for_in_backoff_counts_as_asked(system, url):
    waiting = system.spawn(Turns, config={"lives": 5, "restart.backoff.base": 600, "restart.backoff.jitter": 0})
    until(lambda: waiting.info().incarnation == 2, 20, "its first restart")  # at once
    system.restart(waiting)
    until(lambda: waiting.info().incarnation == 3, 20, "the life that was asked for")
    assert samples(url)["understudy_restarts_total"] == {("crash",): 1, ("asked",): 1, ("always",): 0, ("group",): 0}


def test_a_counter_of_cpu_time_does_not_fall_while_the_life_goes_on(system, url):
    ref = system.spawn(Idle, name="idle", config={"sampling.interval": 0.001})
    running(ref)
    seen = [samples(url)["understudy_actor_cpu_seconds_total"][("idle",)] for _ in range(5)]
    assert seen == sorted(seen)


def test_a_scrape_is_answered_while_the_router_is_held_up(system, url):
    """It is read in the thread that scrapes: the router is neither asked nor waited for."""
    running(system.spawn(Idle, name="idle"))
    held, gate = threading.Event(), threading.Event()

    def hold_up():
        held.set()
        gate.wait(60)

    holder = threading.Thread(target=system._calls.make, args=(hold_up,))
    holder.start()
    try:
        assert held.wait(20)
        assert samples(url)["understudy_actor_healthy"] == {("idle",): 1}
    finally:
        gate.set()
        holder.join()


def test_openmetrics_is_spoken_to_who_asks_for_it(system, url):
    text = scrape(url, "application/openmetrics-text; version=1.0.0")
    names = {family.name for family in openmetrics.text_string_to_metric_families(text)}
    assert {"understudy", "understudy_actors", "understudy_restarts", "understudy_actor_laps"} <= names


def test_the_labels_are_a_closed_list_and_the_names_of_living_actors(system, url):
    for number in range(3):
        system.spawn(os.getpid, name=f"brief-{number}").wait(20)
    living = system.spawn(hold, "/nowhere", name="living")
    running(living)
    seen: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(scrape(url)):
        for sample in family.samples:
            for label, value in sample.labels.items():
                if family.name.startswith("understudy"):
                    seen[label].add(value)
    living.kill()
    assert seen.pop("system") == {system.name}
    assert seen.pop("version")
    assert seen.pop("actor") == {"living"}
    assert seen.pop("status") == {status.value for status in Status} - {"CREATED"}
    assert seen.pop("cause") == {"crash", "asked", "always", "group"}
    assert seen.pop("reason") == {"queued", "quarantine", "group"}
    assert not seen


def test_it_ends_with_the_system_and_gives_the_port_back():
    with ActorSystem() as system:
        url = system.serve_metrics(0)
        samples(url)
    with pytest.raises(urllib.error.URLError):
        scrape(url)
    with pytest.raises(SystemClosed):
        system.serve_metrics(0)
    with ActorSystem() as system:
        assert system.serve_metrics(urllib.parse.urlsplit(url).port or 0) == url
        samples(url)


def test_who_connects_and_says_nothing_holds_up_neither_a_scrape_nor_the_end():
    with ActorSystem() as system:
        where = urllib.parse.urlsplit(system.serve_metrics(0))
        with socket.create_connection((where.hostname, where.port)):
            assert samples(where.geturl())["understudy_actors"]
            system.shutdown()


def test_a_crowd_that_says_nothing_uses_up_neither_descriptors_nor_threads(system, url):
    where, before = urllib.parse.urlsplit(url), threading.active_count()
    crowd = [socket.create_connection((where.hostname, where.port)) for _ in range(4 * SCRAPES)]
    try:
        for one in crowd[-SCRAPES:]:  # each found no room, and was sent away
            one.settimeout(20)
            assert one.recv(1) == b""
        assert threading.active_count() - before <= SCRAPES
    finally:
        for one in crowd:
            one.close()
    assert until(lambda: served(url), 20, "room for a scrape")


def served(url):
    try:
        return samples(url)
    except OSError:  # no room yet
        return None


def test_other_addresses_are_served_and_told():
    with ActorSystem() as system:
        try:
            url = system.serve_metrics(0, "::1")
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        assert url.startswith("http://[::1]:")
        assert samples(url)["understudy_spawned_total"] == {(): 0}


NOWHERE: list[tuple[Any, Any, str]] = [
    (-1, "127.0.0.1", r"port=-1: a number from 0"),
    (65536, "127.0.0.1", r"port=65536: "),
    ("9100", "127.0.0.1", r"port='9100': "),
    (True, "127.0.0.1", r"port=True: "),
    (0, "no such host", r"addr='no such host' is no address to listen at"),
    (0, None, r"addr=None: the address to listen at, as text"),
]


def test_what_is_no_port_or_address_is_refused(system):
    for port, addr, words in NOWHERE:
        with pytest.raises(ConfigError, match=words):
            system.serve_metrics(port, addr)


def test_a_port_that_is_taken_is_named(system):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=rf"metrics cannot be served at 127\.0\.0\.1:{port}: Address already in use"):
            system.serve_metrics(port)


def test_a_path_of_any_kind_gets_an_answer_and_a_word_that_is_no_request_none(system, url):
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)
    connection.request("DELETE", "/metrics")
    assert connection.getresponse().status == 405
    connection.close()
    with socket.create_connection((str(where.hostname), where.port or 0), timeout=20) as raw:
        raw.sendall(b"\x00\xff garbage\r\n\r\n")
        raw.recv(1000)
    assert samples(url)["understudy_actors"]


WITHOUT = """
import sys
sys.modules["prometheus_client"] = None
from understudy import ActorSystem, ConfigError
with ActorSystem() as system:
    try:
        system.serve_metrics(0)
    except ConfigError as error:
        print(error)
"""


def test_without_the_extra_the_error_names_it(tmp_path):
    done = python("-c", WITHOUT, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "metrics need prometheus-client, which is an extra: pip install 'understudy[metrics]'\n"


UNASKED = """
import sys
from understudy import ActorSystem
with ActorSystem():
    pass
print("prometheus_client" in sys.modules)
"""


def test_nothing_of_it_is_imported_before_it_is_asked_for(tmp_path):
    done = python("-c", UNASKED, cwd=tmp_path)
    assert done.stdout == "False\n", done.stderr


def listens(url):
    """Whether this process holds the socket that listens there."""
    port = f"{urllib.parse.urlsplit(url).port:04X}"
    with open("/proc/self/net/tcp") as table:
        inodes = {f"socket:[{line.split()[9]}]" for line in table if line.split()[1].endswith(f":{port}")}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one with which it is listed
            if os.readlink(f"/proc/self/fd/{fd}") in inodes:
                return True
    return False


def test_a_forked_copy_lets_go_of_the_port(system, url):
    assert listens(url), "we hold it"
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(listens(url))
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert samples(url)["understudy_actors"]


def test_the_guide_names_every_metric_and_no_other():
    guide = (ROOT / "docs" / "guides" / "metrics.md").read_text(encoding="utf-8")
    told = {row[0].strip("`").partition("{")[0] for table in tables(guide) for row in table}
    made = {"understudy_info", "understudy_actors", "understudy_actors_held", "understudy_actors_paused"}
    made |= {f"understudy_{name}_total" for name, *_ in (*metrics.COUNTERS, *metrics.SHARES)}
    made |= {f"understudy_actor_{name}_total" for name, *_ in metrics.ACTOR_COUNTERS}
    made |= {f"understudy_actor_{name}" for name, *_ in metrics.ACTOR_GAUGES}
    assert told == made
