"""Database connections of threads that stand for long."""

from __future__ import annotations

import select

from django.db import connections


def keep_connections() -> None:
    """At a thread's start: its connections outlive each piece of its work. A new one costs more than most work does."""
    for alias in connections:
        connection = connections[alias]
        connection.settings_dict = {**connection.settings_dict, "CONN_MAX_AGE": None}


def drop_dead_connections() -> None:
    """A server that went away has said so: there is something to read on a connection that asked nothing."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is None or connection.connection.closed:
            continue
        poll = select.poll()
        poll.register(connection.connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        if poll.poll(0):
            connection.close()
