"""Files of an actor's own for what it writes: appended over lives, opened anew when renamed, and no reason to fail."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stage import hold, note, noted, notes, report_of, running, until
from understudy import ActorDied, ActorSystem, ConfigError, Health, Process, Remote, Status

FILE = {"output": "file", "heartbeat.interval": 0.05, "restart.backoff.base": 0}


@pytest.fixture
def kept(tmp_path, nothing_is_left_behind):
    """A system that keeps its actors' files."""
    opened = ActorSystem(output_dir=tmp_path / "kept")
    yield opened
    opened.shutdown(force=True)


def lines_of(folder, stream):
    return notes(Path(folder) / stream)


class Speaks(Process):
    """Says on both streams what it and a program that it starts have to say."""

    def __init__(self, crashes=0):
        self.crashes = crashes
        self.config.num_loops = 1
        self.config.lives = crashes + 1

    def __loop__(self):
        print("out", self.incarnation)
        print("err", self.incarnation, file=sys.stderr)
        os.write(1, b"raw out\n")
        subprocess.run(["sh", "-c", "echo their out; echo their err >&2"], check=True)
        if self.incarnation <= self.crashes:
            sys.stdout.write("the last word, without an end")
            raise ValueError("another life")


@pytest.mark.requirement("C3", "S7")
def test_both_streams_of_all_lives_and_of_what_an_actor_starts_are_in_its_files(capfd, host, tmp_path):
    with ActorSystem(output_dir=tmp_path / "kept") as system:  # in here, for what is captured is another file before
        ref = system.spawn(Speaks, crashes=1, name="crew/speaker", host=host, config=FILE)
        assert ref.wait(30) is Status.FINISHED
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    folder = tmp_path / "kept" / "crew" / "speaker"
    assert lines_of(folder, "stdout") == [
        "out 1",
        "raw out",
        "their out",
        "the last word, without an end",
        "out 2",
        "raw out",
        "their out",
    ]
    assert [line for line in lines_of(folder, "stderr") if "err" in line.split()] == [
        "err 1",
        "their err",
        "err 2",
        "their err",
    ]
    with ActorSystem(output_dir=tmp_path / "kept") as system:
        system.spawn(Speaks, name="crew/speaker", host=host, config=FILE).wait(30)
    assert lines_of(folder, "stdout")[7:] == ["out 1", "raw out", "their out"]


def test_without_a_directory_to_keep_them_in_they_go_with_the_system(system):
    ref = system.spawn(Speaks, config=FILE)
    ref.wait(30)
    folder = Path(system.endpoint.removeprefix("ipc://")) / "actors" / str(ref.uid)
    assert lines_of(folder, "stdout") == ["out 1", "raw out", "their out"]
    system.shutdown()
    assert not folder.exists()


def test_the_streams_of_the_parent_are_inherited_unless_files_are_asked_for(capfd, tmp_path):
    with ActorSystem(output_dir=tmp_path / "kept") as system:
        system.spawn(Speaks).wait(30)
    # What Python buffers is written at the end.
    assert sorted(capfd.readouterr().out.splitlines()) == ["out 1", "raw out", "their out"]
    assert list((tmp_path / "kept").iterdir()) == []


def test_lines_are_there_as_soon_as_they_are_written(kept, tmp_path):
    class Prints(Process):
        def __loop__(self):
            print("first")
            self.sleep(600)

    ref = kept.spawn(Prints, name="p", config=FILE)
    assert noted(tmp_path / "kept" / "p" / "stdout") == ["first"]
    ref.kill()


class Numbers(Process):
    """Writes numbered lines, long and short, until it is stopped; tells the last one."""

    last = 0

    def __init__(self, width=10):
        self.width = width

    def __loop__(self):
        self.last += 1
        print(f"{self.last:06d} {'x' * (self.width * (self.last % 3))} end")
        if self.last % 50 == 0:
            self.sleep(0.002)

    def __result__(self):
        return self.last


def numbers_in(*files):
    """The numbers of whole lines, in the order of the files; a torn line fails."""
    found = []
    for file in files:
        text = file.read_text()
        assert not text or text.endswith("\n"), file
        for line in text.splitlines():
            number, *_, end = line.split()
            assert end == "end", line[:100]
            found.append(int(number))
    return found


