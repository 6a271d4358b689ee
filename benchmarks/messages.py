"""What messages cost: one way and with an answer, alone and in crowds, small and large, along chains and rings."""

import statistics
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

from benchmarks.correspondence import Make, Shape, apart
from benchmarks.harness import Figure, Job, Options, Target, Unit
from benchmarks.moments import Board
from benchmarks.stamps import now

MS = 1e3  # s
NS = 1e9  # a second
GB = 1e9  # bytes
PAUSE = 0.003  # seconds after which a tell is a lone one
MESSAGE = {
    "kind": "reading",
    "sensor": 4711,
    "time": 1.8e9,
    "value": 21.5,
    "unit": "celsius",
    "note": "as ever: " + 18 * ".",
}
"""100 bytes as msgpack."""


def tell(make: Make, count: int, times: int, shape: Shape = "star") -> float:
    """Messages a second, from the first until the last is handled; told to each receiver of a star."""
    with Board() as board, closing(make()) as post:
        post.begin(count, shape, board.path)
        ends = 1 if shape == "chain" else count
        _told(post, board, 100, ends)
        began = now()
        ended = _told(post, board, times, ends)
    return times * ends / (ended - began) * NS


def _told(post: Any, board: Board, times: int, ends: int) -> int:
    post.tell(MESSAGE, times)
    post.tell(board.path, 1)
    return max(moment.at for moment in board.take(ends))


def chain(make: Make, count: int, times: int) -> float:
    """Messages a second that pass through all of a chain."""
    return tell(make, count, times, "chain")


