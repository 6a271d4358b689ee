"""Files that grow too long are begun anew: no line is torn, lost or told twice, and nobody waits for a disk."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.stage import until
from understudy import ActorSystem, Exec, Process, Remote, Status
from understudy.wire.turning import is_copy_of, tell_origin

SIZE = 64 << 10
FILE = {"output": "file", "heartbeat.interval": 0.05, "limits.output": SIZE, "restart.backoff.base": 0}
PROGRAM = {"limits.output": SIZE}
KEPT_ALL = {**FILE, "limits.output_files": 100}


@pytest.fixture
def kept(tmp_path, nothing_is_left_behind):
    """A system that keeps its actors' files."""
    opened = ActorSystem(output_dir=tmp_path / "kept")
    yield opened
    opened.shutdown(force=True)


class Numbers(Process):
    """Writes so many numbered lines, as fast as it can or with a pause after each ten; then it has ended."""

    def __init__(self, count, pause=0.0):
        self.count, self.pause = count, pause
        self.config.num_loops = count

    def __loop__(self):
        print(f"{self.current_lap:06d} {'x' * (37 * (self.current_lap % 7))} end")
        if self.pause and self.current_lap % 10 == 0:
            self.sleep(self.pause)


def files_of(path: Path) -> list[Path]:
    """All there are, the oldest first."""
    others = sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=lambda one: -int(one.suffix[1:]))
    return [*others, path]


def numbers_in(*files: Path) -> list[int]:
    """The numbers of whole lines, in the order of the files; a torn line fails."""
    found = []
    for file in files:
        text = file.read_text()
        assert not text or text.endswith("\n"), file
        found += [number_in(line) for line in text.splitlines()]
    return found


def number_in(line: str) -> int:
    number, *_, end = line.split()
    assert end == "end", line[:100]
    return int(number)


@pytest.mark.requirement("S7")
@pytest.mark.fault("F64")
def test_a_flood_goes_to_files_of_that_size_and_no_line_is_torn_or_lost(kept, tmp_path):
    assert kept.spawn(Numbers, 20_000, name="n", config=KEPT_ALL).wait(60) is Status.FINISHED
    files = files_of(tmp_path / "kept" / "n" / "stdout")
    assert len(files) > 20
    assert numbers_in(*files) == list(range(1, 20_001))
    # A file is over with the write that makes it so long; what is printed is written line by line.
    assert all(SIZE <= file.stat().st_size < SIZE + 1000 for file in files[:-1])


@pytest.mark.requirement("S7")
def test_so_many_files_are_kept_as_are_asked_for(kept, tmp_path):
    counts = {"one": 1, "three": 3}
    refs = [
        kept.spawn(Numbers, 5000, name=name, config={**FILE, "limits.output_files": count})
        for name, count in counts.items()
    ]
    assert [ref.wait(60) for ref in refs] == [Status.FINISHED] * 2
    for name, count in counts.items():
        folder = tmp_path / "kept" / name
        names = ["stderr", "stdout", *(f"stdout.{number}" for number in range(1, count))]
        assert sorted(os.listdir(folder)) == names
        found = numbers_in(*files_of(folder / "stdout"))
        assert found == list(range(found[0], 5001))
    endless = kept.spawn(Numbers, 5000, name="endless", config={**FILE, "limits.output": None})
    assert endless.wait(60) is Status.FINISHED
    assert sorted(os.listdir(tmp_path / "kept" / "endless")) == ["stderr", "stdout"]


@pytest.mark.fault("F64")
def test_what_never_ends_a_write_with_a_line_and_what_programs_write_is_turned_as_well(kept, tmp_path):
    class Amid(Process):
        """Each of its writes ends amid a line."""

        def __loop__(self):
            number = self.current_lap
            print(f"{'x' * 200} end\n{number:06d} ", end="")
            if number == 1000:
                print("x end")
                self.stop()

    class Starts(Process):
        def __loop__(self):
            if self.current_lap == 1:
                subprocess.run(["seq", "20000"], check=True)
            self.sleep(0.01)

    assert kept.spawn(Amid, name="amid", config=KEPT_ALL).wait(60) is Status.FINISHED
    files = files_of(tmp_path / "kept" / "amid" / "stdout")
    assert len(files) > 2
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert [int(line.split()[0]) for line in lines[1:]] == list(range(1, 1001))
    assert all(line.endswith(" end") for line in lines)
    ref = kept.spawn(Starts, name="starts", config=FILE)
    old = tmp_path / "kept" / "starts" / "stdout.1"
    until(old.exists, 20, "the look of a beat")
    assert old.read_text().splitlines() == [str(number) for number in range(1, 20_001)]
    ref.kill()


def followed(remote, name, known, cursor):
    """One answer about what came since."""
    found = remote.logs(name, after=cursor)
    known += [number_in(entry.text) for entry in found.entries if entry.stream == "stdout"]
    return found.cursor


