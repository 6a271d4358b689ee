"""The waits that come along, a module each: ports, sockets, files, HTTP, log lines, functions, several in sequence.

`from understudy import Port` and the like imports the one alone; `watched` has a subject for programs of your own.
"""
