"""The agent: keeps a running PostgreSQL member equal to what is declared in its mounted files.

It is part of the library's tests and travels in a ConfigMap to run on the database image's own Python (>= 3.9, standard library only).
As init container (``python3 -m agent render``) it writes Patroni's configuration; as sidecar (``python3 -m agent run``) it reconciles:
reads what is declared, reads what is, acts on the difference, logs one JSON line per action, and never makes the database depend on it.
"""
