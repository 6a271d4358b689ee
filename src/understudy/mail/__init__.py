"""Sending messages to actors, from any process of their system.

office: one process's mail, and what it knows of actors · sender: one thread's socket · link: its way to one actor ·
flusher: what sends the ends of batches · courier: the same for asyncio · crowd: several actors at once
"""