@pytest.mark.requirement("S7")
@pytest.mark.fault("F64")
def test_who_follows_loses_nothing_and_is_told_nothing_twice_over_many_turns(kept, tmp_path):
    with Remote(kept.endpoint) as remote:
        cursor = remote.logs("n*").cursor
        # All files are kept, so that no follower can fall behind by more than these.
        ref = kept.spawn(Numbers, 20_000, 0.001, name="n", config=KEPT_ALL)
        known: list[int] = []
        while not ref.done():
            cursor = followed(remote, "n*", known, cursor)
        while known[-1] < 20_000:
            before = len(known)
            cursor = followed(remote, "n*", known, cursor)
            assert len(known) > before
        assert len(files_of(tmp_path / "kept" / "n" / "stdout")) > 20
        assert known == list(range(known[0], 20_001))


def test_the_last_lines_are_told_also_where_they_are_in_the_file_before(kept, tmp_path):
    assert kept.spawn(Numbers, 3000, name="n", config=FILE).wait(60) is Status.FINISHED
    out = tmp_path / "kept" / "n" / "stdout"
    few = len(out.read_text().splitlines())
    with Remote(kept.endpoint) as remote:
        told = [one.text for one in remote.logs("n", lines=few + 100).entries if one.stream == "stdout"]
    assert [number_in(text) for text in told] == list(range(2901 - few, 3001))


@pytest.mark.fault("F64")
def test_somebody_elses_renames_and_removals_go_together_with_turns(kept, tmp_path):
    ref = kept.spawn(Numbers, 10**6, 0.001, name="n", config=KEPT_ALL)
    out = tmp_path / "kept" / "n" / "stdout"
    first = out.with_name("stdout.1")
    until(first.exists, 20, "a turn")
    away = tmp_path / "away"
    out.rename(away)
    until(lambda: out.exists() and out.stat().st_size, 20, "a new file")
    assert (found := numbers_in(away)) == list(range(found[0], found[-1] + 1))
    count = len(files_of(out))
    until(lambda: len(files_of(out)) > count, 20, "a turn of the new file")
    out.unlink()
    until(lambda: out.exists() and out.stat().st_size, 20, "a new file")
    count = len(files_of(out))
    until(lambda: len(files_of(out)) > count, 20, "a turn of that one")
    ref.kill()


def tells(caplog, text: str) -> bool:
    return text in caplog.text


def is_longer(path: Path, size: int) -> bool:
    return path.stat().st_size > size


@pytest.mark.fault("F64")
def test_what_stands_in_the_way_blocks_nobody_and_is_told_once(kept, tmp_path, caplog):
    folder = tmp_path / "kept" / "n"
    (folder / "stdout.1").mkdir(parents=True)
    (tmp_path / "kept" / "p" / "stdout.1").mkdir(parents=True)
    endless = Exec(["sh", "-c", "while seq 100000 100999; do sleep 0.01; done"])
    refs = [
        kept.spawn(Numbers, 10**6, 0.001, name="n", config={**FILE, "limits.output_files": 2}),
        kept.spawn(endless, name="p", config={**PROGRAM, "limits.output_files": 2}),
    ]
    for name in ("n", "p"):
        out, old = (tmp_path / "kept" / name / file for file in ("stdout", "stdout.1"))
        warning = f"{out} is too long, and cannot be begun anew: "
        until(partial(tells, caplog, warning), 20, "the warning")
        until(partial(is_longer, out, out.stat().st_size + SIZE), 20, "more lines")
        old.rmdir()
        until(old.is_file, 20, "a turn, as soon as it can be")
        assert caplog.text.count(warning) == 1
    for ref in refs:
        ref.kill()


@pytest.mark.fault("F64")
def test_on_a_full_disk_and_without_a_directory_programs_and_actors_go_on(tmp_path, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)], check=False).returncode:
        pytest.skip("this user may not mount a disk of his own")
    beats = tmp_path / "beats"
    script = f"while :; do seq 100000 100999; echo >>{beats}; sleep 0.01; done"
    try:
        with ActorSystem(output_dir=disk) as system:
            (disk / "stuff").write_bytes(bytes(200 << 10))
            program = system.spawn(Exec(["sh", "-c", script]), name="p", config={"limits.output": 150 << 10})
            until(lambda: "stdout is too long, and cannot be begun anew: " in caplog.text, 20, "the warning")
            ref = system.spawn(Numbers, 10**6, 0.001, name="n", config=FILE)
            until(lambda: "n/stdout is lost" in caplog.text, 20, "the other warning")
            laps, size = ref.info().completed_laps, beats.stat().st_size
            until(lambda: ref.info().completed_laps > laps + 100, 20, "further laps")
            until(lambda: beats.stat().st_size > size + 10, 20, "further lines of the program")
            subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
            until((disk / "p" / "stdout.1").exists, 20, "a turn, as there is room")
            until((disk / "n" / "stdout.1").exists, 20, "the actor's")
            for name in ("p", "n"):
                (disk / name).rename(disk / f"{name}-away")
            size = beats.stat().st_size
            until(lambda: beats.stat().st_size > size + 10, 20, "further lines of the program")
            until((disk / "n" / "stdout").exists, 20, "a new directory")
            program.kill()
            ref.kill()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.requirement("S7")
