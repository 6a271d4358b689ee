"""State that travels: which kinds of object do, how, and which are refused, with what to do instead.

table       the kinds, a line each, and what users add to them
refusal     how a reducer refuses
threads     locks, events, queues
files       open files, temporary ones
memory      views, maps, shared memory
logs        loggers and their handlers
weak        references that hold nothing
values      functions with a cache, iterators over what travels, and other plain things
libraries   shared libraries, with what was said of their functions
hung        attributes that users hang on all of these
names       what is known by its name: modules, sentinels
findable    whether an import would find a module again
classes     classes and enums by value, as they were
sources     the lines of functions by value, for tracebacks
exceptions  with their chain, and the traceback as text
paths       the way to what cannot travel
"""

from understudy.wire.travelling.table import travels as travels
