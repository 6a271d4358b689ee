"""supervisor: a supervisord of its own, asked by XML-RPC over a Unix socket; its programs are fresh interpreters."""

import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from benchmarks.others.endings import Endings
from benchmarks.others.parts import BRIEF, IDLE, program

PATIENCE = 60.0  # seconds
WAIT, NO_WAIT = True, False  # of its starts and stops, which take no keywords
MOST = 100  # idle ones that can be started

CONFIG = """\
[supervisord]
nodaemon = true
logfile = {folder}/log
loglevel = warn
pidfile = {folder}/pid
childlogdir = {folder}

[unix_http_server]
file = {folder}/ask

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[program:brief]
command = {brief}
autostart = false
autorestart = false
startsecs = 0
stdout_logfile = NONE
stderr_logfile = NONE

[program:idle]
command = {idle}
process_name = %(process_num)d
numprocs = {most}
autostart = false
autorestart = true
startsecs = 0
stdout_logfile = NONE
stderr_logfile = NONE
"""


class Supervisord:
    """Its programs stand in its configuration; they find the board by a link."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="supervisord-")
        self._board = Path(self._folder.name) / "board"
        config = Path(self._folder.name) / "conf"
        brief, idle = (shlex.join(program(code, str(self._board))) for code in (BRIEF, IDLE))
        config.write_text(CONFIG.format(folder=self._folder.name, brief=brief, idle=idle, most=MOST))
        self._daemon = subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-c", config])
        self._endings = Endings()
        self._idle = 0
        self._server = self._up()

    def spawn_brief(self, board: str) -> None:
        """A start that is not waited for."""
        self._link(board)
        self._server.supervisor.startProcess("brief", NO_WAIT)

    def spawn_idle(self, board: str, count: int = 1) -> None:
        """All starts in one call."""
        self._link(board)
        names = [f"idle:{number}" for number in range(self._idle, self._idle + count)]
        self._idle += count
        calls = [{"methodName": "supervisor.startProcess", "params": [name, NO_WAIT]} for name in names]
        for name, answer in zip(names, self._server.system.multicall(calls), strict=True):
            if answer is not True:
                raise RuntimeError(f"{name} was not started: {answer}")

    def settle(self) -> None:
        """Nothing: a stop is a signal."""

    def replace(self, board: str) -> None:
        """Nothing: supervisord does it."""

    def wait(self) -> None:
        """Its state is asked for: each call makes supervisord look at its children."""
        while (info := self._server.supervisor.getProcessInfo("brief"))["statename"] != "EXITED":
            self._endings.watch([info["pid"]] if info["pid"] else [])
            self._endings.wait(PATIENCE)
        if info["exitstatus"] != 0:
            raise RuntimeError(f"brief ended with exit code {info['exitstatus']}")

    def status_command(self) -> list[str]:
        """What a person types, for those that run: for any other one its exit code is not 0."""
        running = [f"idle:{number}" for number in range(self._idle)]
        server = f"unix://{self._folder.name}/ask"
        return [sys.executable, "-m", "supervisor.supervisorctl", "-s", server, "status", *running]

    def stop(self) -> None:
        """The group, waiting for it."""
        for answer in self._server.supervisor.stopProcessGroup("idle", WAIT):
            if answer["description"] != "OK":
                raise RuntimeError(f"{answer['name']} was not stopped: {answer}")
        self._idle = 0

    def close(self) -> None:
        """Ask supervisord to shut down, with what is left."""
        self._server.supervisor.shutdown()
        self._daemon.wait(PATIENCE)
        self._folder.cleanup()

    def _link(self, board: str) -> None:
        if not self._board.is_symlink():
            self._board.symlink_to(board)

    def _up(self) -> Any:
        deadline = time.monotonic() + PATIENCE
        while True:
            transport = SupervisorTransport(serverurl=f"unix://{self._folder.name}/ask")
            server: Any = ServerProxy("http://127.0.0.1", transport=transport)  # the host is not looked at
            try:
                server.supervisor.getState()
            except OSError:
                if self._daemon.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return server
