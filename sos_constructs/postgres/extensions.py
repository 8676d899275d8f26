"""Names of the extensions that PostgreSQL itself brings, so that a slip in one is found before a pod starts."""

from __future__ import annotations

import difflib

CONTRIB = frozenset(
    """
    adminpack amcheck autoinc bloom bool_plperl bool_plperlu btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance file_fdw
    fuzzystrmatch hstore hstore_plperl hstore_plperlu insert_username intagg intarray isn jsonb_plperl jsonb_plperlu lo ltree moddatetime
    old_snapshot pageinspect pg_buffercache pg_freespacemap pg_prewarm pg_stat_statements pg_surgery pg_trgm pg_visibility pg_walinspect
    pgcrypto pgrowlocks pgstattuple plperl plperlu plpgsql postgres_fdw refint seg sslinfo tablefunc tcn tsm_system_rows tsm_system_time
    unaccent uuid-ossp xml2
    """.split()  # noqa: SIM905 (a list of names, not one a line)
)
"""PostgreSQL 15 documentation, appendix F. An image may have any others, so an unknown name alone is no error."""


def misspelt(name: str) -> str:
    """The extension of PostgreSQL that was probably meant; empty for a name that may be another image's own."""
    if name in CONTRIB:
        return ""
    letters = name.replace("_", "").replace("-", "")
    same = [known for known in sorted(CONTRIB) if known.replace("_", "").replace("-", "") == letters]
    near = same or (difflib.get_close_matches(name, sorted(CONTRIB), n=1, cutoff=0.85) if len(name) > 5 else [])
    return near[0] if near else ""
