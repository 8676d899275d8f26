"""A catalogue of Secrets as a value: the platform's, one of your own, or both together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.secrets.model import SecretSpec


@checked
class SecretCatalogue:
    """Secrets by name, in their order. Catalogues are added up: ``SECRETS + postgres_secret("shop", databases=[…])``.

    :param secrets: one row per Secret.
    :raises ValueError: for something that is no row, a name that Kubernetes refuses, or a name, an attribute, a key's environment variable or an
        installation of PostgreSQL that is there twice.
    """

    __slots__ = ("_by_name",)

    def __init__(self, secrets: Iterable[SecretSpec]) -> None:
        rows = tuple(secrets)
        for row in rows:
            given: object = row
            if not isinstance(given, SecretSpec):
                raise InvalidOption("catalogue", given, "must hold rows such as postgres_secret(…) makes")
            names.dns_subdomain("catalogue", row.name)
        _once("name", [row.name for row in rows])
        _once("attribute", [row.attribute for row in rows])
        _once("postgres", [row.postgres for row in rows if row.postgres])
        _once("environment variable", [key.env for row in rows for key in row.keys])
        self._by_name = {row.name: row for row in rows}

    def __iter__(self) -> Iterator[SecretSpec]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        """Whether there is a Secret of that name, or that row."""
        return name in self._by_name or (isinstance(name, SecretSpec) and self._by_name.get(name.name) == name)

    def __getitem__(self, name: str) -> SecretSpec:
        """The Secret of that name; raises :class:`InvalidOption` with the nearest name if there is none."""
        if name not in self._by_name:
            raise InvalidOption("secret", name, f"is not in the catalogue{did_you_mean(str(name), self._by_name)}; there are {', '.join(self._by_name)}")
        return self._by_name[name]

    def __add__(self, other: SecretCatalogue | SecretSpec) -> SecretCatalogue:
        """This catalogue and what is added."""
        if isinstance(other, SecretSpec):
            return SecretCatalogue((*self, other))
        if not isinstance(other, SecretCatalogue):
            return NotImplemented
        return SecretCatalogue((*self, *other))

    @checked
    def without(self, *names: str) -> SecretCatalogue:
        """This catalogue without the named Secrets.

        :raises InvalidOption: when there is no such Secret, with the nearest one that exists.
        """
        left_out = {self[name].name for name in names}
        return SecretCatalogue(row for row in self if row.name not in left_out)

    @property
    def names(self) -> tuple[str, ...]:
        """The Secrets' names."""
        return tuple(self._by_name)

    @property
    def postgres(self) -> tuple[str, ...]:
        """Names of the ``HaPostgres`` whose credentials are in it."""
        return tuple(row.postgres for row in self if row.postgres)


def _once(what: str, words: list[str]) -> None:
    if twice := sorted({word for word in words if words.count(word) > 1}):
        fix = f"are there twice as {what}" if len(twice) > 1 else f"is there twice as {what}"
        raise InvalidOption("catalogue", ", ".join(twice), f"{fix}; to put one in the place of another: SECRETS.without('name') + …")
