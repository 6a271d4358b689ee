"""A file of an actor's is a file, or it is refused at once."""

from __future__ import annotations

import os

import pytest

from understudy.wire import regular


@pytest.mark.fault("F64")
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT])
def test_a_pipe_under_the_name_is_refused_without_a_wait(tmp_path, flags):
    os.mkfifo(tmp_path / "stdout")
    with pytest.raises(OSError, match=r"no regular file|No such device"):
        regular.opened(str(tmp_path / "stdout"), flags)


@pytest.mark.fault("F64")
def test_a_pipe_that_somebody_reads_is_refused_as_well(tmp_path):
    os.mkfifo(tmp_path / "stdout")
    reader = os.open(tmp_path / "stdout", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="no regular file"):
            regular.opened(str(tmp_path / "stdout"), os.O_WRONLY)
    finally:
        os.close(reader)


def test_a_file_is_opened_and_blocks_as_files_do(tmp_path):
    fd = regular.opened(str(tmp_path / "stdout"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        assert os.get_blocking(fd)
        assert not os.get_inheritable(fd)
        os.write(fd, b"said\n")
    finally:
        os.close(fd)
    assert (tmp_path / "stdout").read_bytes() == b"said\n"
