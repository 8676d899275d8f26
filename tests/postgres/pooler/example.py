"""A specification with a pooler, and its objects."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres.pooler import Pooler
from sos_constructs.postgres.pooler.manifests import manifests
from sos_constructs.postgres.spec import Spec
from sos_constructs.secrets.handles import SecretHandle

from tests.postgres.example import spec

KEYS = {"pooler-username": "POOLER_USERNAME", "pooler-password": "POOLER_PASSWORD"}


def pooled(pooler: Any = None, **options: Any) -> Spec:
    """The defaults with a pooler, whose two keys the Secret has."""
    made = spec()
    options.setdefault("credentials", SecretHandle(made.credentials.name, {**made.credentials.keys, **KEYS}))
    return spec(pooler=Pooler() if pooler is None else pooler, **options)


def objects(made: Spec) -> dict[str, dict[str, Any]]:
    """By kind and name."""
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in manifests(made)}
