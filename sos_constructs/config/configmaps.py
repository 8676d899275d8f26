"""The ConfigMaps as plain dicts, one per section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sos_constructs import names
from sos_constructs.config.checks import Waiver
from sos_constructs.config.layers import Setting
from sos_constructs.config.model import Catalogue, Section
from sos_constructs.errors import InvalidOption
from sos_constructs.labels import PART_OF, labels
from sos_constructs.rollout import checksum

from attrs import frozen

_HASH_DIGITS = 10
"""Hexadecimal digits of the content's hash in a name: as many characters as kustomize's, 40 bits."""


@frozen(eq=False, kw_only=True)
class ConfigSpec:
    """The validated options of ``SosConfig``.

    :param prefix: first part of every ConfigMap's name.
    :param catalogue: sections and keys.
    :param settings: every key of the catalogue with its value.
    :param layers: names of the layers, the lowest first.
    :param part_of: value of the label ``app.kubernetes.io/part-of``.
    :param content_hash_names: whether names end with a hash of the data and ConfigMaps are immutable.
    :param reloader: whether Reloader is to restart those who use a ConfigMap when it changes.
    """

    prefix: str
    catalogue: Catalogue
    settings: Mapping[str, Setting]
    layers: tuple[str, ...]
    part_of: str = PART_OF
    content_hash_names: bool = False
    reloader: bool = False

    def __attrs_post_init__(self) -> None:
        names.dns_label("prefix", self.prefix)
        names.label_pair("app.kubernetes.io/part-of", self.part_of)
        if self.content_hash_names and self.reloader:
            raise InvalidOption("reloader", True, "waits for changes that immutable ConfigMaps never have; leave it or content_hash_names out")

    def name(self, section: Section) -> str:
        """The ConfigMap's name."""
        name = f"{self.prefix}-{section.suffix}"
        return f"{name}-{checksum(self.data(section))[:_HASH_DIGITS]}" if self.content_hash_names else name

    def data(self, section: Section) -> dict[str, str]:
        """The ConfigMap's data, sorted by key."""
        return {name: self.settings[name].text for name in sorted(key.name for key in section.keys)}

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """Rules that are broken on purpose, in the catalogue's order."""
        found = {waiver.rule.id: waiver for setting in self.settings.values() for waiver in setting.waivers}
        return tuple(found[rule.id] for rule in self.catalogue.rules if rule.id in found)


def config_map(spec: ConfigSpec, section: Section) -> dict[str, Any]:
    """The ConfigMap of one section."""
    metadata = {
        "name": spec.name(section),
        "labels": labels("sos-config", spec.prefix, "configuration") | {"app.kubernetes.io/part-of": spec.part_of},
        "annotations": _annotations(spec, section),
    }
    immutable = {"immutable": True} if spec.content_hash_names else {}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **immutable, "data": spec.data(section)}


def _annotations(spec: ConfigSpec, section: Section) -> dict[str, str]:
    """What the ConfigMap is for, the layers that set a value in it (the lowest first), the rules it breaks on purpose, and what rollout tools need."""
    settings = [spec.settings[key.name] for key in section.keys]
    used = {setting.layer for setting in settings}
    annotations = {"sos-app/layers": ",".join(layer for layer in spec.layers if layer in used)}
    if section.doc:
        annotations["kubernetes.io/description"] = section.doc
    if waived := {waiver.rule.id: waiver.reason for setting in settings for waiver in setting.waivers}:
        annotations["sos-app/waived-rules"] = "; ".join(f"{id}: {waived[id]}" for id in sorted(waived))
    if spec.content_hash_names:  # pods of the old version need the old ConfigMap until the last of them is gone
        annotations["argocd.argoproj.io/sync-options"] = "PruneLast=true"
    if spec.reloader:
        annotations["reloader.stakater.com/match"] = "true"
    return dict(sorted(annotations.items()))


def manifests(spec: ConfigSpec) -> list[dict[str, Any]]:
    """One ConfigMap per section, in the catalogue's order."""
    return [config_map(spec, section) for section in spec.catalogue.sections]
