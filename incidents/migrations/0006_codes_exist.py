"""What a foreign key would guard of an incident's codes, looked at once a statement instead of once a row and column.

Children: after an insert every code of the new rows must stand in its table, and is held there until the transaction ends, as a
foreign key would. Parents: a row that is still referred to cannot be deleted. docs/decisions/0030 says why.
"""

from django.db import migrations

PARENTS = {
    "region_id": "geography_region",
    "source_id": "incidents_source",
    "agency_id": "accounts_agency",
    "type_id": "incidents_incidenttype",
    "governorate_id": "geography_zone",
    "area_id": "geography_zone",
    "block_id": "geography_zone",
    "sector_id": "geography_zone",
}


def statement_check(name: str, parents: dict[str, str]) -> str:
    """A trigger function over ``new_rows``: the distinct codes first, then each parent once, locked against deletion."""
    wanted = " UNION ".join(f"SELECT '{column}'::text AS code, {column} AS id FROM combos WHERE {column} IS NOT NULL" for column in parents)
    held = ",\n    ".join(
        f"held_{column} AS (SELECT p.id FROM {table} p WHERE p.id IN (SELECT {column} FROM combos) FOR KEY SHARE)"
        for column, table in parents.items()
    )
    known = " UNION ALL ".join(f"SELECT '{column}'::text, id FROM held_{column}" for column in parents)
    return f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE missing text;
BEGIN
    WITH combos AS MATERIALIZED (SELECT DISTINCT {", ".join(parents)} FROM new_rows),
    {held}
    SELECT string_agg(lost.code || ' ' || lost.id, ', ') INTO missing FROM ({wanted} EXCEPT ({known})) lost;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION '% refers to what is not there: %', TG_TABLE_NAME, missing USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
"""


def row_check(name: str, parents: dict[str, str]) -> str:
    checks = "\n".join(
        f"    IF NEW.{column} IS NOT NULL AND NEW.{column} IS DISTINCT FROM OLD.{column} THEN\n"
        f"        PERFORM FROM {table} WHERE id = NEW.{column} FOR KEY SHARE;\n"
        f"        IF NOT FOUND THEN RAISE EXCEPTION '% refers to what is not there: {column} %', TG_TABLE_NAME, NEW.{column}\n"
        f"            USING ERRCODE = 'foreign_key_violation'; END IF;\n"
        f"    END IF;"
        for column, table in parents.items()
    )
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n{checks}\n    RETURN NULL;\nEND $$;\n"


def guarded(table: str, parents: dict[str, str]) -> tuple[str, str]:
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in parents)
    make = (
        statement_check(f"{table}_codes_exist", parents)
        + row_check(f"{table}_code_exists", parents)
        + f"""
CREATE TRIGGER codes_exist AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_codes_exist();
CREATE TRIGGER code_exists AFTER UPDATE OF {", ".join(parents)} ON {table} FOR EACH ROW WHEN ({changed})
    EXECUTE FUNCTION {table}_code_exists();
"""
    )
    unmake = f"""
DROP TRIGGER codes_exist ON {table}; DROP TRIGGER code_exists ON {table};
DROP FUNCTION {table}_codes_exist(); DROP FUNCTION {table}_code_exists();
"""
    return make, unmake


def kept(parent: str, referring: dict[str, list[str]]) -> tuple[str, str]:
    """The parent's side: a row that something refers to cannot go, nor change its number."""
    checks = "\n".join(
        f"    IF EXISTS (SELECT FROM {child} WHERE {' OR '.join(f'{column} = OLD.id' for column in columns)}) THEN\n"
        f"        RAISE EXCEPTION '% % is still referred to by {child}', TG_TABLE_NAME, OLD.id USING ERRCODE = 'foreign_key_violation';\n"
        f"    END IF;"
        for child, columns in referring.items()
    )
    make = f"""
CREATE FUNCTION {parent}_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{checks}
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER is_free BEFORE DELETE OR UPDATE OF id ON {parent} FOR EACH ROW EXECUTE FUNCTION {parent}_is_free();
"""
    return make, f"DROP TRIGGER is_free ON {parent}; DROP FUNCTION {parent}_is_free();"


STEPS = [
    guarded("incidents_incident", PARENTS),
    guarded("incidents_report", {"source_id": "incidents_source", "import_run_id": "incidents_importrun"}),
    kept("geography_region", {"incidents_incident": ["region_id"]}),
    kept("accounts_agency", {"incidents_incident": ["agency_id"]}),
    kept("incidents_incidenttype", {"incidents_incident": ["type_id"]}),
    kept("geography_zone", {"incidents_incident": ["governorate_id", "area_id", "block_id", "sector_id"]}),
    kept("incidents_source", {"incidents_incident": ["source_id"], "incidents_report": ["source_id"]}),
    kept("incidents_importrun", {"incidents_report": ["import_run_id"]}),
]


class Migration(migrations.Migration):
    dependencies = [("incidents", "0005_cheaper_bulk_import")]
    operations = [migrations.RunSQL(make, unmake) for make, unmake in STEPS]
