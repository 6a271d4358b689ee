"""What a system stands on: its directory, its leash, and the world that its router looks after."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Any

from understudy.config import SystemConfig
from understudy.errors import ConfigError
from understudy.lifecycle.governor import Governor
from understudy.lifecycle.registry import Registry
from understudy.observe import rundir
from understudy.observe.publisher import Publisher
from understudy.router.folders import made_directory
from understudy.router.logs import LogThread
from understudy.router.orders import OrdersDesk
from understudy.router.perform import perform
from understudy.router.post import Post
from understudy.router.timers import Timers
from understudy.router.world import World
from understudy.settings import shown
from understudy.spawners.base import Spawner
from understudy.spawners.circumstances import open_standard_descriptors
from understudy.spawners.fresh import FreshSpawner
from understudy.spawners.guard import Leash
from understudy.spawners.zygote import ZygoteSpawner
from understudy.wire.keys import new_key
from understudy.wire.ledger import accounts
from understudy.wire.sockets import TRANSPORTS, Hub
from understudy.wire.sockets import found as found_places

_MAX_REPORT = (1 << 30) + (1 << 20)


def found(
    name: str | None,
    preload: Iterable[str],
    config: SystemConfig,
    *,
    learn: bool,
    output_dir: str | os.PathLike[str] | None,
) -> tuple[World, Leash]:
    """A world in which nobody lives yet, and the lock that says that it does; nothing is left if it fails."""
    kept = None if output_dir is None else made_directory(output_dir)
    transport = _transport()
    open_standard_descriptors()
    with rundir.entrance():
        name = rundir.free_name() if name is None else rundir.check_system_name(name)
        directory = rundir.make(name)
        try:
            # Before the leash: whoever sees that the system lives looks for them.
            places = found_places(directory, transport)
            leash = Leash(directory)
        except OSError:
            shutil.rmtree(directory, ignore_errors=True)
            raise
    system = os.path.basename(directory)
    try:
        # The zygote first: it may refuse, and it must not inherit sockets.
        zygotes = ZygoteSpawner(system, directory, _names(preload), learn=learn)
        spawners: dict[str, Spawner] = {"process": zygotes, "spawn": FreshSpawner()}
        hub, timers, registry = Hub(places, _MAX_REPORT), Timers(), Registry()
        registry.governor, registry.max_depth = Governor(config.restarts_per_second), config.max_depth
        world = World(
            system=system,
            name=name,
            directory=directory,
            key=new_key(),
            hub=hub,
            spawners=spawners,
            publisher=Publisher(hub),
            timers=timers,
            orders=OrdersDesk(system, hub, timers),
            post=Post(system, hub, registry),
            logs=LogThread(name),
            registry=registry,
            output_dir=kept,
            perform=perform,
        )
    except BaseException:
        leash.release()
        places.close()
        shutil.rmtree(directory, ignore_errors=True)
        raise
    registry.archive.keep = world.refs.__contains__
    world.post.accounts = lambda uid: accounts(world.records[uid].begun)
    return world, leash


def _transport() -> str:
    """How the sockets of a new system are reached; its children learn it from its directory."""
    wanted = os.environ.get("UNDERSTUDY_TRANSPORT") or TRANSPORTS[0]
    if wanted not in TRANSPORTS:
        raise ConfigError(f"UNDERSTUDY_TRANSPORT={wanted}: give {' or '.join(TRANSPORTS)}, or leave it out")
    return wanted


def _names(preload: Iterable[str]) -> list[str]:
    names: Any = preload if isinstance(preload, str) or not isinstance(preload, Iterable) else list(preload)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"preload={shown(names)}: give a list of module names")
    return names
