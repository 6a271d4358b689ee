"""Pool: a `concurrent.futures.Executor` whose workers are actors.

schedule    which worker gets which tasks: pure
frames      what is said, as bytes: pure
functions   which functions need not be sent again
task        one task and its future
channel     sockets and claims
worker      the actor that does the tasks
staff       the workers, as the pool sees them
core        the thread that hears them, and the handing out
streaming   map and its kin
pool        Pool

It exports nothing: a worker, which imports its module, would load all that stands here, each time.
"""
