"""What cannot travel is refused by spawn: with the whole path, the type and what to do, and without a trace."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import ctypes
import functools
import gzip
import hashlib
import hmac
import io
import itertools
import logging
import logging.handlers
import mmap
import multiprocessing
import multiprocessing.connection
import multiprocessing.shared_memory
import os
import pty
import queue
import re
import select
import selectors
import socket
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import types
import weakref
import zipfile
import zlib

import numpy as np
import pytest

from understudy import ActorSystem, Process, SerializationError
from understudy.wire.pickling import dumps

pytestmark = [pytest.mark.requirement("P10"), pytest.mark.fault("F4")]


class Holds(Process):
    def __init__(self, **things):
        self.__dict__.update(things)

    def __loop__(self): ...


class Thing:
    """A user's object."""

    def __init__(self, **things):
        self.__dict__.update(things)


def numbers():
    yield from (1, 2, 3)


async def sleep():
    await asyncio.sleep(0)


async def stream():
    yield 1


def closed(stack, make, *args, **options):
    """What is closed when the test is over."""
    return stack.enter_context(contextlib.closing(make(*args, **options)))


def advanced_lines(stack, folder):
    (folder / "lines").write_text("a\nb\nc\n")
    file = closed(stack, open, folder / "lines")
    assert next(file) == "a\n"
    return file


def deleted(stack, folder):
    file = closed(stack, open, folder / "gone", "w+")
    os.unlink(file.name)
    return file


def replaced(stack, folder):
    file = closed(stack, open, folder / "log", "w")
    (folder / "other").write_text("x")
    os.replace(folder / "other", folder / "log")
    return file


def pipe(stack, _):
    read, write = os.pipe()
    stack.callback(os.close, write)
    return closed(stack, os.fdopen, read)


def terminal(stack, _):
    ours, theirs = pty.openpty()
    stack.callback(os.close, ours)
    return closed(stack, os.fdopen, theirs, "r")


def coroutine(stack, _):
    return closed(stack, sleep)


def task(stack, _):
    loop = closed(stack, asyncio.new_event_loop)
    made = loop.create_task(sleep())
    stack.callback(loop.run_until_complete, made)
    return made


def program(stack, _):
    made = subprocess.Popen([sys.executable, "-c", ""])
    stack.callback(made.wait)
    return made


def started_thread(stack, _):
    go = threading.Event()
    made = threading.Thread(target=go.wait)
    made.start()
    stack.callback(made.join)
    stack.callback(go.set)
    return made


def frame(*_):
    return sys._getframe()


def traceback_of_now(*_):
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


def weak_to_what_stays(stack, _):
    target = Thing()
    stack.callback(lambda: target)
    return weakref.ref(target)


def weak_values_that_stay(stack, _):
    target = Thing()
    stack.callback(lambda: target)
    return weakref.WeakValueDictionary(a=target)


def gappy_memmap(_, folder):
    np.arange(100).tofile(folder / "array")
    return np.memmap(folder / "array", dtype="<i8", mode="r+")[::3]


def private_map(stack, folder):
    (folder / "map").write_bytes(b"a" * 100)
    with open(folder / "map", "r+b") as file:
        return closed(stack, mmap.mmap, file.fileno(), 0, access=mmap.ACCESS_COPY)


def live_finalizer(stack, _):
    target = Thing()
    made = weakref.finalize(target, print)
    stack.callback(made.detach)
    stack.callback(lambda: target)
    return made


def archive(kind):
    def make(stack, folder):
        return closed(stack, kind, folder / "archive", "w")

    return make


class Raises:
    def __reduce__(self):
        raise RuntimeError("not for travelling")


class Exits:
    def __reduce__(self):
        raise SystemExit(3)


class Strange:
    def __reduce__(self):
        return 7


class Needs(threading.local):
    def __init__(self, path):
        self.path = path


RECORDS = np.zeros(2, dtype="i4,f8")
SHARED = multiprocessing.shared_memory.SharedMemory  # attached to nothing: its tracker would be left behind


