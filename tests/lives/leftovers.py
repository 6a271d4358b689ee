"""The ways in which an actor may start something that would outlive it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.stage import note

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


def start(way, path):
    """Start something that would outlive the actor, and note its number."""
    match way:
        case "child":
            note(path, subprocess.Popen(["sleep", "600"]).pid)
        case "own session":
            note(path, subprocess.Popen(["sleep", "600"], start_new_session=True).pid)
        case "bare":
            note(path, subprocess.Popen(["sleep", "600"], env={}).pid)
        case "bare, own session":
            note(path, subprocess.Popen(["sleep", "600"], env={}, start_new_session=True).pid)
        case "orphan":
            subprocess.run(["sh", "-c", f"sleep 600 & echo $! >> {path}"], check=True)
        case "daemon":
            subprocess.run([sys.executable, "-c", DOUBLE, path, "dressed"], check=True)
        case "bare daemon":
            subprocess.run([sys.executable, "-c", DOUBLE, path, "bare"], check=True)
        case "fork":
            if (pid := os.fork()) == 0:
                time.sleep(600)
                os._exit(0)
            note(path, pid)
        case "forked daemon":
            if os.fork() == 0:
                os.setsid()
                if (pid := os.fork()) == 0:
                    time.sleep(600)
                    os._exit(0)
                note(path, pid)
                os._exit(0)
            os.wait()


WAYS = [
    "child",
    "own session",
    "bare",
    "bare, own session",
    "orphan",
    "daemon",
    "bare daemon",
    "fork",
    "forked daemon",
]
