"""Connections without end, by those who hold no key, keep neither clients out nor actors from being spawned."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from tests.gates.far import Far
from tests.stage import ROOT
from understudy.wire.keyring import read_key

LIMIT, FLOOD, PORTS = 2_048, 2_500, 3
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
def test_a_flood_of_connections_that_say_nothing_exhausts_no_descriptors_and_keeps_nobody_out(
    keyring, nothing_is_left_behind
):
    with program("serve", keyring.directory, LIMIT) as served:
        endpoint = served.stdout.readline().strip()
        first = Far(endpoint, read_key(keyring.key_path("carl")))
        stream = first.follow()
        seen, over = [], threading.Event()

        def count():
            while not over.wait(0.01):
                seen.append(len(os.listdir(f"/proc/{served.pid}/fd")))

        counts = threading.Thread(target=count)
        counts.start()
        try:
            with program("flood", endpoint.rpartition(":")[2], FLOOD, PORTS) as flooding:
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
