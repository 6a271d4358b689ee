"""Pool: a `concurrent.futures.Executor` whose workers are actors.

schedule    which worker gets which tasks: pure
frames      what is said, as bytes: pure
functions   which functions need not be sent again
task        one task and its future
slots       the outcomes of one map, lighter than futures
callbacks   the thread of the users' callbacks
accounts    what is promised, and each one's outcome
channel     sockets and claims
worker      the actor that does the tasks
staff       the workers, as the pool sees them
reception   whoever connects
ears        what wakes the pool's thread
sending     tasks on their way
core        that thread, and the handing out
streaming   map and its kin
submitting  what tasks are made of
keyed       tasks under keys, and those that are Processes
progress    a bar
pool        Pool
"""

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from understudy.pool.keyed import TaskRecord as TaskRecord
    from understudy.pool.pool import Pool as Pool
    from understudy.pool.pool import PoolStats as PoolStats
    from understudy.pool.task import PoolBroken as PoolBroken
else:
    # Workers import this package too, and need none of these.
    _WHERE = {"Pool": "pool", "PoolBroken": "task", "PoolStats": "pool", "TaskRecord": "keyed"}

    def __getattr__(name: str) -> object:
        where = _WHERE.get(name)
        if where is None:
            raise AttributeError(f"module 'understudy.pool' has no attribute {name!r}")
        value = globals()[name] = getattr(_importlib.import_module(f"understudy.pool.{where}"), name)
        return value
