"""The table of consequences: Secrets and ConfigMaps, those of HaPostgres among them."""

from __future__ import annotations

from sos_constructs.review.model import Consequence
from sos_constructs.review.rows import Row

_UPDATE = "pkg/apis/core/validation/validation.go, ValidateConfigMapUpdate, ValidateSecretUpdate"
_MOUNTED = "Kubernetes documentation, ConfigMaps: mounted ones are updated automatically, environment variables and subPath mounts are not"
_POSTGRES = "docs/reference/ha-postgres.md, How a change arrives"
_BOTH = ("/ConfigMap", "/Secret")
_VALUES = ("data **", "binaryData **")

SECRETS = (
    Row(id="secret-values", kinds=("/Secret",), fields=("+", "data **", "stringData **", "metadata annotations kubectl.kubernetes.io/last-applied-configuration"), when="has values", consequence=Consequence.SECRET,
        why="Values of a Secret stand in the manifests: take them out, and out of version control; if others could read them, make new ones.", source="Kubernetes documentation, Good practices for Kubernetes Secrets"),
    Row(id="secret-type", kinds=("/Secret",), fields=("type",), consequence=Consequence.FORBIDDEN,
        why="The type of a Secret is fixed: delete and create it.", source=_UPDATE),
    Row(id="immutable-data", kinds=_BOTH, fields=(*_VALUES, "stringData **", "immutable"), when="was immutable", consequence=Consequence.FORBIDDEN,
        why="It is immutable: put the new content under another name, and delete this one when no pod uses it.", source=_UPDATE),
    Row(id="content-name", kinds=_BOTH, fields=("metadata name",), when="has a new name", consequence=Consequence.NONE,
        why="The name follows the content: pods of the old version keep the old object until the last of them is gone; prune it after that.", source="Kubernetes documentation, ConfigMaps, Immutable ConfigMaps"),
    Row(id="immutable-set", kinds=_BOTH, fields=("immutable",), consequence=Consequence.NONE,
        why="From now on its content is fixed; what pods read stays the same.", source=_UPDATE),
)

HA_POSTGRES = (
    Row(id="postgres-comment", kinds=("/ConfigMap",), fields=("data postgresql.conf []", "data *.json []"), when="of HaPostgres", consequence=Consequence.NONE,
        why="Comments, order or layout: PostgreSQL and Patroni read the same.", source=_POSTGRES),
    Row(id="postgres-restart-setting", kinds=("/ConfigMap",), fields=("data postgresql.conf *",), when="setting of HaPostgres that needs a restart", consequence=Consequence.RESTART,
        why="PostgreSQL takes this setting only when it starts: the pod template's checksum replaces the members one after the other.", source="PostgreSQL manual, pg_settings, context postmaster"),
    Row(id="postgres-shared-setting", kinds=("/ConfigMap",), fields=("data patroni.json bootstrap dcs postgresql parameters *",), when="setting of HaPostgres that needs a restart", consequence=Consequence.RESTART,
        why="All members share this setting, and PostgreSQL takes it only when it starts: the agents restart it in the pods it has, one member at a time.", source="sos_constructs/postgres/agent/restarts.py"),
    Row(id="postgres-setting", kinds=("/ConfigMap",), fields=("data postgresql.conf *",), when="of HaPostgres", consequence=Consequence.RELOAD,
        why="The agent has Patroni reload PostgreSQL when the file has arrived, within about a minute and a half.", source=_POSTGRES),
    Row(id="patroni-dynamic", kinds=("/ConfigMap",), fields=("data patroni.json bootstrap dcs **",), when="of HaPostgres", consequence=Consequence.RELOAD,
        why="The primary's agent writes it to Patroni's store, and all members take it from there.", source=_POSTGRES),
    Row(id="patroni-bootstrap", kinds=("/ConfigMap",), fields=("data patroni.json bootstrap **",), when="of HaPostgres", consequence=Consequence.NONE,
        why="Used only when a cluster is created: the running one was created with the old value.", source="Patroni documentation, YAML Configuration Settings, bootstrap"),
    Row(id="patroni-start", kinds=("/ConfigMap",), fields=(
            *(f"data patroni.json {field} **" for field in ("kubernetes", "restapi", "scope")), *(f"data patroni.json postgresql {field} **" for field in ("bin_dir", "custom_conf", "data_dir", "listen", "use_unix_socket")),
        ), when="of HaPostgres", consequence=Consequence.RESTART,
        why="Patroni reads it when it starts: the pod template's checksum replaces the members one after the other.", source="sos_constructs/postgres/patroni.py, restart_parts"),
    Row(id="patroni-local", kinds=("/ConfigMap",), fields=("data patroni.json **",), when="of HaPostgres", consequence=Consequence.RELOAD,
        why="The agent renders it and has Patroni reload.", source=_POSTGRES),
    Row(id="postgres-databases", kinds=("/ConfigMap",), fields=("data databases.json **",), when="of HaPostgres", consequence=Consequence.RELOAD,
        why="The primary's agent compares and acts; it never drops a database, a role or a table.", source=_POSTGRES),
    Row(id="postgres-agent", kinds=("/ConfigMap",), fields=("data *.py",), when="agent of HaPostgres", consequence=Consequence.RELOAD,
        why="The agent restarts itself when its files have changed; PostgreSQL keeps running.", source=_POSTGRES),
)

READERS = (
    Row(id="placeholder", kinds=("/Secret",), fields=("+", "data **", "stringData **"), consequence=Consequence.NONE,
        why="Placeholders without a value.", source="docs/reference/secrets.md"),
    Row(id="read-at-start", kinds=("/ConfigMap",), fields=_VALUES, when="read at start", consequence=Consequence.RECREATE,
        why="{readers} read it when they start and are not replaced by this change: kubectl rollout restart, or a checksum in the pod template.", source=_MOUNTED),
    Row(id="read-by-new-pods", kinds=("/ConfigMap",), fields=_VALUES, when="read by pods that are replaced", consequence=Consequence.RESTART,
        why="{readers} read it and are replaced by this change anyway.", source=_MOUNTED),
    Row(id="read-as-file", kinds=("/ConfigMap",), fields=_VALUES, when="read as a file", consequence=Consequence.RELOAD,
        why="{readers} see the new file within about a minute and a half; whether the program reads it again is up to it.", source=_MOUNTED),
    Row(id="read-next", kinds=("/ConfigMap",), fields=_VALUES, when="read by new objects or the next run", consequence=Consequence.NONE,
        why="{readers} read it when they start next; no pod that runs does.", source=_MOUNTED),
    Row(id="content-unread", kinds=_BOTH, fields=_VALUES, when="has a new name", consequence=Consequence.NONE,
        why="No pod of these manifests reads it: those elsewhere keep the old object until their own manifests name the new one.", source=_MOUNTED),
    Row(id="read-elsewhere", kinds=("/ConfigMap",), fields=_VALUES, consequence=Consequence.RECREATE,
        why="No pod of these manifests reads it: those elsewhere see it as a file within about a minute and a half, as environment variables only after a restart.", source=_MOUNTED),
    Row(id="unread-gone", kinds=_BOTH, fields=("-",), when="read by nobody", consequence=Consequence.NONE,
        why="No pod of the new manifests reads it; prune it last, since pods of an older rollout may still start with it.", source="Kubernetes documentation, ConfigMaps, Immutable ConfigMaps"),
)

DATA: tuple[Row, ...] = (*SECRETS, *HA_POSTGRES, *READERS)
