from django.db.migrations import RunSQL


def append_only(table: str) -> RunSQL:
    """Guard ``table``: rows may be added and read, nothing else (the function is made by ``core.0002_append_only``)."""
    return RunSQL(
        f"""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION khareetaty_append_only();
        CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION khareetaty_append_only();
        """,
        f"DROP TRIGGER append_only ON {table}; DROP TRIGGER append_only_whole ON {table};",
    )
