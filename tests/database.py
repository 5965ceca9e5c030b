"""A test database that is there at once, and empty again at once.

Migrating takes the better part of a minute and each test worker needs a database of its own: the first one migrates a template, and every
worker takes a copy of it. The template outlives the run in the test services' cluster; it is made anew when a migration, what a migration
reads, a requirement or the day changes (partitions by day are made for the day they are made on), and by ``--create-db``.

A test that commits (``transaction=True``) is cleaned up after by emptying what it filled: of some hundred and seventy tables that is
a handful, and TRUNCATE of all of them took longer than most of the tests themselves (docs/decisions/0325).
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import TransactionTestCase
from psycopg import sql

from iot.services.partitions import keep_days_ready

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = "khareetaty_template_"
# Rows of these belong to the tables, not to a test.
KEPT = frozenset({"django_content_type", "auth_permission", "django_migrations", "spatial_ref_sys"})
LITTER = 512 << 10  # bytes of an emptied table
LATECOMERS_S = 2.0  # how long a page's last request is waited for before its rows are swept


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_createdb: bool, django_db_blocker: Any
) -> Iterator[None]:
    """In place of pytest-django's: this worker's database is a copy of the template."""
    own = connection.settings_dict["TEST"].get("NAME") or f"test_{connection.settings_dict['NAME']}"
    with pytest.MonkeyPatch.context() as patch:
        with django_db_blocker.unblock(), _server() as server:
            server.execute("SELECT pg_advisory_lock(hashtext('khareetaty test databases'))")  # the other workers wait for the template
            template = _template(server, patch, anew=django_db_createdb)
            _drop(server, own)  # what a killed run left
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(own), sql.Identifier(template)))
            _point_at(own, patch)
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: empty())
        yield
        with django_db_blocker.unblock(), _server() as server:
            connections.close_all()
            if held := _holders(server, own):
                warnings.warn(f"Connections to {own} were left open; their last words: {held}", pytest.PytestWarning, stacklevel=1)
            _drop(server, own)


def empty() -> None:
    """Delete every row a test committed. Guards and foreign keys are asleep meanwhile: all of it goes, in whatever order."""
    with connection.cursor() as cursor:
        _wait_for_latecomers(cursor)
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition AND relname <> ALL(%s)",
            [list(KEPT)],
        )
        filled = ", ".join(f"CASE WHEN EXISTS (SELECT FROM {table}) THEN '{table}' END" for (table,) in cursor.fetchall())
        while True:  # again, should somebody's last request have been between two of its statements
            cursor.execute(f"SELECT array_remove(ARRAY[{filled}], NULL)")
            (left,) = cursor.fetchone()
            if not left:
                break
            with transaction.atomic():
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute("; ".join(f"DELETE FROM {table}" for table in left))
        _sweep_up(cursor)


def _sweep_up(cursor: Any) -> None:
    """What was deleted or rolled back still fills pages that every later look at the table reads, and that planners count."""
    cursor.execute(
        "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> ALL(%s)"
        " AND pg_relation_size(oid) > %s",
        [list(KEPT), LITTER],
    )
    if grown := [table for (table,) in cursor.fetchall()]:
        cursor.execute(f"VACUUM {', '.join(grown)}")


def _wait_for_latecomers(cursor: Any) -> None:
    """Until nobody else is in the middle of something on this database."""
    deadline = time.monotonic() + LATECOMERS_S
    while time.monotonic() < deadline:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND state <> 'idle')"
        )
        if not cursor.fetchone()[0]:
            return
        time.sleep(0.01)


@contextmanager
def _server() -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database that no test uses."""
    given = connection.settings_dict
    with psycopg.connect(
        dbname="postgres", user=given["USER"], password=given["PASSWORD"], host=given["HOST"], port=given["PORT"], autocommit=True
    ) as server:
        yield server


def _template(server: psycopg.Connection[Any], patch: pytest.MonkeyPatch, *, anew: bool) -> str:
    """The name of a migrated database that nobody works on. It has that name only once it is whole."""
    name = TEMPLATE + _fingerprint(anew=anew)
    there = [row[0] for row in server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [TEMPLATE])]
    if name in there:
        return name
    for old in there:
        _drop(server, old)
    half_made = f"{TEMPLATE}half_made"
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(half_made)))
    _point_at(half_made, patch)
    call_command("migrate", verbosity=0, interactive=False)
    keep_days_ready(now=datetime.now(UTC))  # else each test with a sensor makes ten tables for its readings, and takes them back
    connections.close_all()
    server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(half_made), sql.Identifier(name)))
    return name


def _fingerprint(*, anew: bool) -> str:
    """Of everything a migrated database depends on."""
    migrations = sorted(ROOT.glob("*/migrations/*.py"))
    read = {ROOT / "requirements.txt", *migrations}
    for migration in migrations:
        for module in re.findall(r"^(?:from|import) ([\w.]+)", migration.read_text(), re.MULTILINE):
            path = ROOT.joinpath(*module.split("."))
            read |= {file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}
    digest = hashlib.sha256(str(datetime.now(UTC).date()).encode())
    for file in sorted(read):
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    if anew:
        digest.update(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid())).encode())
    return digest.hexdigest()[:16]


def _point_at(name: str, patch: pytest.MonkeyPatch) -> None:
    """Have this process, all its threads and what it starts work on the database ``name``."""
    connections.close_all()
    patch.setitem(settings.DATABASES["default"], "NAME", name)
    patch.setitem(connection.settings_dict, "NAME", name)


def _holders(server: psycopg.Connection[Any], name: str) -> list[str]:
    """What those still connected to a database asked it last."""
    asked = "SELECT left(query, 300) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    return [row[0] for row in server.execute(asked, [name])]


def _drop(server: psycopg.Connection[Any], name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