# What, of which type it is told to be, and a word of what to do.
KINDS = {
    "generator": (lambda s, f: numbers(), "builtins.generator", "keep what it is made of"),
    "generator expression": (lambda s, f: (n for n in ()), "builtins.generator", "make it in the child"),
    "coroutine": (coroutine, "builtins.coroutine", "make it in the child"),
    "asynchronous generator": (lambda s, f: stream(), "builtins.async_generator", "make it in the child"),
    "task": (task, "_asyncio.Task", "in the caller"),
    "asyncio future": (
        lambda s, f: closed(s, asyncio.new_event_loop).create_future(), "_asyncio.Future", "send its result"),
    "event loop": (lambda s, f: closed(s, asyncio.new_event_loop), "EventLoop", "in __preloop__"),
    "future": (lambda s, f: concurrent.futures.Future(), "concurrent.futures._base.Future", "send its result"),
    "thread pool": (
        lambda s, f: s.enter_context(concurrent.futures.ThreadPoolExecutor()), "ThreadPoolExecutor", "start it"),
    "process pool": (
        lambda s, f: s.enter_context(concurrent.futures.ProcessPoolExecutor(1)), "ProcessPoolExecutor", "start it"),
    "socket": (lambda s, f: closed(s, socket.socket), "socket.socket", "open it in __preloop__"),
    "file of a socket": (lambda s, f: closed(s, closed(s, socket.socket).makefile, "rb"), "BufferedReader", "SocketIO"),
    "ssl context": (lambda s, f: ssl.create_default_context(), "ssl.SSLContext", "certificates"),
    "database": (lambda s, f: closed(s, sqlite3.connect, ":memory:"), "sqlite3.Connection", "open it in __preloop__"),
    "cursor": (lambda s, f: closed(s, sqlite3.connect, ":memory:").cursor(), "sqlite3.Cursor", "open it"),
    "program": (program, "subprocess.Popen", "start it in __preloop__"),
    "process": (lambda s, f: multiprocessing.Process(), "multiprocessing.context.Process", "start it in __preloop__"),
    "thread": (started_thread, "threading.Thread", "start it in __preloop__"),
    "thread timer": (lambda s, f: threading.Timer(1, print), "threading.Timer", "start it in __preloop__"),
    "queue of processes": (lambda s, f: closed(s, multiprocessing.SimpleQueue), "SimpleQueue", "in the child"),
    "lock of processes": (lambda s, f: multiprocessing.Lock(), "multiprocessing.synchronize.Lock", "by inheritance"),
    "event of processes": (lambda s, f: multiprocessing.Event(), "synchronize.Event", "by inheritance"),
    "pipe of processes": (
        lambda s, f: [closed(s, lambda one=one: one) for one in multiprocessing.Pipe()].pop(),
        "multiprocessing.connection.Connection",
        "by inheritance",
    ),
    "shared memory": (lambda s, f: SHARED.__new__(SHARED), "SharedMemory", "keep its name"),
    "epoll": (lambda s, f: closed(s, select.epoll), "select.epoll", "make it in the child"),
    "selector": (lambda s, f: closed(s, selectors.SelectSelector), "selectors.SelectSelector", "make it in the child"),
    "digest": (lambda s, f: hashlib.sha256(), "_hashlib.HASH", "make it in the child, in __preloop__"),
    "other digest": (lambda s, f: hashlib.blake2b(), "_blake2.blake2b", "make it in the child, in __preloop__"),
    "keyed digest": (lambda s, f: hmac.new(b"k", b"", "sha256"), "hmac.HMAC", "make it in the child, in __preloop__"),
    "compressor": (lambda s, f: zlib.compressobj(), "zlib.Compress", "make it in the child"),
    "match": (lambda s, f: re.match("a", "a"), "re.Match", "keep its groups"),
    "frame": (frame, "builtins.frame", "traceback.format_exception"),
    "traceback": (traceback_of_now, "builtins.traceback", "traceback.format_exception"),
    "context": (lambda s, f: contextvars.copy_context(), "_contextvars.Context", "make it in the child"),
    "context variable": (lambda s, f: contextvars.ContextVar("x"), "_contextvars.ContextVar", "make it there"),
    "pointer": (lambda s, f: ctypes.pointer(ctypes.c_int()), "LP_c_int", "__preloop__"),
    "deleted file": (deleted, "_io.TextIOWrapper", "no longer to be found"),
    "replaced file": (replaced, "_io.TextIOWrapper", "no longer to be found"),
    "unnamed file": (lambda s, f: closed(s, tempfile.TemporaryFile), "_io.BufferedRandom", "no name"),
    "closed file": (lambda s, f: [file := open(os.devnull), file.close()][0], "_io.TextIOWrapper", "it is closed"),
    "file under iteration": (advanced_lines, "_io.TextIOWrapper", "readline()"),
    "pipe": (pipe, "_io.TextIOWrapper", "it is a pipe"),
    "terminal": (terminal, "_io.TextIOWrapper", "it is a terminal"),
    "text over a reader of its own": (
        lambda s, f: io.TextIOWrapper(io.BufferedReader(Raw())), "_io.TextIOWrapper", "in __preloop__"),
    "compressed file": (archive(gzip.open), "gzip.GzipFile", "keep its path"),
    "zip file": (archive(zipfile.ZipFile), "zipfile.ZipFile", "keep its path"),
    "tar file": (archive(tarfile.open), "tarfile.TarFile", "keep its path"),
    "folder's listing": (lambda s, f: closed(s, os.scandir, f), "posix.ScandirIterator", "keep the path"),
    "private map": (private_map, "mmap.mmap", "map the file in __preloop__"),
    "map of no file": (lambda s, f: closed(s, mmap.mmap, -1, 100), "mmap.mmap", "maps no file"),
    "closed map": (lambda s, f: [made := mmap.mmap(-1, 100), made.close()][0], "mmap.mmap", "it is closed"),
    "array on disk with gaps": (gappy_memmap, "memmap", "keep the whole"),
    "view of a record": (
        lambda s, f: RECORDS.data, "builtins.memoryview", "keep what it shows"),
    "log handler": (lambda s, f: closed(s, logging.StreamHandler), "logging.StreamHandler", "put it on a logger"),
    "rotating handler": (
        lambda s, f: closed(s, logging.handlers.RotatingFileHandler, f / "log"), "RotatingFileHandler", "rotate"),
    "logger of nobody": (lambda s, f: logging.Logger("own"), "logging.Logger", "get it by a name"),
    "empty semaphore": (lambda s, f: threading.Semaphore(0), "threading.Semaphore", "BoundedSemaphore"),
    "local with arguments": (lambda s, f: Needs("/p"), "Needs", "in __preloop__"),
    "weak reference": (weak_to_what_stays, "weakref.ReferenceType", "held by nothing else"),
    "weak values": (weak_values_that_stay, "weakref.WeakValueDictionary", "held by nothing else"),
    "finalizer": (live_finalizer, "weakref.finalize", "run in the caller"),
    "the program": (lambda s, f: types.ModuleType("__main__"), "builtins.module", "name what you need of it"),
    "reduction that raises": (lambda s, f: Raises(), "Raises", "(RuntimeError: not for travelling)"),
    "reduction that exits": (lambda s, f: Exits(), "Exits", "(SystemExit: 3)"),
    "reduction to a number": (lambda s, f: Strange(), "Strange", "in __preloop__"),
    "map over a generator": (lambda s, f: map(str, numbers()), "builtins.generator", "keep what it is made of"),
    "chain of generators": (lambda s, f: itertools.chain(numbers()), "builtins.generator", "keep what it is made of"),
    "key of a comparison": (lambda s, f: functools.partial(next, numbers()), "builtins.generator", "in the child"),
}  # fmt: skip


