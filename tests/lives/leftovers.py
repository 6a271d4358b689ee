"""The ways in which an actor may start something that would outlive it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.stage import note, noted, notes

DOUBLE = """
import os, subprocess, sys
path, environment = sys.argv[1], {} if sys.argv[2] == "bare" else None
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        child = subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True)
        with open(path, "a") as file:
            file.write(f"{child.pid}\\n")
        os._exit(0)
    os._exit(0)
os.wait()
"""
"""A program that leaves another behind in the way of daemons: no ancestor of it lives, its session is its own."""


def program(path, **options):
    note(path, subprocess.Popen(["sleep", "600"], **options).pid)


def orphan(path):
    subprocess.run(["sh", "-c", f"sleep 600 & echo $! >> {path}"], check=True)


def daemon(path, dress):
    before = len(notes(path))
    subprocess.run([sys.executable, "-c", DOUBLE, path, dress], check=True)
    noted(path, before + 1)


def fork(path):
    if (pid := os.fork()) == 0:
        time.sleep(600)
        os._exit(0)
    note(path, pid)


def forked_daemon(path):
    if os.fork() == 0:
        os.setsid()
        fork(path)
        os._exit(0)
    os.wait()


WAYS = {
    "child": program,
    "own session": lambda path: program(path, start_new_session=True),
    "bare": lambda path: program(path, env={}),
    "bare, own session": lambda path: program(path, env={}, start_new_session=True),
    "orphan": orphan,
    "daemon": lambda path: daemon(path, "dressed"),
    "bare daemon": lambda path: daemon(path, "bare"),
    "fork": fork,
    "forked daemon": forked_daemon,
}


def start(way, path):
    """Start something in that way, and note its number."""
    WAYS[way](path)