@pytest.mark.fault("F64")
@pytest.mark.parametrize("width", [10, 20_000])
def test_a_file_that_is_renamed_is_opened_anew_and_no_line_is_torn_or_lost(kept, tmp_path, width):
    ref = kept.spawn(Numbers, width, name="n", config=FILE)
    out = tmp_path / "kept" / "n" / "stdout"
    olds = [out.with_name(f"stdout.{number}") for number in range(3)]
    for old in olds:
        until(lambda: out.exists() and out.stat().st_size, 20, "lines")
        out.rename(old)
    until(lambda: out.exists() and out.stat().st_size, 20, "lines in a new file")
    ref.stop()
    last = ref.result(30)
    assert numbers_in(*olds, out) == list(range(1, last + 1))


@pytest.mark.fault("F64")
def test_files_and_their_directory_are_made_anew_when_they_are_removed(kept, tmp_path):
    ref = kept.spawn(Numbers, name="n", config=FILE)
    folder = tmp_path / "kept" / "n"
    until(lambda: lines_of(folder, "stdout"), 20, "lines")
    for name in ("stdout", "stderr"):
        (folder / name).unlink()
    folder.rmdir()
    until(lambda: lines_of(folder, "stdout"), 20, "lines in a new file")
    ref.stop()
    last = ref.result(30)
    assert numbers_in(folder / "stdout")[-1] == last


@pytest.mark.fault("F64")
def test_where_there_is_no_room_nobody_is_blocked_or_fails_and_it_is_told(kept, tmp_path, caplog):
    class Fills(Process):
        """May write so much, then nothing; until it is allowed more."""

        def __init__(self, gate):
            self.gate = gate
            self.lines = 0

        def __preloop__(self):
            if self.current_lap == 1:
                most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                resource.setrlimit(resource.RLIMIT_FSIZE, (2000, most))

        def __loop__(self):
            self.lines += 1
            print(f"{self.lines:06d} {'x' * 50} end")
            if os.path.exists(self.gate):
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            self.sleep(0.001)

        def __result__(self):
            return self.lines

    ref = kept.spawn(Fills, tmp_path / "gate", name="f", config=FILE)
    out = tmp_path / "kept" / "f" / "stdout"
    until(lambda: "is lost: File too large" in caplog.text, 20, "the warning")
    laps = ref.info().completed_laps
    until(lambda: ref.info().completed_laps > laps + 100, 20, "further laps")
    assert out.stat().st_size <= 2000
    (tmp_path / "gate").touch()
    until(lambda: out.stat().st_size > 4000, 20, "room")
    until(lambda: "nothing more is lost" in caplog.text, 20, "the good news")
    ref.stop()
    last = ref.result(30)
    whole = [line for line in out.read_text().splitlines() if line.endswith(" end")]
    assert (int(whole[0].split()[0]), int(whole[-1].split()[0])) == (1, last)
    torn = [line for line in out.read_text().splitlines() if not line.endswith(" end")]
    assert len(torn) <= 1, "the one that was cut off stands alone"
    assert caplog.text.count("is lost: File too large") == 1


def test_a_directory_that_cannot_be_had_leaves_the_parents_streams_and_is_told(capfd, tmp_path, caplog):
    with ActorSystem(output_dir=tmp_path) as system:
        (tmp_path / "s").write_text("in the way")
        ref = system.spawn(Numbers, name="s", config=FILE)
        until(lambda: "stdout stays the parent's" in caplog.text, 20, "the warning")
        ref.stop()
        assert ref.wait(30) is Status.FINISHED
    assert "000001" in capfd.readouterr().out


def test_actors_whose_names_are_like_those_of_files_have_files_of_their_own(kept, tmp_path):
    for name in ("a/stdout", "a", "a/stderr.1/stdout", "stdout"):
        assert kept.spawn(print, name, name=name, config=FILE).wait(30) is Status.FINISHED
    paths = [path for path in (tmp_path / "kept").rglob("stdout") if path.is_file()]
    found = {str(path.relative_to(tmp_path / "kept")): path.read_text() for path in paths}
    assert found == {
        "a/stdout": "a\n",
        "a/_stdout/stdout": "a/stdout\n",
        "a/_stderr.1/_stdout/stdout": "a/stderr.1/stdout\n",
        "stdout/stdout": "stdout\n",
    }
    with Remote(kept.endpoint) as remote:
        texts = [(entry.name, entry.text) for entry in remote.logs(["a/stdout", "a"]).entries]
    assert texts == [("a/stdout", "a/stdout"), ("a", "a")]


