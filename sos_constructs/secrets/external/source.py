"""The source that copies Secrets from a store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.judging import MAY_BE_EMPTY
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.external import authority, bootstrap, kubernetes, manifests, pins
from sos_constructs.secrets.external.bootstrap import Making
from sos_constructs.secrets.external.kubernetes import KubernetesStore
from sos_constructs.secrets.external.stores import Store, matched, words
from sos_constructs.secrets.model import SecretSpec
from sos_constructs.secrets.servers import Server, pooler_server, postgres_server

from attrs import field, frozen
from attrs.converters import optional


@checked
@frozen(kw_only=True)
class ExternalSecrets:
    """The Secrets are copies of documents in a store, made and kept up to date by the External Secrets Operator 0.17 or later.

    One JSON document per Secret, with the Secret's keys. The chart never holds a value, and neither does Git.

    :param store: where the documents are.
    :param namespace: namespace of the Secrets; the chart's.
    :param prefix: first part of every document's name: ``sos-app/postgres-credentials``. One per installation and environment. A store that knows no
        ``/`` gets a ``-``.
    :param refresh: how often the store is asked. Each time costs one request per Secret.
    :param cluster_store: a ClusterSecretStore, which only ``namespace`` may use, instead of a SecretStore.
    :param bootstrap: the operator itself makes the documents that are missing: every generated, derived and fixed key. What exists is never changed.
    :param adopt: the first step when a running installation moves into a store: nothing but that the live Secrets are written to documents which do not
        exist. Apply that once, then take ``bootstrap``.
    :param versions: a YAML file that says which version of a Secret's document is in use, one ``name: version`` a line. A change of it is a rotation, its
        revert the way back. Secrets that it does not name follow the newest.
    :param without: Secrets that come from somewhere else, such as ``("tls-certificates",)`` from cert-manager.
    :param postgres: names of the ``HaPostgres`` for which, and for whose poolers, the operator makes and renews certificates, with a CA that it keeps in the
        store. Default: with ``bootstrap`` those whose credentials are in the catalogue, ``("postgres",)`` of the platform's, otherwise none. ``()`` where
        cert-manager or your own CA does that.
    :raises InvalidOption: for a name the store refuses, an interval below a second or in parts of one, or an unknown Secret.
    """

    alone: ClassVar[bool] = False

    store: Store
    namespace: str = "sos-app"
    prefix: Annotated[str, MAY_BE_EMPTY] = "sos-app"
    refresh: timedelta = timedelta(hours=1)
    cluster_store: bool = False
    bootstrap: bool = False
    adopt: bool = False
    without: tuple[str, ...] = field(default=(), converter=words)
    postgres: tuple[str, ...] | None = field(default=None, converter=optional(words))
    versions: Path | None = field(default=None, converter=optional(Path))

    def __attrs_post_init__(self) -> None:
        names.dns_label("namespace", self.namespace, at_most=50)  # names made of it are labels, too
        matched("prefix", self.prefix, r"([\w.-]+(/[\w.-]+)*)?", "must be words of letters, digits, '-', '_' and '.', separated by single '/', or empty")
        _check_interval("refresh", self.refresh)
        if isinstance(self.store, KubernetesStore) and self.store.namespace == self.namespace:
            raise InvalidOption("store", self.store, "must be in another namespace: who may read Secrets in this one would have the originals, too")

        if self.adopt and self.bootstrap:
            raise InvalidOption("bootstrap", True, "cannot be combined with adopt: it could be first, with new values; adopt first, then bootstrap")
        if self.adopt and self.versions is not None:
            raise InvalidOption("versions", str(self.versions), "cannot be combined with adopt: adopt first, then pin")
        if self.adopt and isinstance(self.store, KubernetesStore):
            raise InvalidOption("adopt", True, "is not possible for a KubernetesStore, which PushSecret cannot ask what exists; copy the Secrets with kubectl")
        for name in self.postgres or ():
            names.service_name("postgres", name)
        if self.adopt and self.postgres:
            raise InvalidOption("postgres", self.postgres, "cannot be combined with adopt, which makes no value")

    def manifests(self, secrets: Collection[SecretSpec]) -> list[dict[str, Any]]:
        """Store, bootstrap and ExternalSecrets, in the order in which they must be applied."""
        known = [secret.name for secret in secrets]
        for name in self.without:
            if name not in known:
                raise InvalidOption("without", name, f"is no Secret of the catalogue{did_you_mean(str(name), known)}; there are {', '.join(known)}")
        pinned = self.pinned(name for name in known if name not in self.without)
        documents = {name: self.store.remote_key(self.prefix, pins.numbered(name, pinned.get(name))) for name in known if name not in self.without}
        ours = [secret for secret in secrets if secret.name in documents]
        store = self._store
        if self.adopt:
            return [*self._own_store(), *self._adopted(ours, documents, store)]
        external = [self._external(secret, store, documents[secret.name], pinned.get(secret.name)) for secret in ours]
        authorities = [(server, self.store.remote_key(self.prefix, authority.document_name(server))) for server in self._servers(secrets)]
        for server, document in authorities:
            signed = (server, pooler_server(server.name, self.namespace))  # one CA, so that whoever knows it verifies both
            external += [authority.certificate(each, self.namespace, store=store, remote_key=document) for each in signed]
        # a later version was made from the one before: made from nothing, it would lack every value that is still needed
        first = [secret for secret in ours if pinned.get(secret.name, 1) == 1]
        made = [Making(secret.name, documents[secret.name], bootstrap.document(secret)) for secret in first]
        made += [Making(authority.document_name(server), document, authority.authority(server, self.namespace)) for server, document in authorities]
        made = made if self.bootstrap else []
        if isinstance(self.store, KubernetesStore):
            read = [*documents.values(), *(document for _, document in authorities)]
            return [*self._own_store(), *self._inside(self.store.namespace, made, read, store), *external]
        return [*self._own_store(), *self._pushes(made, store), *external]

    def derived(self, name: str, secret: str, data: Mapping[str, str], catalogue: SecretCatalogue = SECRETS) -> dict[str, Any]:
        """An ExternalSecret that makes a Secret ``name`` of nothing but templates over the document of ``secret``.

        :raises InvalidOption: when that is no document of this source.
        """
        if secret not in catalogue or secret in self.without:
            raise InvalidOption("source", secret, "is no document of it; give the catalogue it is in, or take dsn_env(), which goes with every source")
        pin = self.pinned(catalogue.names).get(secret)
        found = manifests.extract(self.store.remote_key(self.prefix, pins.numbered(secret, pin)), self._version(pin))
        return manifests.derived(name, self.namespace, store=self._store, data_from=found, refresh=self.refresh, data=data)

    def pinned(self, names: Iterable[str]) -> Mapping[str, pins.Pin]:
        """What ``versions`` says of these Secrets."""
        if self.versions is None:
            return {}
        return pins.read(self.versions, list(names))

    def _external(self, secret: SecretSpec, store: Mapping[str, str], document: str, pin: pins.Pin | None) -> dict[str, Any]:
        return manifests.external_secret(secret, self.namespace, store=store, remote_key=document, refresh=self.refresh, version=self._version(pin))

    def _version(self, pin: pins.Pin | None) -> str | None:
        return self.store.version(pin) if isinstance(pin, str) else None

    @property
    def _store(self) -> dict[str, str]:
        return {"kind": "ClusterSecretStore" if self.cluster_store else "SecretStore", "name": self._name}

    def _servers(self, secrets: Collection[SecretSpec]) -> list[Server]:
        default = tuple(secret.postgres for secret in secrets if secret.postgres) if self.bootstrap else ()
        return [postgres_server(name, self.namespace) for name in (default if self.postgres is None else self.postgres)]

    @property
    def _name(self) -> str:
        return f"{self.namespace}-secrets"

    def _own_store(self) -> list[dict[str, Any]]:
        """The store object, and whom the operator acts as when it uses it."""
        annotations = self.store.account()
        account = [] if annotations is None else [manifests.service_account(self._name, self.namespace, annotations)]
        if not self.cluster_store:
            return [*account, manifests.store(self._name, self.namespace, self.store.provider({"name": self._name}))]
        inside = [self.store.namespace] if isinstance(self.store, KubernetesStore) and self.bootstrap else []
        provider = self.store.provider({"name": self._name, "namespace": self.namespace})
        return [*account, manifests.cluster_store(self._name, [self.namespace, *inside], provider)]

    def _pushes(self, made: Sequence[Making], store: Mapping[str, str]) -> list[dict[str, Any]]:
        generator, about = f"{self._name}-bootstrap", self.store.push_metadata()
        pushes = [bootstrap.push_new(making, self.namespace, store=store, generator=generator, about=about) for making in made]
        return [bootstrap.nothing(generator, self.namespace), *pushes] if pushes else []

    def _adopted(self, secrets: Sequence[SecretSpec], documents: Mapping[str, str], store: Mapping[str, str]) -> list[dict[str, Any]]:
        about = self.store.push_metadata()
        return [bootstrap.push_live(secret, self.namespace, store=store, remote_key=documents[secret.name], about=about) for secret in secrets]

    def _inside(self, namespace: str, made: Sequence[Making], read: Sequence[str], store: Mapping[str, str]) -> list[dict[str, Any]]:
        """Objects in the namespace that is the store: rights, and with ``bootstrap`` what makes the documents."""
        readers, objects = [(self.namespace, self._name)], list[dict[str, Any]]()
        if self.bootstrap and not self.cluster_store:  # a SecretStore cannot be used from another namespace
            own = f"{self._name}-bootstrap"
            readers, store = [*readers, (namespace, own)], {"kind": "SecretStore", "name": own}
            objects = [manifests.service_account(own, namespace, {}), manifests.store(own, namespace, self.store.provider({"name": own}))]
        objects += kubernetes.rights(self._name, namespace, readers, read)
        return [*objects, *(kubernetes.completed_document(making, namespace, store=store) for making in made)]


def _check_interval(option: str, value: object) -> None:
    if not isinstance(value, timedelta) or value < timedelta(seconds=1) or value.microseconds:
        raise InvalidOption(option, value, "must be a timedelta of whole seconds, at least one, for instance timedelta(hours=1)")