def ring(make: Make, count: int, tokens: int, hops: int) -> float:
    """Hops a second of so many tokens in a circle, until each has done its share."""
    with Board() as board, closing(make()) as post:
        post.begin(count, "ring", board.path)
        post.tell(count, 1)
        board.take(count)
        began = now()
        post.tell(hops // tokens, tokens // count)
        ended = max(moment.at for moment in board.take(tokens))
    return hops / (ended - began) * NS


def lone(make: Make, samples: int) -> float:
    """Median, in ms, from a tell that no other follows until it is handled."""
    taken = []
    with Board() as board, closing(make()) as post:
        post.begin(1, "star", board.path)
        apart(lambda core: post.tell(core, 1))
        for _ in range(samples + 10):
            time.sleep(PAUSE)
            asked = now()
            post.tell(board.path, 1)
            taken.append(board.next().at - asked)
    return statistics.median(taken[10:]) / NS * MS


def ask(make: Make, samples: int, percent: int) -> float:
    """That percentile, in ms, of asks one after the other."""
    with Board() as board, closing(make()) as post:
        post.begin(1, "star", board.path)
        apart(lambda core: post.ask(core, 1))
        post.ask(MESSAGE, 100)
        taken = post.ask(MESSAGE, samples)
    return statistics.quantiles(taken, n=100)[percent - 1] * MS


def askers(make: Make, askers: int, asks: int) -> float:
    """Asks a second of so many askers at once."""
    with Board() as board, closing(make()) as post:
        post.begin(1, "star", board.path)
        each = max(1, asks // askers)
        return askers * each / post.ask_at_once(MESSAGE, askers, each)


def size(make: Make, nbytes: int, samples: int) -> float:
    """Median, in ms, of an ask that bears an array of so many bytes and is answered by a number."""
    return statistics.median(_sent(make, nbytes, samples)) * MS


def there(make: Make, nbytes: int, samples: int) -> float:
    """GB a second of arrays of so many bytes: an ask that bears one, with its short answer."""
    return nbytes / statistics.median(_sent(make, nbytes, samples)) / GB


def back(make: Make, nbytes: int, samples: int) -> float:
    """The same of answers."""
    with Board() as board, closing(make()) as post:
        post.begin(1, "star", board.path)
        apart(lambda core: post.ask(core, 1))
        post.ask([nbytes], 3)
        return nbytes / statistics.median(post.ask([nbytes], samples)) / GB


def _sent(make: Make, nbytes: int, samples: int) -> list[float]:
    import numpy as np

    array = np.ones(nbytes, np.uint8)
    with Board() as board, closing(make()) as post:
        post.begin(1, "star", board.path)
        apart(lambda core: post.ask(core, 1))
        post.ask(array, 3)
        return post.ask(array, samples)


OURS = "benchmarks.ours:Post"
PUSH, BATCHES, DEALER = "raw PUSH/PULL", "raw, frames of 64", "raw DEALER/ROUTER"
_RAW = {PUSH: "RawPush", BATCHES: "RawBatches", DEALER: "RawDealer"}
_PEERS = {"mp.Queue": "Queues", "mp.Pipe": "Pipes", "ProcessPoolExecutor": "Pool"}


def _figure(
    name: str,
    title: str,
    unit: Unit,
    call: str,
    options: dict[str, Any],
    samples: tuple[str, int, int],
    floors: tuple[str, ...],
    targets: tuple[Target, ...] = (),
    peers: tuple[str, ...] = (),
) -> Figure:
    """``samples`` is the option that says how many there are, and how many they are usually and in a quick run."""
    what, usual, few = samples
    every: Options = {**options, what: usual}

    def job(label: str, troupe: str, call: str = call) -> Job:
        return Job(label, f"benchmarks.messages:{call}", troupe, every, {what: few})

    return Figure(
        name=name,
        title=title,
        unit=unit,
        ours=job("understudy", OURS),
        floors=tuple(
            job(label, f"benchmarks.floors.messages:{_RAW[label]}")
            if label in _RAW
            else Job(label, "benchmarks.floors.messages:memcpy", options=every, quick={what: few})
            for label in floors
        ),
        targets=targets,
        peers=tuple(job(label, f"benchmarks.correspondents:{_PEERS[label]}") for label in peers),
    )


_ALL = tuple(_PEERS)
_MANY = ("mp.Queue",)
_FULL = 100_000_000

_RELIABLE = _figure(
    "tell-reliable", "reliable tell, 100 bytes", "messages/s", "tell", {"count": 1}, ("times", 100_000, 30_000), (PUSH,)
)
_PLAIN = replace(_RELIABLE.ours, label="understudy, plain")
_TCP = (
    _figure(
        "tell-tcp", "tell over TCP, 100 bytes", "messages/s", "tell", {"count": 1}, ("times", 500_000, 100_000), ()
    ),
    _figure("ask-tcp", "ask over TCP, p50", "ms", "ask", {"percent": 50}, ("samples", 10_000, 3_000), ()),
)
"""On the loopback, with keys; beside ipc."""

FIGURES = (
    _figure(
        "tell", "tell, 100 bytes", "messages/s", "tell", {"count": 1}, ("times", 500_000, 100_000),
        (PUSH, BATCHES), (Target("at least", 1.0, PUSH),), _ALL,
    ),
    replace(_RELIABLE, ours=replace(_RELIABLE.ours, troupe="benchmarks.ours:Reliably"), peers=(_PLAIN,)),
    _figure(
        "tell-lone", "a lone tell, p50", "ms", "lone", {}, ("samples", 500, 200), (PUSH,), (), ("mp.Queue", "mp.Pipe")
    ),
    _figure(
        "ask-p50", "ask, 100 bytes, p50", "ms", "ask", {"percent": 50}, ("samples", 10_000, 3_000),
        (DEALER,), (Target("at most", 1.5, DEALER),), _ALL,
    ),
    _figure("ask-p99", "the same, p99", "ms", "ask", {"percent": 99}, ("samples", 10_000, 3_000), (DEALER,), (), _ALL),
    *(
        replace(
            one,
            ours=replace(one.ours, troupe="benchmarks.ours:OverTcp"),
            peers=(replace(one.ours, label="understudy, ipc"),),
        )
        for one in _TCP
    ),
    *(
        _figure(
            f"ask-{number}", f"{number} asker{'s' * (number > 1)} at once", "messages/s", "askers", {"askers": number},
            ("asks", 20_000, 5_000), (DEALER,), (), ("ProcessPoolExecutor",),
        )
        for number in (1, 4, 16, 64)
    ),
    _figure(
        "chain", "tells through a chain of 4", "messages/s", "chain", {"count": 4}, ("times", 200_000, 50_000),
        (PUSH,), (), _MANY,
    ),
    _figure(
        "ring", "hops in a ring of 8, 64 tokens", "messages/s", "ring", {"count": 8, "tokens": 64},
        ("hops", 1_000_000, 100_000), (PUSH,), (), _MANY,
    ),
    *(
        _figure(
            f"fan-out-{number}", f"tells to {number} actor{'s' * (number > 1)} in turn", "messages/s", "tell",
            {"count": number}, ("times", 200_000 // number, 50_000 // number), (PUSH,), (),
            _MANY if number < 200 else (),
        )
        for number in (1, 10, 100, 200)
    ),
    _figure(
        "array-100MB", "100 MB array to an actor", "GB/s", "there", {"nbytes": _FULL}, ("samples", 20, 8),
        ("memcpy", DEALER), (Target("at least", 0.35, "memcpy"),), _ALL,
    ),
    _figure(
        "array-back", "100 MB array as an answer", "GB/s", "back", {"nbytes": _FULL}, ("samples", 20, 8),
        ("memcpy",), (Target("at least", 0.35, "memcpy"),), _ALL,
    ),
    *(
        _figure(
            f"size-{label}", f"ask with an array of {label}", "ms", "size", {"nbytes": nbytes},
            ("samples", usual, usual // 4), (DEALER,), (), _ALL,
        )
        for label, nbytes, usual in (
            ("100B", 100, 2000), ("1kB", 1000, 2000), ("10kB", 10_000, 2000), ("100kB", 100_000, 1000),
            ("1MB", 1_000_000, 400), ("10MB", 10_000_000, 100), ("100MB", _FULL, 20),
        )
    ),
)  # fmt: skip