def test_long_lines_of_several_writers_are_whole(kept, tmp_path):
    class Long(Process):
        def __loop__(self):
            if self.current_lap == 1:
                streams: list[Any] = [sys.stdout, sys.stderr]
                for number, stream in enumerate(streams, 1):
                    note(tmp_path / "begun", f"{number} {stream.buffer.raw._torn}")
            print(str(self.current_lap % 10) * 100_000)
            print("binary" * 5_000, file=sys.stderr)

    # Two systems, for in one a name belongs to one living actor.
    with ActorSystem(output_dir=tmp_path / "kept") as other:
        refs = [
            each.spawn(Long, name="n", config={**FILE, "num_loops": 100, "limits.output": None})
            for each in (kept, other)
        ]
        assert [ref.wait(50) for ref in refs] == [Status.FINISHED] * 2
    # Who opens the file amid a write of the other finds no end of a line there, and begins with one: an empty line.
    amid = notes(tmp_path / "begun")
    assert len(amid) == 4
    out, err = (lines_of(tmp_path / "kept" / "n", stream) for stream in ("stdout", "stderr"))
    assert (out.count(""), err.count("")) == (amid.count("1 True"), amid.count("2 True"))
    whole = [line for line in out if line]
    assert len(whole) == 200
    assert {(len(line), len(set(line))) for line in whole} == {(100_000, 1)}
    assert [line for line in err if line] == ["binary" * 5_000] * 200


def test_bytes_that_python_streams_are_given_are_not_kept_for_long(kept, tmp_path):
    class Raw(Process):
        def __loop__(self):
            for _ in range(200):
                sys.stdout.buffer.write(b"a line of bytes, one of many that are alike\n")
            hold(tmp_path / "gate")
            self.stop()

    ref = kept.spawn(Raw, name="n", config=FILE)
    until(lambda: len(lines_of(tmp_path / "kept" / "n", "stdout")) > 150, 20, "most of them")
    (tmp_path / "gate").touch()
    assert ref.wait(30) is Status.FINISHED
    assert len(lines_of(tmp_path / "kept" / "n", "stdout")) == 200


