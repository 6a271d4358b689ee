"""Which kinds of object travel, and how: a line each. What has no line goes as cloudpickle takes it, or not at all.

Kinds are named as they name themselves, so that no module is imported for the sake of the table. What is derived from
a kind goes as it does, unless it says itself how it travels.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from understudy.errors import ConfigError
from understudy.wire.travelling import classes, exceptions, files, libraries, logs, memory, names, threads, values, weak
from understudy.wire.travelling.refusal import MAKE_IT_THERE, Refusal
from understudy.wire.travelling.weak import Weak

Reducer = Callable[[Any], Any]
R = TypeVar("R", bound=Reducer)

_PATHS = "pathlib._local" if sys.version_info[:2] == (3, 13) else "pathlib"  # named, and not imported for its name

_LATER = Refusal("keep what it is made of, and " + MAKE_IT_THERE)
_CONNECTION = Refusal("keep its address, and open it in __preloop__")
_DATABASE = Refusal("keep its path or address, and open it in __preloop__")
_RUNNING = Refusal("it runs in the caller: start it in __preloop__")
_FUTURE = Refusal("who waits for it, and who fulfils it, are in the caller: send its result, or make it in the child")
_SHARED = Refusal("it is shared among processes by inheritance only: " + MAKE_IT_THERE)
_ARCHIVE = Refusal("keep its path, and open it in __preloop__")
_FRAME = Refusal("keep its text, by traceback.format_exception for instance")
_DIGEST = Refusal("keep what goes into it, or its digest, and make it in the child, in __preloop__ for instance")

TABLE: dict[str, Reducer | Weak] = {
    # Fresh and free; events with their flag, queues with their items.
    "_thread.lock": threads.lock,
    "_thread.RLock": threads.rlock,
    "threading._RLock": threads.rlock,
    "threading.Condition": threads.condition,
    "threading.Event": threads.event,
    "threading.Semaphore": threads.semaphore,
    "threading.BoundedSemaphore": threads.bounded_semaphore,
    "threading.Barrier": threads.barrier,
    "_thread._local": threads.local,
    "queue.Queue": threads.items_queue,
    "_queue.SimpleQueue": threads.simple_queue,
    # Opened again: never truncated, at their position, only if it is still the same file.
    "_io.TextIOWrapper": files.text,
    "_io.BufferedReader": files.buffered,
    "_io.BufferedWriter": files.buffered,
    "_io.BufferedRandom": files.buffered,
    "_io.FileIO": files.raw,
    "tempfile._TemporaryFileWrapper": files.temporary,
    "tempfile.TemporaryDirectory": files.temporary_directory,
    "mmap.mmap": memory.mapped,
    "numpy.memmap": memory.memmap,
    "logging.Handler": logs.handler,
    "ctypes.CDLL": libraries.library,
    # By name.
    "logging.Logger": logs.logger,
    "understudy.engine.streams.Tee": files.tee,
    "builtins.module": values.module,
    "_contextvars.ContextVar": values.variable,
    "os._Environ": values.environment,
    # By value, where pickle can't or errs.
    "builtins.cell": classes.cell,
    "builtins.code": classes.code,
    "builtins.memoryview": memory.view,
    "builtins.mappingproxy": values.proxied,
    "functools._lru_cache_wrapper": values.cached,
    "_struct.Struct": values.struct,
    "random.SystemRandom": values.chance_of_the_system,
    "random.Random": values.chance,
    "collections.defaultdict": values.dressed,
    "collections.Counter": values.dressed,
    "datetime.date": values.dressed,
    "datetime.datetime": values.dressed,
    "datetime.time": values.dressed,
    "datetime.timedelta": values.dressed,
    "decimal.Decimal": values.dressed,
    "fractions.Fraction": values.dressed,
    f"{_PATHS}.PurePath": values.dressed,
    "ipaddress._IPAddressBase": values.dressed,
    "ipaddress._BaseAddress": values.dressed,
    "weakref.ReferenceType": weak.REF,
    "weakref.ProxyType": weak.PROXY,
    "weakref.CallableProxyType": weak.PROXY,
    "weakref.WeakValueDictionary": weak.VALUES,
    "weakref.WeakKeyDictionary": weak.KEYS,
    "_weakrefset.WeakSet": weak.SET,
    "weakref.finalize": values.finalizer,
    # Refused, with what to do instead.
    "builtins.generator": _LATER,
    "builtins.coroutine": _LATER,
    "builtins.async_generator": _LATER,
    "builtins.frame": _FRAME,
    "builtins.traceback": _FRAME,
    "_contextvars.Context": _LATER,
    "_contextvars.Token": _LATER,
    "socket.socket": _CONNECTION,
    "_socket.socket": _CONNECTION,
    "ssl.SSLContext": Refusal("keep the paths of its certificates, and make it in __preloop__"),
    "ssl.SSLObject": _CONNECTION,
    "select.epoll": _LATER,
    "select.poll": _LATER,
    "selectors.BaseSelector": _LATER,
    "sqlite3.Connection": _DATABASE,
    "sqlite3.Cursor": _DATABASE,
    "sqlite3.Blob": _DATABASE,
    "_dbm.dbm": _DATABASE,
    "_gdbm.gdbm": _DATABASE,
    "shelve.Shelf": _DATABASE,
    "subprocess.Popen": _RUNNING,
    "threading.Thread": _RUNNING,
    "multiprocessing.process.BaseProcess": _RUNNING,
    "multiprocessing.pool.Pool": _RUNNING,
    "multiprocessing.managers.BaseManager": _RUNNING,
    "multiprocessing.managers.BaseProxy": _SHARED,
    "multiprocessing.connection._ConnectionBase": _SHARED,
    "multiprocessing.connection.Listener": _SHARED,
    "multiprocessing.queues.Queue": _SHARED,
    "multiprocessing.queues.SimpleQueue": _SHARED,
    "multiprocessing.synchronize.SemLock": _SHARED,
    "multiprocessing.synchronize.Condition": _SHARED,
    "multiprocessing.synchronize.Event": _SHARED,
    "multiprocessing.sharedctypes.SynchronizedBase": _SHARED,
    "multiprocessing.shared_memory.SharedMemory": Refusal("keep its name, and attach to it in __preloop__"),
    "concurrent.futures._base.Executor": _RUNNING,
    "concurrent.futures._base.Future": _FUTURE,
    "_asyncio.Future": _FUTURE,
    "asyncio.futures.Future": _FUTURE,
    "_asyncio.Task": _FUTURE,
    "asyncio.events.AbstractEventLoop": _RUNNING,
    "_hashlib.HASH": _DIGEST,
    "_hashlib.HMAC": _DIGEST,
    "_blake2.blake2b": _DIGEST,
    "_blake2.blake2s": _DIGEST,
    "hmac.HMAC": _DIGEST,
    "zlib.Compress": _LATER,
    "zlib.Decompress": _LATER,
    "_bz2.BZ2Compressor": _LATER,
    "_bz2.BZ2Decompressor": _LATER,
    "_lzma.LZMACompressor": _LATER,
    "_lzma.LZMADecompressor": _LATER,
    "gzip.GzipFile": _ARCHIVE,
    "bz2.BZ2File": _ARCHIVE,
    "lzma.LZMAFile": _ARCHIVE,
    "zipfile.ZipFile": _ARCHIVE,
    "tarfile.TarFile": _ARCHIVE,
    "_io.BufferedRWPair": _CONNECTION,
    "posix.ScandirIterator": Refusal("keep the path, and list it in the child"),
    "re.Match": Refusal("keep its groups"),
}

_users: dict[type, Reducer] = {}


def travels(kind: type, reducer: Reducer | None = None) -> Any:
    """Say how objects of a class of somebody else's travel to actors and back.

    ``reducer(obj)`` returns what ``__reduce__`` would: a function that a child can import, or that travels by value,
    and its arguments, which have to travel themselves. It holds for objects of exactly that class, before all else that
    is known of it, and in this process from now on. To refuse, it raises SerializationError with what to do instead;
    whatever else it raises refuses too. Without ``reducer`` it is a decorator for one; the reducer is returned.

    Raises ConfigError if ``kind`` is no class, or ``reducer`` cannot be called.
    """
    if not isinstance(kind, type):
        raise ConfigError(f"travels() takes a class, not {kind!r}")
    if reducer is None:
        return lambda decorated: travels(kind, decorated)
    if not callable(reducer):
        raise ConfigError(f"travels({kind.__qualname__}, …) takes a function of the object, not {reducer!r}")
    _users[kind] = reducer
    _known.pop(kind, None)
    return reducer


def entry(kind: type) -> Reducer | Weak | None:
    """What a user, or the table, says of a kind; None where cloudpickle is asked."""
    try:
        found = _known[kind]
    except KeyError:
        found = _known[kind] = _looked_up(kind)
    return None if found is None else _users.get(kind) or copyreg.dispatch_table.get(kind, found)


def is_users(kind: type) -> bool:
    """Whether a user said by `travels` how it travels."""
    return kind in _users


def _looked_up(kind: type) -> Reducer | Weak | None:
    if kind in _users:
        return _users[kind]
    if issubclass(kind, BaseException):
        return exceptions.exception if exceptions.left_to_us(kind) else None
    for base in kind.__mro__[:-1]:
        found = TABLE.get(f"{base.__module__}.{base.__qualname__}")
        if found is not None:
            return None if found is values.dressed and _bare(kind) else found
        if not _SAYS.isdisjoint(vars(base)):
            return None  # it says itself how it travels
    return names.reducer(kind)


def _bare(kind: type) -> bool:
    """Whether nothing can hang on its objects, of which there may be many."""
    return not kind.__dictoffset__ and kind.__module__.partition(".")[0] in sys.stdlib_module_names


_known: WeakKeyDictionary[type, Reducer | Weak | None] = WeakKeyDictionary()
_SAYS = frozenset({"__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__"})
