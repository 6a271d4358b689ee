"""A bare ROUTER that sends as many bytes, made of the same rows, and a DEALER that unpacks them; and a bare start."""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import msgpack
import zmq

MS = 1e3  # s

STATS: dict[str, Any] = {
    "started_at": 1.8e9, "ended_at": None, "laps": 0, "timed_laps": 0, "lap_seconds": 0.0, "fastest_lap": None,
    "slowest_lap": None, "restarts": 0, "errors": 0, "timeouts": 0, "error_events": [], "recent": [], "mean_lap": None,
}  # fmt: skip
ROW: dict[str, Any] = {
    "name": "idle-100", "uid": 100, "pid": 123456, "parent": None, "status": "RUNNING", "health": "healthy",
    "alive": True, "os_status": "sleeping", "incarnation": 1, "lives_left": 2, "lap": 1, "laps_left": None,
    "time_left": None, "section": "loop", "paused": False, "progress": None, "note": None, "next_restart": None,
    "exit_code": None, "is_zombie": False, "cpu_percent": 0.1, "memory_mb": 20.1, "pss_mb": 4.2, "threads": 4,
    "open_files": 20, "command": "benchmarks.actors:Idle", "started_at": 1.8e9, "runtime": 10.1, "heartbeat_age": 0.7,
    "mailbox_depth": None, "stats": STATS, "completed_laps": 0,
}  # fmt: skip


def rows(count: int, samples: int) -> float:
    """Median of `samples` round trips, in ms: a request, the rows packed by another thread, sent and unpacked."""
    taken = []
    with tempfile.TemporaryDirectory(prefix="floor-") as folder, zmq.Context() as context:
        address = f"ipc://{folder}/control"
        router = context.socket(zmq.ROUTER)
        router.bind(address)
        server = threading.Thread(target=_serve, args=(router, count, samples))
        server.start()
        with context.socket(zmq.DEALER) as dealer:
            dealer.connect(address)
            for _ in range(samples):
                began = time.perf_counter()
                dealer.send_multipart([b"", msgpack.packb({"v": 1, "id": 1, "verb": "ps"})])
                answer = msgpack.unpackb(dealer.recv_multipart()[-1])
                taken.append(time.perf_counter() - began)
                if len(answer["value"]) != count:
                    raise RuntimeError("rows are missing")
        server.join()
        router.close()
    return statistics.median(taken) * MS


def _serve(router: "zmq.Socket[bytes]", count: int, samples: int) -> None:
    table = [ROW] * count
    for _ in range(samples):
        *head, request = router.recv_multipart()
        number = msgpack.unpackb(request)["id"]
        router.send_multipart([*head, msgpack.packb({"v": 1, "id": number, "ok": True, "value": table})])


def start(samples: int) -> float:
    """Median of `samples` runs, in ms, of an interpreter that imports what any client has to."""
    command = [sys.executable, "-c", "import zmq, msgpack"]
    taken = []
    for _ in range(samples):
        began = time.perf_counter()
        subprocess.run(command, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * MS