class Raw(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, _):
        return 0


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What spawn said to each; the system is closed by then."""
    said = {}
    with ActorSystem() as opened:
        for name, (make, _, _) in KINDS.items():
            with contextlib.ExitStack() as stack:
                thing = make(stack, tmp_path_factory.mktemp("refused"))
                try:
                    text = repr(opened.spawn(Holds, cfg={"k": [thing]}, name="held").kill())
                except SerializationError as error:
                    text = str(error)
            said[name] = text, [info.name for info in opened.ps(all=True)]
    return said


@pytest.mark.parametrize("name", KINDS)
def test_it_is_refused_in_the_caller_with_path_type_and_advice(name, refusals):
    _, kind, advice = KINDS[name]
    text, left = refusals[name]
    where, _, what = text.partition(" cannot travel; ")
    assert re.fullmatch(r"self\.cfg\['k'\]\[0\](: [^:]*|\.\S*)?: [\w.<>]+", where), text
    assert kind in where, text
    assert advice in what, text
    assert left == []


def test_a_refusal_leaves_no_process_and_the_name_free(system):
    before = system._world.spawners["process"].pids
    with pytest.raises(SerializationError):
        system.spawn(Holds, db=numbers(), name="held")
    assert system.ps(all=True) == []
    assert system._world.spawners["process"].pids == before
    assert system.spawn(len, "four", name="held").result(20) == 4


def test_what_was_refused_is_as_it_was():
    generator, lines = numbers(), queue.Queue()
    lines.put(1)
    lock = threading.Lock()
    lock.acquire()
    with pytest.raises(SerializationError):
        dumps(Holds(lines=lines, lock=lock, rows=map(str, generator), last=hashlib.sha256()), "self")
    assert (next(generator), lines.get_nowait(), lock.locked()) == (1, 1, True)
