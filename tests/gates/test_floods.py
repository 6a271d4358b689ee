"""Floods cost the parent next to nothing: of connections by those who hold no key, of topics by those who do."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from contextlib import contextmanager

import psutil
import pytest
import zmq

from tests.gates.far import Far
from tests.stage import ROOT, until
from understudy.wire.keyring import read_key

LIMIT, PORTS = 2_048, 3
MOST = LIMIT - 100
"""Descriptors of the system at any time: the thread that looks after them may come late on a busy machine."""


@contextmanager
def program(*words):
    command = [sys.executable, "-m", "tests.gates.flooded", *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.communicate(timeout=60)


@pytest.mark.fault("F54")
@pytest.mark.parametrize(
    ("word", "count"), [("flood", 2_500), ("babble", 2_500), pytest.param("flood", 5_000, marks=pytest.mark.soak)]
)
def test_a_flood_of_connections_that_prove_nothing_exhausts_no_descriptors_and_keeps_nobody_out(
    word, count, keyring, nothing_is_left_behind
):
    with program("serve", keyring.directory, LIMIT) as served:
        endpoint = served.stdout.readline().strip()
        first = Far(endpoint, read_key(keyring.key_path("carl")))
        stream = first.follow()
        seen, over = [], threading.Event()

        def look():
            while not over.wait(0.01):
                seen.append(len(os.listdir(f"/proc/{served.pid}/fd")))

        counts = threading.Thread(target=look)
        counts.start()
        try:
            with program(word, endpoint.rpartition(":")[2], count, PORTS) as flooding:
                assert flooding.stdout.readline() == "flooded\n"
                for number in range(5):
                    client = Far(endpoint, read_key(keyring.key_path("eve")))
                    assert client.value("hello")["user"] == "eve"
                    client.follow().until(lambda event: event["kind"] == "tick")
                    served.stdin.write(f"word {number}\n")
                    served.stdin.flush()
                    assert served.stdout.readline() == f"WORD {number}\n"
                    client.close()
                assert first.ask("ps")["ok"]
                stream.until(lambda event: event["kind"] == "tick")
                assert flooding.poll() is None
        finally:
            over.set()
            counts.join()
        assert max(seen) < MOST
        first.close()


@pytest.mark.fault("F50")
@pytest.mark.fault("F52")
@pytest.mark.parametrize("word", [b"\x01", b"no subscription"])
def test_a_flood_of_topics_grows_nobody_and_ends_only_the_connection_by_which_it_comes(word, system, far, audit):
    eve, carl = far("eve"), far("carl")
    reads, wide = carl.follow(), carl.follow(*(b"worker-%d|" % number for number in range(900)))
    floods = eve.socket(zmq.XSUB, eve.value("hello")["stream"], reconnect_ivl=-1, sndtimeo=50)
    hears = floods.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    memory = psutil.Process(os.getpid()).memory_info
    before, sent = memory().rss, 0
    while not hears.poll(0) and sent < 200_000:  # which would be 1.6 GB
        try:
            floods.send(word + secrets.token_bytes(100))
            sent += 1
        except zmq.Again:
            break
    assert hears.poll(20_000)
    until(lambda: any("what eve subscribes to beyond" in record.getMessage() for record in audit()))
    assert memory().rss - before < 200 << 20
    assert eve.ask("ps")["ok"]
    for stream in (reads, wide):
        stream.seen.clear()
        stream.until(lambda event: event["kind"] == "tick")
    floods.disable_monitor()
    hears.close(0)
