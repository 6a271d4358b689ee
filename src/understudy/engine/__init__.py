"""What runs in the child: from the fork to the exit.

boot      guard, circumstances, signals, sockets, opening the state, READY
act       one life: laps, the graceful end, or the telling of a crash and what the verdict asks
laps      the loop over the three sections
sections  one section with its deadline, and the interrupts that end it
hooks     finding the user's hooks, and running async ones
halt      the wish to stop, seen by whoever runs, sleeps or waits
link      the thread that hears orders, beats, and watches deadlines
outbox    what the process says to its parent
telling   errors as plain facts
inside    what the user's object may ask of all this
streams   log records and the last lines of stderr
leave     the way out
"""
