"""The HTTP server that Prometheus scrapes: a thread that waits, and one for each scrape."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from understudy.errors import ConfigError
from understudy.observe.metrics import Collector, Reading
from understudy.settings import shown

SCRAPES = 32
"""How many may be under way at once."""
_PATIENCE = 10.0
"""Seconds for which a connection may be silent."""
_log = logging.getLogger("understudy")
_HIGHEST_PORT = 65535


class Exporter:
    """Serves what ``read`` gives at each scrape, beside the figures of this process, until it is closed.

    ``about`` names the system and its version. Raises ConfigError for what is no port or address, and OSError, with
    both, where it cannot be listened at.
    """

    def __init__(self, port: int, addr: str, read: Callable[[], Reading], about: Mapping[str, str]) -> None:
        family, address = _resolved(addr, _checked(port))
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(Collector(read, about))

        class Server(_Server):
            address_family = family

        try:
            self._server = Server(address, _Handler)
        except OSError as error:
            raise OSError(error.errno, f"metrics cannot be served at {addr}:{port}: {error.strerror}") from error
        self._server.set_app(make_wsgi_app(registry))
        host, self.port = str(self._server.server_address[0]), int(self._server.server_address[1])
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/metrics"
        self._over = False
        self._thread = threading.Thread(target=self._serve, name=f"understudy-metrics-{about['system']}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread is left
            self._server.server_close()
            raise

    def close(self) -> None:
        """End; a scrape that is under way may end as it likes."""
        self._over = True
        # It wakes the thread, which waits for the next connection and for nothing else.
        self._server.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()

    def abandon(self) -> None:
        """In a forked copy, which has no such thread: let go of the port."""
        self._server.server_close()

    def _serve(self) -> None:
        while not self._over:
            self._server.handle_request()


class _Server(ThreadingMixIn, WSGIServer):
    """So many at once: who only connects must not use up the parent's descriptors, or its threads."""

    daemon_threads = True
    request_queue_size = SCRAPES

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self._room = threading.BoundedSemaphore(SCRAPES)
        super().__init__(address, handler)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Whether there is room; else the connection is closed."""
        return self._room.acquire(blocking=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        """On a thread of its own."""
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """On that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hung up, or said nothing, is no news."""
        _log.debug("a scrape came to nothing", exc_info=True)

    def server_bind(self) -> None:
        """Without looking up what this host is called, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Nothing: a line on stderr for each scrape helps nobody."""


def _checked(port: object) -> int:
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= _HIGHEST_PORT:
        raise ConfigError(f"port={shown(port)}: a number from 0 (any free one) to {_HIGHEST_PORT}")
    return port


def _resolved(addr: object, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    if not isinstance(addr, str):
        raise ConfigError(f"addr={shown(addr)}: the address to listen at, as text")
    try:
        family, *_, address = socket.getaddrinfo(addr, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"addr={shown(addr)} is no address to listen at: {error}") from error
    return family, (str(address[0]), port)