def test_what_the_users_code_led_elsewhere_is_let_be(kept, tmp_path):
    class Redirects(Process):
        def __loop__(self):
            if self.current_lap == 1:
                fd = os.open(tmp_path / "own", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(fd, 1)
                note(tmp_path / "told", "led")
            print("line", self.current_lap)
            self.sleep(0.01)

    ref = kept.spawn(Redirects, name="r", config=FILE)
    noted(tmp_path / "told")
    (tmp_path / "kept" / "r" / "stdout").unlink()
    size = len(notes(tmp_path / "own"))
    laps = ref.info().completed_laps
    until(lambda: ref.info().completed_laps > laps + 50, 20, "laps of several beats")
    assert len(notes(tmp_path / "own")) > size
    assert not (tmp_path / "kept" / "r" / "stdout").exists()
    ref.kill()


def words():
    print("in python", file=sys.stderr)
    subprocess.run(["sh", "-c", "echo of another program >&2"], check=True)
    os.write(2, b"past python\n")


def falls_by_itself():
    words()
    ctypes.string_at(0)


def exits():
    words()
    os._exit(3)


def raises():
    words()
    raise ValueError("as told")


@pytest.mark.requirement("H6")
@pytest.mark.parametrize("act", [falls_by_itself, exits, raises])
def test_the_report_of_a_death_has_all_lines_of_its_stderr(system, host, act):
    ref = system.spawn(act, host=host, config=FILE)
    error = ref.exception(30)
    assert report_of(error).stderr[:3] == ("in python", "of another program", "past python")
    assert isinstance(error, ActorDied) or act is raises


@pytest.mark.requirement("H6")
def test_the_report_of_each_life_has_the_lines_of_that_life_alone(kept):
    def fails(process):
        print("life", process.incarnation, file=sys.stderr)
        raise ValueError("another")

    class Fails(Process):
        def __loop__(self):
            fails(self)

    ref = kept.spawn(Fails, name="f", config={**FILE, "lives": 3})
    ref.wait(30)
    assert [life.report.stderr for life in ref.history()] == [("life 1",), ("life 2",), ("life 3",)]
    again = kept.spawn(Fails, name="f", config=FILE)
    again.wait(30)
    assert [life.report.stderr for life in again.history()] == [("life 1",)]


def test_a_copy_that_the_users_code_forks_writes_to_the_same_file(system):
    class Forks(Process):
        def __loop__(self):
            print("before")
            pid = os.fork()
            if pid == 0:
                print("from the copy")
                os._exit(0)
            os.waitpid(pid, 0)
            print("after")
            self.stop()

    ref = system.spawn(Forks, config=FILE)
    ref.wait(30)
    folder = Path(system.endpoint.removeprefix("ipc://")) / "actors" / str(ref.uid)
    assert lines_of(folder, "stdout") == ["before", "from the copy", "after"]


def test_a_place_that_is_no_directory_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    places: list[Any] = [tmp_path / "file", 17, "nul\0"]
    for bad in places:
        with pytest.raises(ConfigError, match="output_dir="):
            ActorSystem(output_dir=bad)


def test_a_restart_appends_and_another_target_has_its_own_setting(kept, tmp_path):
    ref = kept.spawn(Numbers, name="n", config=FILE)
    running(ref)
    out = tmp_path / "kept" / "n" / "stdout"
    until(lambda: notes(out), 20, "lines")
    ref.restart()
    until(lambda: out.read_text().count("000001 ") == 2, 20, "the next life's first line")
    ref.stop()
    last = ref.result(30)
    assert numbers_in(out)[-1] == last


@pytest.mark.fault("F64")
def test_on_a_full_disk_an_actor_goes_on_and_no_line_is_torn_when_there_is_room_again(tmp_path, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False).returncode:
        pytest.skip("this user may not mount a disk of his own")

    class Writes(Process):
        lines = 0

        def __loop__(self):
            self.lines += 1
            print(f"{self.lines:06d} {'x' * 700} end")
            self.sleep(0.001)

        def __result__(self):
            return self.lines

    try:
        with ActorSystem(output_dir=disk) as system:
            ref = system.spawn(Writes, name="w", config=FILE)
            until(lambda: "is lost: No space left on device" in caplog.text, 20, "the warning")
            laps = ref.info().completed_laps
            until(lambda: ref.info().completed_laps > laps + 50, 20, "further laps")
            subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
            until(lambda: "nothing more is lost" in caplog.text, 20, "room")
            ref.stop()
            last = ref.result(20)
        text = (disk / "w" / "stdout").read_text()
        torn = [line for line in text.splitlines() if not (line.endswith(" end") and len(line) == 711)]
        assert last > laps + 50
        assert len(torn) <= 2, "what was cut off stands alone"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_module_that_holds_the_zygotes_stream_writes_to_the_file_too(tmp_path, monkeypatch):
    (tmp_path / "holds_out.py").write_text("import sys\nout, err = sys.stdout, sys.stderr\n")
    monkeypatch.syspath_prepend(tmp_path)

    def speaks():
        import holds_out  # type: ignore[import-not-found]

        print("out of a module", file=holds_out.out)
        print("err of a module", file=holds_out.err)

    with ActorSystem(output_dir=tmp_path, preload=["holds_out"]) as system:
        system.spawn(speaks, name="s", config=FILE).wait(20)
    assert lines_of(tmp_path / "s", "stdout") == ["out of a module"]
    assert lines_of(tmp_path / "s", "stderr") == ["err of a module"]


@pytest.mark.fault("F64")
def test_a_pipe_in_the_place_of_its_file_holds_up_neither_the_actor_nor_who_asks_for_its_logs(kept, tmp_path):
    class Chatters(Process):
        def __loop__(self):
            print("lap", self.current_lap)
            self.sleep(0.01)

    ref = kept.spawn(Chatters, name="chatty", config=FILE)
    path = tmp_path / "kept" / "chatty" / "stdout"
    noted(path)
    path.rename(path.with_name("before"))
    os.mkfifo(path)
    before = ref.info().completed_laps
    until(lambda: ref.info().completed_laps > before + 50, 20, "further laps")
    with Remote(kept.endpoint, timeout=20) as remote:
        assert remote.logs("chatty", lines=5) is not None
        assert remote.info("chatty").health is Health.HEALTHY
    path.unlink()
    noted(path)
