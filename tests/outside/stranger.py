"""A process that found the sockets of a system and writes what nobody should: `python -m tests.outside.stranger`.

It knows ZeroMQ and msgpack, and none of the system's code. Its chance is seeded, so it says the same each time.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator

import msgpack
import zmq

from tests.reaching import connect, open_line

NOBODY = 0x7FFF_FFF0
"""A uid that no actor has: what a mutation leaves whole must not be taken for a living one's."""
PEERS = {"reports": zmq.PUSH, "commands": zmq.XSUB, "status": zmq.XSUB, "control": zmq.DEALER}
LONGEST = {"commands": 4000, "status": 4000}
"""Bytes that a message may have there without being the last one of its connection."""
WINDOW = 32
"""Requests that may be unanswered: whoever does not read loses replies."""

Frames = list[bytes]


def nonsense(chance: random.Random) -> Frames:
    """One to four frames of anything."""
    return [chance.randbytes(chance.choice([0, 1, 7, 64, 3000])) for _ in range(chance.randint(1, 4))]


def odd(chance: random.Random) -> bytes:
    """Deep, huge or cut off msgpack, or of a kind that nobody expects."""
    deep = chance.choice([10, 600, 5000, 100_000])
    kinds: list[bytes] = [
        b"\x91" * deep,
        b"\x91" * deep + b"\xc0",
        b"\x81\xa1a" * deep,
        b"\x81\x91\x01\x01",  # a key that is an array
        b"\x82\xa1v\x01\xa1v\x02",  # the same key twice
        b"\xdd\xff\xff\xff\xff",  # four billion elements
        b"\xdf\xff\xff\xff\xff\x01",
        b"\xc6\xff\xff\xff\xff" + b"x" * 100,
        b"\xdb\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xdd\x00\x0f\x00\x00" + b"\xc0" * 0xF0000,  # a million of nothing
        b"\xdc\x40\x00" + b"\x91\xc0" * 0x4000,
        b"\xa4\xff\xfe\xfd\xfc",  # no UTF-8
        b"\xa3\xed\xa0\x80",  # a lone surrogate
        b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",  # not a number
        b"\xcf" + b"\xff" * 8,
        b"\xd6\xff\x00\x00\x00\x00",  # a timestamp
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xc1",  # never used
        msgpack.packb(dict.fromkeys(range(1000))),
        msgpack.packb([1, "ready"] * 1000),
    ]
    return chance.choice(kinds)


def mutated(chance: random.Random, frames: Frames) -> Frames:
    """A real message with some of it changed, cut off, doubled or left out."""
    changed = [bytearray(frame) for frame in frames]
    for _ in range(chance.randint(1, 4)):
        frame = chance.choice(changed)
        match chance.randrange(5):
            case 0 if frame:
                frame[chance.randrange(len(frame))] = chance.randrange(256)
            case 1 if frame:
                del frame[chance.randrange(len(frame)) :]
            case 2:
                frame.extend(chance.randbytes(3))
            case 3:
                changed.append(bytearray(frame))
            case _ if frame:
                del frame[0]
    return [bytes(frame) for frame in changed]


def reports(system: str) -> list[Frames]:
    """One of each report, but for log records, which count whoever sends them."""
    head = [1, "", system, NOBODY, 1, 1]
    tag, pickle = b"t" * 16, b"\x80\x05N."
    rest: dict[str, tuple[list[object], Frames]] = {
        "ready": ([1, None, []], []),
        "beat": ([], []),
        "heard": ([1], []),
        "progress": ([50.0, "a note"], []),
        "meet": ([1], []),
        "seek": ([1, "*"], []),
        "blocked": ([1, 1], []),
        "unblocked": ([1], []),
        "letter": ([1, "a reason", "tell", "a text", 1, NOBODY, "nobody", tag], [pickle]),
        "finishing": (["cause", False], []),
        "killme": ([], []),
        "error": (["loop", 1, "", None, "ValueError", "text", "", {}, tag], [pickle]),
        "result": ([{}, tag], [pickle]),
        "rites": (["fallback", "", "", "", {}, None, tag], [pickle]),
        "bye": ([["thread"]], []),
    }
    return [[msgpack.packb([*head[:1], kind, *head[2:], *fields]), *frames] for kind, (fields, frames) in rest.items()]