@pytest.mark.fault("F64")
def test_a_programs_file_is_copied_and_cut_and_it_goes_on_at_the_beginning(kept, tmp_path):
    gate = tmp_path / "gate"
    writes = f"""
import os, sys, time
def say(first, last):
    for number in range(first, last):
        os.write(1, b"%06d %s end\\n" % (number, b"x" * 60))
say(1, 2000)
while not os.path.exists({str(gate)!r}):
    time.sleep(0.01)
say(2000, 2100)
time.sleep(600)
"""
    ref = kept.spawn(Exec([sys.executable, "-c", writes]), name="p", config=PROGRAM)
    out = tmp_path / "kept" / "p" / "stdout"
    old = out.with_name("stdout.1")

    def seen():
        """What came before the gate, as far as it is in files, and quiet: then nothing is lost."""
        return old.exists() and any("001999" in file.read_text() for file in (old, out)) and out.stat().st_size < SIZE

    until(seen, 20, "a turn behind the last line")
    assert old.stat().st_size >= SIZE
    inode = out.stat().st_ino
    with Remote(kept.endpoint) as remote:
        gate.touch()
        until(lambda: "002099" in out.read_text(), 20, "its further lines")
        assert not out.read_bytes().count(b"\0"), "it is opened to append"
        told = [one.text for one in remote.logs("p", lines=200).entries if one.stream == "stdout"]
    assert [number_in(text) for text in told][-100:] == list(range(2000, 2100))
    assert out.stat().st_ino == inode
    ref.kill()


@pytest.mark.fault("F64")
def test_who_follows_a_program_reads_on_in_the_copy(kept, tmp_path):
    count = 1900  # less than two files: none grows beyond the place where a reader was before the cut
    writes = f"""
import os, time
for number in range(1, {count + 1}):
    os.write(1, b"%06d %s end\\n" % (number, b"x" * 50))
    if number % 20 == 0:
        time.sleep(0.03)
time.sleep(600)
"""
    if not holds_attributes(tmp_path):
        pytest.skip("this file system holds nothing beside a file: what was not read before the cut is passed over")
    with Remote(kept.endpoint) as remote:
        cursor = remote.logs("p*").cursor
        known: list[int] = []
        ref = kept.spawn(Exec([sys.executable, "-c", writes]), name="p", config=PROGRAM)
        while not known or known[-1] < count:
            cursor = followed(remote, "p*", known, cursor)
        until((tmp_path / "kept" / "p" / "stdout.1").exists, 20, "a turn")
        ref.kill()
    assert known == sorted(set(known)), "nothing is told twice"
    # What is written between the end of the copy and the cut is lost: a moment, in which a burst or two may fall.
    assert count - known[0] + 1 - len(known) <= 40


def holds_attributes(folder: Path) -> bool:
    probe = folder / "probe"
    probe.touch()
    with probe.open() as file:
        tell_origin(file.fileno(), 1)
        return is_copy_of(file.fileno(), 1)


class Floods(Process):
    """Writes as fast as it can, until its lap is ended by the deadline."""

    def __init__(self):
        self.config.lives = 25
        self.config.timeouts.loop = 0.05

    def __loop__(self):
        number = 0
        while True:
            number += 1
            print(f"{self.incarnation} {number} {'x' * 40} end")


@pytest.mark.fault("F64")
def test_a_life_that_is_cut_off_amid_a_turn_costs_no_line_but_its_last(kept, tmp_path):
    config = {**KEPT_ALL, "limits.output": 16_384}
    assert kept.spawn(Floods, name="n", config=config).wait(60) is Status.CRASHED
    files = files_of(tmp_path / "kept" / "n" / "stdout")
    lines = [line for file in files for line in file.read_text().splitlines()]
    whole = [line.split() for line in lines if line.endswith(" end")]
    assert len(lines) - len(whole) <= 25, "the last of a life may be cut off"
    assert len(files) > 2
    known: dict[int, list[int]] = {}
    for life, number, *_ in whole:
        known.setdefault(int(life), []).append(int(number))
    assert list(known) == sorted(known)
    for numbers in known.values():
        # Python's buffer does not know whether a write was done that was cut off, and writes again at the end.
        if numbers[-2:-1] == numbers[-1:]:
            del numbers[-1]
        # More than all the files together: what the first lives wrote may be gone.
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
