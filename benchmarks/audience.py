"""Those who watch, each in a process of its own: they say "ready" on a line, then what they measured as JSON."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import zmq

HWM = 10_000
"""Messages that may wait for a subscriber, as the parent's own socket has it."""
PATIENCE = 60_000  # ms
Keys = tuple[str, str, str]
"""Public and secret half, and the public key of whom they are shown to."""


@contextmanager
def watching(call: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that makes that call of this module, once it is ready; killed in the end."""
    code = f"from benchmarks import audience; audience.{call}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            if line(process) != "ready":
                raise RuntimeError(f"{call} is not ready")
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> str:
    """What it says next."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def follow(endpoint: str, samples: int, key: str | None = None) -> None:
    """How old so many events of progress were when an Observer gave them, in seconds."""
    from understudy import Observer

    ages: list[float] = []
    with Observer(endpoint, key=key) as observer:
        print("ready", flush=True)
        began = time.time()  # what came before has waited for the beginning
        while len(ages) < samples and (event := observer.next(timeout=PATIENCE / 1000)) is not None:
            if event.kind == "progress" and event.time > began:
                ages.append(time.time() - event.time)
    print(json.dumps(ages), flush=True)


def look(endpoint: str, count: int) -> None:
    """So many Observers, each read as its events come, until it is killed."""
    import threading

    from understudy import Observer

    def read(observer: Observer) -> None:
        for _ in observer:
            continue

    observers = [Observer(endpoint) for _ in range(count)]
    for observer in observers:
        threading.Thread(target=read, args=(observer,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def receive(address: str, samples: int, server: str = "") -> None:
    """How old so many raw messages were, by the time that stands in them, when they were unpacked."""
    import msgpack

    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.rcvtimeo = PATIENCE
        _join(socket, address, keys=_keys(server))
        print("ready", flush=True)
        ages = []
        for _ in range(samples):
            event = msgpack.unpackb(socket.recv_multipart()[-1])
            ages.append(time.time() - event["time"])
    print(json.dumps(ages), flush=True)


def count(address: str, topic: str, readers: int, stalled: int, events: int, server: str = "") -> None:
    """When the last of so many events of a topic has reached each of the readers; the stalled ones read nothing."""
    _count(address, topic, readers, stalled, events, _keys(server))


def count_far(gate: str, key: str, topic: str, readers: int, stalled: int, events: int) -> None:
    """The same of the stream behind a gate."""
    address, keys = _behind(gate, key)
    _count(address, topic, readers, stalled, events, keys)


def linger_far(gate: str, key: str, readers: int, stalled: int) -> None:
    """So many raw subscribers to all that comes through a gate, the stalled ones read nothing; until killed."""
    address, keys = _behind(gate, key)
    with zmq.Context() as context:
        sockets = _joined(context, address, b"", readers, stalled, keys)
        poller = zmq.Poller()
        for socket in sockets[:readers]:
            poller.register(socket, zmq.POLLIN)
        print("ready", flush=True)
        while True:
            for socket, _ in poller.poll():
                socket.recv_multipart()


def flood(gate: str, count: int) -> None:
    """So many connections to a gate on which nothing is said, and another for each that is closed; until killed."""
    import asyncio
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, _, port = gate.removeprefix("tcp://").rpartition(":")

    async def strange() -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.1)
                continue
            with contextlib.suppress(OSError):
                while await reader.read(1024):
                    continue
            writer.close()

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(strange()) for _ in range(count)]
        await asyncio.sleep(1.0)
        print("ready", flush=True)
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())


def _behind(gate: str, key: str) -> "tuple[str, Keys]":
    """The address of the stream behind a gate, and what opens it."""
    from understudy import Remote
    from understudy.wire.keyring import read_key

    with Remote(gate, key=key) as far:
        port = far.hello()["stream"]
    read = read_key(key)
    host, _, _ = gate.rpartition(":")
    return f"{host}:{port}", (read.pair.public, read.pair.secret, read.server)


def _keys(server: str) -> "Keys | None":
    """A pair of nobody's, for who asks for none."""
    if not server:
        return None
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode(), server


def _count(address: str, topic: str, readers: int, stalled: int, events: int, keys: "Keys | None") -> None:
    with zmq.Context() as context:
        sockets = _joined(context, address, topic.encode(), readers, stalled, keys)
        left = dict.fromkeys(sockets[:readers], events)
        poller = zmq.Poller()
        for socket in left:
            poller.register(socket, zmq.POLLIN)
        print("ready", flush=True)
        while left:
            ready = poller.poll(PATIENCE)
            if not ready:
                raise RuntimeError(f"{sum(left.values())} events did not come")
            for socket, _ in ready:
                _drain(socket, left)
                if left[socket] <= 0:
                    poller.unregister(socket)
                    del left[socket]
        print(json.dumps(time.monotonic()), flush=True)
        for socket in sockets:
            socket.close(linger=0)


def _drain(socket: "zmq.Socket[bytes]", left: "dict[zmq.Socket[bytes], int]") -> None:
    for _ in range(100):
        try:
            socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        left[socket] -= 1


def _joined(
    context: "zmq.Context[zmq.Socket[bytes]]",
    address: str,
    topic: bytes,
    readers: int,
    stalled: int,
    keys: "Keys | None",
) -> "list[zmq.Socket[bytes]]":
    sockets = []
    for number in range(readers + stalled):
        socket = context.socket(zmq.SUB)
        socket.rcvhwm = 10 * HWM if number < readers else 1
        _join(socket, address, topic, keys)
        sockets.append(socket)
    return sockets


def _join(socket: "zmq.Socket[bytes]", address: str, topic: bytes = b"", keys: "Keys | None" = None) -> None:
    """Subscribed, and the connection is up; that it was heard shows by the first message."""
    socket.linger = 0
    if keys is not None:
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = (key.encode() for key in keys)
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.subscribe(topic)
    socket.connect(address)
    if not monitor.poll(PATIENCE):
        raise RuntimeError(f"no connection to {address}")
    socket.disable_monitor()
