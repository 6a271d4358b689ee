"""The parent's router: one thread that polls, decodes, decides and performs.

loop      the thread
world     what the parts of the router share
perform   effects to deeds: the only doer
calls     how other threads reach the router's
latch     what they wait for
timers    the clocks
orders    standing orders, sent until heard
post      how actors stand, told to who speaks to them; whom they seek; asks that wait for one another
letters   messages that nobody handles
watch     heartbeats and deadlines
reports   what the children say
seals     the check of tags, a slice at a time
records   lives and death reports
verbs     stop, kill, restart by name, glob or ref
listing   rows, health and sums, from what is known
sampling  figures, measured by whoever asks
control   the control socket
logs      child records to the parent's handlers, on a thread of their own
endings   exit, signals, and forked copies of the parent
"""
