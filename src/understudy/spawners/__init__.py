"""How processes come to be, and how they are ended; all signals are sent in this package.

base           the public Protocols: Target and Spawner, and the values that they exchange
circumstances  directory, environment, umask, paths and logging levels of the parent, for the child
guard          the leash: a child dies with its parent, whatever it is doing
zygote         parent side of the warm process that forks actors
nursery        that process
fresh          a fresh interpreter for each actor
family         who descends from whom, and the sweep of what an actor leaves behind
oom            whether the kernel killed for lack of memory
signals        the sending
"""

from understudy.spawners.base import Birth as Birth
from understudy.spawners.base import Born as Born
from understudy.spawners.base import Gone as Gone
from understudy.spawners.base import NotBorn as NotBorn
from understudy.spawners.base import Spawner as Spawner
from understudy.spawners.base import Target as Target
