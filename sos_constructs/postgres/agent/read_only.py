"""What lets a role read all that a database's owner has and will have in it, and what takes that away.

The server composes the statements from its own catalogue, in a DO block. No name of a table passes through psql.
"""

from __future__ import annotations

from .psql import literal

# The superuser runs these in a database whose owner may have made functions and operators. psql.py sees to it that only the catalogue's own are found.

_WHO = """
WITH who AS (
  SELECT o.oid AS owner, o.rolname AS owner_name, r.oid AS reader, r.rolname AS reader_name
  FROM pg_catalog.pg_roles AS o, pg_catalog.pg_roles AS r WHERE o.rolname = {owner} AND r.rolname = {reader} AND NOT o.rolsuper
)"""
_SCHEMAS = """
SELECT pg_catalog.format('{verb} USAGE ON SCHEMA %I {to} %I', n.nspname, reader_name) FROM pg_catalog.pg_namespace AS n, who
WHERE (n.nspowner = owner OR n.nspname = 'public') AND n.nspname !~ '^pg_' AND {schema_is}"""
_TABLES = """
SELECT pg_catalog.format('{verb} SELECT ON TABLE %I.%I {to} %I', n.nspname, c.relname, reader_name)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace, who
WHERE c.relowner = owner AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND {table_is}"""
_LATER = """
SELECT pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I {verb} %s {to} %I', owner_name, right_on, reader_name)
FROM (VALUES ('n', 'USAGE ON SCHEMAS'), ('r', 'SELECT ON TABLES'), ('S', 'SELECT ON SEQUENCES')) AS later (kind, right_on), who
WHERE {not_} EXISTS (
  SELECT FROM pg_catalog.pg_default_acl AS d, pg_catalog.aclexplode(d.defaclacl) AS a
  WHERE d.defaclrole = owner AND d.defaclnamespace = 0 AND d.defaclobjtype = later.kind::"char" AND a.grantee = reader
)"""
_QUERY = f"{_WHO}{_SCHEMAS}\nUNION ALL{_TABLES}\nUNION ALL{_LATER}"
_GRANTS = {
    "verb": "GRANT",
    "to": "TO",
    "not_": "NOT",
    "schema_is": "NOT pg_catalog.has_schema_privilege(reader, n.oid, 'USAGE')",
    "table_is": "NOT pg_catalog.has_table_privilege(reader, c.oid, 'SELECT')",
}
_HAS = """EXISTS (
  SELECT FROM pg_catalog.aclexplode({acl}) AS a WHERE a.grantee = reader AND a.privilege_type = '{right}'
)"""
_REVOKES = {
    "verb": "REVOKE",
    "to": "FROM",
    "not_": "",
    "schema_is": _HAS.format(acl="n.nspacl", right="USAGE"),
    "table_is": _HAS.format(acl="c.relacl", right="SELECT"),
}


def missing(owner: str, reader: str) -> str:
    """A query for the statements that are still needed; no row when the role can read all there is and will be."""
    return _query(owner, reader, _GRANTS)


def grant(owner: str, reader: str) -> str:
    """Run them."""
    return _run(_query(owner, reader, _GRANTS))


def revoke(owner: str, reader: str) -> str:
    """Take back all that :func:`grant` gave. What else the owner granted stays."""
    return _run(_query(owner, reader, _REVOKES))


def _query(owner: str, reader: str, words: dict[str, str]) -> str:
    return _QUERY.format(owner=literal(owner), reader=literal(reader), **words)


def _run(query: str) -> str:
    return f"DO $sos$ DECLARE statement text; BEGIN FOR statement IN {query} LOOP EXECUTE statement; END LOOP; END $sos$"
