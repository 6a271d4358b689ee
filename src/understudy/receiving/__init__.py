"""What takes an actor's messages, in the actor, and how its methods are called from elsewhere.

marks     the decorators `receives` and `callable_remotely`, and what a class makes of them
handlers  which method takes a message
deferred  an answer that is given later than by returning
calls     calls of methods, as messages
"""
