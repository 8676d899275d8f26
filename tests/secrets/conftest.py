from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sos_constructs.secrets.generate import Generated, generate
from sos_constructs.secrets.stored import StoredSecret, dump, read, select

import pytest

NOW = datetime(2030, 5, 17, 12, 0, tzinfo=UTC)


def stored_of(generated: Generated) -> dict[str, StoredSecret]:
    """The generated Secrets as they are read again."""
    return select(read(dump(generated.manifests), "generated"), [m["metadata"]["name"] for m in generated.manifests], "generated")


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def generated() -> Generated:
    """One complete generated set, made once: RSA keys take a moment."""
    return generate({}, now=NOW)


@pytest.fixture(scope="session")
def stored(generated: Generated) -> Mapping[str, StoredSecret]:
    return stored_of(generated)
