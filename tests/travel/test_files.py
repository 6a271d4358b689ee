"""Open files are opened again where they stood, by their names, and are never truncated; memory travels as memory."""

from __future__ import annotations

import io
import logging
import mmap
import os
import sys
import tempfile

import numpy as np
import pytest

from tests.travel.carrying import Kind, carry

pytestmark = pytest.mark.requirement("P10")

LINES = "one\ntwo\nthree\nfour\n"


def opened(mode, text=LINES, *, at=0, name="file", **options):
    """Makes a file of that text, opened so, at that place."""

    def make(folder):
        path = folder / name
        path.write_bytes(text.encode(options.get("encoding") or "utf-8"))
        file = open(path, mode, **options)
        if at:
            file.read(at)
        return file

    return make


def rest(file):
    with file:
        return file.read()


def place(file):
    return file.tell()


def writing(mode, words="begun ", **options):
    def make(folder):
        file = open(folder / "file", mode, **options)
        file.write(words if "b" not in mode else words.encode())
        return file

    return make


def go_on(file):
    with file:
        text = isinstance(file, io.TextIOBase)
        file.write("there" if text else b"there")
        name = file.name
    with open(name, "rb") as again:
        return again.read()


def content(file):
    file.flush()
    with open(file.name, "rb") as again:
        return again.read()


class Both:
    """A text and what lies under it."""

    def __init__(self, text):
        self.buffer, self.text, self.close = text.buffer, text, text.close


def of_one_file(both):
    same = both.text.buffer is both.buffer
    with both.text as file:
        return same, file.readline()


def string_at(kind, value, at):
    made = kind(value)
    made.seek(at)
    return made


def named_temporary(folder):
    made = tempfile.NamedTemporaryFile(dir=folder)
    made.write(b"kept")
    made.flush()
    return made


def add_to_temporary(made):
    with made:
        made.write(b" and more")
    return os.path.exists(made.name)


def spooled(folder):
    made = tempfile.SpooledTemporaryFile(max_size=100)
    made.write(b"in memory")
    made.seek(3)
    return made


class Folder:
    """Holds a temporary directory, and ends it as files are closed."""

    def __init__(self, parent):
        self.directory = tempfile.TemporaryDirectory(dir=parent)

    def close(self):
        assert os.path.isdir(self.directory.name), "it was deleted in the child"
        self.directory.cleanup()


def use_folder(folder):
    path = os.path.join(folder.directory.name, "note")
    with open(path, "w") as file:
        file.write("note")
    return os.listdir(folder.directory.name)


def iterated_binary(folder):
    file = opened("rb")(folder)
    next(file)
    return file


def mapped(access, **options):
    def make(folder):
        path = folder / "map"
        path.write_bytes(b"abcdefgh" * 512 + b"ABCDEFGH" * 512)
        with open(path, "r+b") as file:
            made = mmap.mmap(file.fileno(), 0, access=access, **options)
        made.seek(5)
        return made

    return make


def write_into_map(made):
    made[0:1] = b"X"
    return made.tell(), made.read(2), len(made)


def array_on_disk(mode):
    def make(folder):
        path = folder / "array"
        np.arange(100, dtype="<i4").tofile(path)
        return np.memmap(path, dtype="<i4", mode=mode, offset=40, shape=(9, 10))

    return make


def change(array):
    first = int(array[0, 0])
    array[0, 0] = -1
    array.flush()
    return first, type(array).__name__, array.shape


def seen_here(array):
    return int(array[0, 0])


def appending_handler(folder):
    handler = logging.FileHandler(folder / "log", mode="w")
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.emit(logging.makeLogRecord({"msg": "here", "levelname": "INFO"}))
    return handler


def log_there(handler):
    handler.handle(logging.makeLogRecord({"msg": "there", "levelname": "INFO", "levelno": 20}))
    handler.close()
    with open(handler.baseFilename) as file:
        return file.read()


