"""Files and log lines, also where these are replaced, cut, renamed or no files at all."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.waits.programs import Aside, Begun, look_once, running
from understudy import File, LogLine, WaitFailed, wait_until
from understudy.services.waits.watched import Watched
from understudy.waiting import NOBODY, Holds, Log, NotYet, Waiting

pytestmark = pytest.mark.requirement("S3")


class Written:
    """A file that the test writes, and a wait for a line in it, looked at when the test says so."""

    def __init__(self, path: Path, wait: LogLine, logs: dict[str, str | Log] | None = None) -> None:
        self.path = path
        self._subject = Watched(os.getpid(), "web", logs={"stdout": str(path)} if logs is None else logs)
        self._waiting = Waiting(wait, self._subject, None, 0.0)

    def look(self) -> str | None:
        """The line, once it is there."""
        answer = self._waiting.look(0.0)
        while isinstance(answer, NotYet) and answer.within == 0:
            answer = self._waiting.look(0.0)
        return answer.seen if isinstance(answer, Holds) else None

    def add(self, text: str) -> None:
        """Append to it."""
        with self.path.open("a") as file:
            file.write(text)

    def close(self) -> None:
        self._waiting.close()
        self._subject.close()


@pytest.fixture
def written(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(wait, logs=None):
            made = Written(tmp_path / "stdout", wait, logs)
            stack.callback(made.close)
            return made

        yield make


def test_anything_of_that_path_counts_as_a_file(tmp_path):
    path = tmp_path / "it"
    assert look_once(File(path)).seen == f"{path}: No such file or directory"
    path.touch()
    assert look_once(File(path)) == Holds(f"{path} is there")
    path.unlink()
    os.mkfifo(path)
    assert isinstance(look_once(File(path)), Holds)
    assert isinstance(look_once(File(tmp_path)), Holds)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    assert isinstance(look_once(File(link)), NotYet)
    assert look_once(File(path / "below")).seen == f"{path / 'below'}: Not a directory"


def test_a_file_holds_once_its_text_is_in_it_however_it_came_there(tmp_path):
    path = tmp_path / "state"
    path.write_text("begun")
    waiting: Any = Waiting(File(path, contains="réady"), NOBODY, None, 0.0)
    assert waiting.look(0.0).seen == f"'réady' is not among the 5 bytes of {path}"
    before = path.stat()
    path.write_text("réad.")  # over what was there, of the same length and at the same time
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert isinstance(waiting.look(1.0), NotYet)
    (tmp_path / "new").write_text("it is réady")
    (tmp_path / "new").replace(path)
    assert waiting.look(2.0) == Holds(f"{path} contains 'réady'")


def test_no_more_than_the_first_mib_of_a_file_is_looked_at(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 20)
        file.seek(1 << 20)
        file.write(b"ready")
    assert look_once(File(path, contains="ready")).seen.endswith(f"bytes of {path}; no more is looked at")


def test_what_goes_through_a_fifo_is_left_for_its_reader(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(fd, b"ready\n")
        assert look_once(File(path, contains="ready")).seen == f"{path} is no regular file"
        with Watched(os.getpid(), "web", logs={"stdout": str(path)}) as subject:
            assert look_once(LogLine("ready"), subject).seen == f"no line; {path}: no regular file"
        assert os.read(fd, 100) == b"ready\n"
    finally:
        os.close(fd)


def test_a_file_that_a_program_makes_later_is_seen(tmp_path):
    path = tmp_path / "pid"
    with running("import sys; input(); open(sys.argv[1], 'w').write('pid 7'); input()", path) as (program, subject):
        wait = Begun(File(path, contains="pid 7"))
        waits = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50)
        program.tell()
        assert waits.outcome() == f"{path} contains 'pid 7'"


def test_a_line_counts_when_its_end_was_written(written):
    log = written(LogLine(r"^ready at \d+$"))
    assert log.look() is None, "the file is not there yet"
    for piece in ("starting\nrea", "dy a", "t 63"):
        log.add(piece)
        assert log.look() is None
    log.add("90\n")
    assert log.look() == "ready at 6390"


def test_a_line_with_a_carriage_return_or_bytes_of_no_text_is_a_line(written):
    log = written(LogLine("ready$"))
    with log.path.open("wb") as file:
        file.write(b"\xff\xfe ready\r\n")
    assert log.look() == "\ufffd\ufffd ready"


def test_what_an_earlier_life_wrote_does_not_count(tmp_path, written):
    path = tmp_path / "stdout"
    path.write_text("ready\n")
    log = written(LogLine("ready"), {"stdout": Log(str(path), path.stat().st_size)})
    assert log.look() is None
    log.add("ready again\n")
    assert log.look() == "ready again"


def test_a_log_that_is_renamed_amid_a_line_is_read_to_its_end_and_then_the_new_one(written):
    log = written(LogLine("ready$"))
    log.add("one\nalmost rea")
    assert log.look() is None
    log.path.rename(log.path.with_name("stdout.1"))
    assert log.look() is None
    with log.path.with_name("stdout.1").open("a") as old:
        old.write("dy\n")
    assert log.look() == "almost ready", "who holds the old file still writes to it"
    log = written(LogLine("ready$"))
    log.add("two\n")
    assert log.look() is None
    log.path.rename(log.path.with_name("stdout.2"))
    log.add("ready\n")
    assert log.look() == "ready"


def test_a_log_that_is_cut_while_it_is_waited_for_is_read_from_its_beginning(written):
    log = written(LogLine("ready"))
    log.add("a long line that came first\n")
    assert log.look() is None
    os.truncate(log.path, 0)
    assert log.look() is None
    log.add("ready\n")
    assert log.look() == "ready"


def test_a_flood_of_lines_is_read_in_portions_to_the_one_that_counts(written):
    log = written(LogLine("ready$"))
    log.add("x" * 99 + "\n")
    log.add(("x" * 99 + "\n") * 50_000)
    log.add("y" * 3_000_000 + "\n")
    assert log.look() is None
    log.add(("x" * 99 + "\n") * 50_000 + "ready\n")
    assert log.look() == "ready"


def test_each_stream_is_looked_at_where_it_was_asked_for(tmp_path, written):
    out, err = tmp_path / "stdout", tmp_path / "stderr"
    logs = {"stdout": str(out), "stderr": str(err)}
    err.write_text("ready\n")
    out.write_text("")
    assert written(LogLine("ready", stream="stdout"), logs).look() is None
    assert written(LogLine("ready", stream="stderr"), logs).look() == "ready"
    assert written(LogLine(re.compile("READY", re.IGNORECASE)), logs).look() == "ready"


def test_where_output_goes_to_no_file_it_is_said_at_once():
    with running() as (_, subject):
        with pytest.raises(WaitFailed, match=re.escape("the stdout or stderr of web goes to no file")):
            wait_until(LogLine("ready", timeout=1000), subject)
        with pytest.raises(WaitFailed, match="the stderr of nobody goes to no file"):
            wait_until(LogLine("ready", stream="stderr", timeout=1000))


def test_a_timeout_says_what_line_was_the_last(written, tmp_path):
    log = written(LogLine("never"))
    log.add("one\ntwo\n")
    with Watched(os.getpid(), "web", logs={"stdout": str(log.path)}) as subject:
        assert look_once(LogLine("never"), subject).seen == "2 lines, the last 'two'"
        log.path.unlink()
        assert look_once(LogLine("never"), subject).seen == f"no line; {log.path}: No such file or directory"


def test_a_line_that_a_program_writes_later_is_seen(tmp_path):
    path = tmp_path / "stdout"
    code = "import sys; sys.stdout = open(sys.argv[1], 'w'); input(); print('listening on 80', flush=True); input()"
    with running(code, path) as (program, _), Watched(program.pid, "web", logs={"stdout": str(path)}) as subject:
        wait = Begun(LogLine("listening on (80|443)"))
        waits = Aside(lambda: wait_until(wait, subject))
        assert wait.begun.wait(50)
        program.tell()
        assert waits.outcome() == "listening on 80"
