"""What crosses between processes, and in which form.

messages  the closed union of what parent and child say, in the order of their dialogue
codec     messages to frames and back: total, versioned, bounded
keys      the tag that a pickle must bear to be opened
pickling  objects to pickle frames and back, with errors that name the attribute
payload   messages as msgpack, where that carries them faithfully
sealing   messages to what travels and back: msgpack or a tagged pickle, its large buffers lent
bulk      the large buffers: lent by one process, borrowed by another, given back (arena, mapping: their memory)
page      the memory that an incarnation shares with its parent
sockets   the only module that knows ZeroMQ
"""