KINDS = [
    Kind("text", opened("r"), rest, LINES, place, 0),
    Kind("text at a line", opened("r", at=4), rest, LINES[4:], place, 4),
    Kind("text at its end", opened("r", at=100), rest, "", place, len(LINES)),
    Kind("text in utf-16", opened("r", at=5, encoding="utf-16"), rest, LINES[5:]),
    Kind("text in utf-8 with signature", opened("r", "äöü\n", at=1, encoding="utf-8-sig"), rest, "öü\n"),
    Kind("text of many bytes", opened("r", "äöü\n", at=2, encoding="utf-8"), rest, "ü\n"),
    Kind(
        "text that replaces", opened("r", "plain\n", encoding="ascii", errors="replace"), lambda f: f.errors, "replace"
    ),
    *(
        Kind(f"text with newline={newline!r}", opened("r", "a\r\nb\rc\n", at=1, newline=newline), rest, gives)
        for newline, gives in [
            (None, "\nb\nc\n"),
            ("", "\r\nb\rc\n"),
            ("\n", "\r\nb\rc\n"),
            ("\r", "\r\nb\rc\n"),
            ("\r\n", "\r\nb\rc\n"),
        ]
    ),
    Kind("text to iterate", opened("r", newline="\r\n"), list, [LINES]),
    Kind("binary", opened("rb", at=4), rest, LINES[4:].encode(), place, 4),
    Kind("binary that was iterated", iterated_binary, rest, LINES[4:].encode(), place, 4),
    Kind("raw", opened("rb", at=4, buffering=0), rest, LINES[4:].encode(), place, 4),
    Kind("text and its buffer", lambda f: Both(opened("r", at=4)(f)), of_one_file, (True, "two\n")),
    Kind("appending", writing("a"), go_on, b"begun there", content, b"begun there"),
    Kind("writing", writing("w"), go_on, b"begun there", content, b"begun there"),
    Kind("writing exclusively", writing("x"), go_on, b"begun there", content, b"begun there"),
    Kind("writing binary", writing("wb"), go_on, b"begun there", content, b"begun there"),
    Kind("writing raw", writing("wb", buffering=0), go_on, b"begun there", content, b"begun there"),
    Kind("writing lines", writing("w", "a\n", newline="\r\n"), go_on, b"a\r\nthere", content, b"a\r\nthere"),
    Kind("writing in utf-16", writing("w", "a", encoding="utf-16-le"), go_on, b"a\0t\0h\0e\0r\0e\0"),
    Kind("reading and writing", opened("r+", at=4), go_on, b"one\ntherehree\nfour\n"),
    Kind("reading and writing binary", opened("r+b", at=4), go_on, b"one\ntherehree\nfour\n"),
    Kind("line buffered", writing("w", "a\n", buffering=1), lambda file: (file.line_buffering, file.mode), (True, "w")),
    Kind("null device", lambda _: open(os.devnull, "w"), lambda file: file.write("lost"), 4),
    Kind("string buffer", lambda _: string_at(io.StringIO, "abc", 1), rest, "bc", place, 1),
    Kind("bytes buffer", lambda _: string_at(io.BytesIO, b"abc", 1), rest, b"bc", place, 1),
    Kind(
        "text over bytes",
        lambda _: io.TextIOWrapper(io.BytesIO(b"a\nb\n"), "ascii"),
        lambda f: f.readlines(),
        ["a\n", "b\n"],
    ),
    Kind("standard output", lambda _: [sys.stdout], lambda stream: stream[0] is sys.stdout, True),
    Kind("standard error", lambda _: [sys.stderr], lambda stream: stream[0] is sys.stderr, True),
    Kind("standard input", lambda _: [sys.__stdin__], lambda stream: stream[0] is sys.__stdin__, True),
    Kind("buffer of an output", lambda _: [sys.__stdout__.buffer], lambda one: one[0] is sys.__stdout__.buffer, True),
    Kind("bound method of a file", lambda _: [sys.stdout.write], lambda write: write[0]("") in {0, None}, True),
    Kind("named temporary file", named_temporary, add_to_temporary, True, content, b"kept and more"),
    Kind("spooled temporary file", spooled, rest, b"memory"),
    Kind("temporary directory", Folder, use_folder, ["note"]),
    Kind("map", mapped(mmap.ACCESS_WRITE), write_into_map, (5, b"fg", 8192), lambda made: made[0:2], b"Xb"),
    Kind("map to read", mapped(mmap.ACCESS_READ), lambda made: made.read(3), b"fgh", place, 5),
    Kind("map of a part", mapped(mmap.ACCESS_READ, offset=4096), lambda made: (len(made), made[:3]), (4096, b"ABC")),
    Kind("array on disk", array_on_disk("r+"), change, (10, "memmap", (9, 10)), seen_here, -1),
    Kind("array on disk to read", array_on_disk("r"), lambda array: int(array[8, 9]), 99),
    Kind(
        "part of an array on disk",
        lambda f: array_on_disk("r+")(f)[2:3],
        change,
        (30, "memmap", (1, 10)),
        seen_here,
        -1,
    ),
    Kind("private array on disk", array_on_disk("c"), lambda a: (int(a.sum()), type(a).__name__), (4905, "ndarray")),
    Kind("log handler of a file", appending_handler, log_there, "INFO here\nINFO there\n"),
]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    return carry(KINDS, tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_is_opened_again_where_it_stood(kind, verdicts):
    assert not verdicts[kind.name]