def requests(_: str) -> list[Frames]:
    """Requests that change nothing even if they come whole."""
    nobody = {"name": "nobody-of-that-name"}
    verbs: dict[str, dict[str, object]] = {
        "hello": {},
        "snapshot": {},
        "replay": {"since": 0, "limit": 5},
        "ps": {"all": False},
        "summary": {},
        **{verb: {**nobody} for verb in ("info", "healthy", "story", "logs", "stacks")},
        **{verb: {**nobody, "request": "a key"} for verb in ("stop", "kill", "restart")},
    }
    return [[b"", msgpack.packb({"v": 1, "id": 1, "verb": verb, **fields})] for verb, fields in verbs.items()]


def subscriptions(system: str) -> list[Frames]:
    """To topics that are nobody's."""
    return [[b"\x01" + f"{system}|{NOBODY}|1|".encode()], [b"\x00nobody|"], [b"\x01nobody|"]]


REAL: dict[str, Callable[[str], list[Frames]]] = {
    "reports": reports,
    "control": requests,
    "commands": subscriptions,
    "status": subscriptions,
}


def storm(to: str, system: str, count: int, seed: int) -> Iterator[Frames]:
    """So many messages for that socket."""
    chance, real = random.Random(seed), REAL[to](system)  # noqa: S311 - the same each time
    for number in range(count):
        if number % 50 == 0:
            yield [b"", odd(chance)[: LONGEST.get(to)]]
        elif number % 2:
            yield nonsense(chance)
        else:
            yield mutated(chance, chance.choice(real))


def main() -> None:
    """Socket, endpoint, count and seed from the command line; how many were answered how, as JSON."""
    to, endpoint, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    answers: dict[str, int] = {}
    with zmq.Context() as context, context.socket(PEERS[to]) as socket:
        socket.linger = socket.sndtimeo = socket.rcvtimeo = 30_000
        connect(socket, endpoint, to)
        waiting = 0
        for frames in storm(to, endpoint.rpartition("/")[2], count, seed):
            socket.send_multipart(frames)
            waiting += to == "control"
            if waiting == WINDOW:
                note(answers, socket.recv_multipart())
                waiting -= 1
        for _ in range(waiting):
            note(answers, socket.recv_multipart())
    print(json.dumps(answers))


def note(answers: dict[str, int], frames: Frames) -> None:
    """Count one reply by its error, or as done."""
    reply = msgpack.unpackb(frames[-1], strict_map_key=False)
    word = "done" if reply["ok"] else reply["error"]
    answers[word] = answers.get(word, 0) + 1


def raw(endpoint: str, to: str, chance: random.Random) -> None:
    """A connection that speaks no ZMTP, or stops in the middle of it."""
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
    ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
    with open_line(endpoint, to) as line:
        line.settimeout(20)
        said = chance.choice(
            [
                chance.randbytes(200),
                greeting[: chance.randrange(1, len(greeting))],
                greeting + chance.randbytes(100),
                greeting + ready[: chance.randrange(len(ready))],
                greeting + ready + b"\x02" + b"\x7f" + b"\xff" * 7,  # a frame of almost 2**63 bytes
                greeting + ready + b"\x06" + b"\x00\x00\x00\x00\xff\xff\xff\xff",  # a command of 4 GiB
                greeting + ready + b"\x01\x05abc",  # a frame that never ends
                b"GET / HTTP/1.1\r\n\r\n",
            ]
        )
        try:
            line.sendall(said)
        except OSError:  # the other side has had enough
            return


if __name__ == "__main__":
    main()
