"""A flood of output: the actor is held up by nobody but who reads it, and neither side's memory grows."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.stage import noted, parent, tell, until

MB = 1_000_000
SCRIPT = '''
import os, sys
from tests.stage import note
from understudy import ActorSystem, Process

LINE = "x" * 99


def most():
    """MiB that this process had in memory at the most."""
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


class Floods(Process):
    grown = None

    def __init__(self, size, told):
        self.rounds, self.told = size // 400, told
        self.config.num_loops = 1

    def __loop__(self):
        begun = most()
        note(self.told, "begun")
        raw = (LINE + "\\n").encode()
        for _ in range(self.rounds):
            print(LINE)
            print(LINE, file=sys.stderr)
            os.write(1, raw)
            os.write(2, raw)
        self.grown = most() - begun

    def __result__(self):
        return self.grown


def main(size, told, end):
    with ActorSystem() as system:
        ref = system.spawn(Floods, int(size), told, name="floods")
        if end == "wait":
            begun = most()
            grown = ref.result()
            note(told, f"{grown} {most() - begun}")
        else:
            ref.wait_ready(30)
            note(told, len(system.ps()))
            sys.stdin.readline()
            status = ref.stop(grace=0.4) and ref.wait(30)
            note(told, status)


main(*sys.argv[1:])
'''


def grown(told):
    """By how many MiB actor and parent grew."""
    return [int(figure) for figure in noted(told, 2, 300)[1].split()]


def flood_a_file(tmp_path, size):
    told = tmp_path / "told"
    with (
        (tmp_path / "out").open("wb") as out,
        parent(SCRIPT, tmp_path, size, told, "wait", stdout=out, stderr=subprocess.STDOUT) as program,
    ):
        figures = grown(told)
        assert program.wait(60) == 0
    assert (tmp_path / "out").stat().st_size == size
    return figures


def flood_a_slow_reader(tmp_path, size):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, size, told, "wait", stderr=subprocess.STDOUT) as program:
        assert program.stdout is not None
        read = 0
        while piece := os.read(program.stdout.fileno(), 4096):  # a page at a time
            read += len(piece)
        assert program.wait(60) == 0
    assert read == size
    return grown(told)


@pytest.mark.fault("F26")
@pytest.mark.parametrize("flood", [flood_a_file, flood_a_slow_reader])
def test_a_flood_on_both_streams_comes_through_and_grows_nobody(tmp_path, flood):
    assert max(flood(tmp_path, 20 * MB)) < 10


@pytest.mark.soak
@pytest.mark.fault("F26")
@pytest.mark.parametrize("flood", [flood_a_file, flood_a_slow_reader])
def test_a_great_flood_on_both_streams_comes_through_and_grows_nobody(tmp_path, flood):
    assert max(flood(tmp_path, 500 * MB)) < 10


@pytest.mark.fault("F26")
def test_where_nobody_reads_the_actor_waits_alone_and_is_stopped_all_the_same(tmp_path):
    told = tmp_path / "told"
    with parent(SCRIPT, tmp_path, 20 * MB, told, "stop", stderr=subprocess.STDOUT, stdin=subprocess.PIPE) as program:
        assert "1" in noted(told, 2, 60)
        tell(program, "end it")
        assert noted(told, 3, 60)[2] == "FINISHED"
        assert program.stdout is not None
        pipe = program.stdout.fileno()
        until(lambda: not os.read(pipe, 1 << 16), 30, "the end of what was written")
        assert program.wait(60) == 0
