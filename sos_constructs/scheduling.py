"""Where pods may run, in the words of Kubernetes' ``PodSpec``: the shapes of tolerations, affinity and topology spread constraints.

Source: Kubernetes API reference, Pod v1 core, and the API server's own validation of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sos_constructs import names
from sos_constructs.errors import InvalidOption
from sos_constructs.parts import Shape, any_text, fields, items, label_key, labels, number, one_of

_IN, _EXISTS, _COMPARED = ("In", "NotIn"), ("Exists", "DoesNotExist"), ("Gt", "Lt")
_ANY_SECONDS = number(-(2**31))


def toleration(option: str, value: object) -> None:
    """A toleration: whom it fits, and that its fields belong together."""
    fields(
        {
            "effect": one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
            "key": label_key,
            "operator": one_of("Equal", "Exists"),
            "tolerationSeconds": _ANY_SECONDS,
            "value": any_text,
        }
    )(option, value)
    assert isinstance(value, Mapping)
    exists = value.get("operator", "Equal") == "Exists"
    if "key" not in value and not exists:
        raise InvalidOption(option, value, "must have a key, or operator 'Exists', which tolerates every taint")
    if exists and value.get("value"):
        raise InvalidOption(f"{option}.value", value["value"], "must be left out with operator 'Exists'")
    if "value" in value:
        labels(option, {str(value.get("key", "key")): value["value"]})
    if "tolerationSeconds" in value and value.get("effect") != "NoExecute":
        raise InvalidOption(f"{option}.tolerationSeconds", value["tolerationSeconds"], "needs effect 'NoExecute': only that one ends pods")


def _requirement(*operators: str) -> Shape:
    shape = fields({"key": label_key, "operator": one_of(*operators), "values": items(any_text)}, required=("key", "operator"))

    def check(option: str, value: object) -> None:
        shape(option, value)
        assert isinstance(value, Mapping)
        operator, values = value["operator"], value.get("values", ())
        if operator in _IN and not values:
            raise InvalidOption(f"{option}.values", values, f"must have at least one value with operator {operator!r}")
        if operator in _EXISTS and values:
            raise InvalidOption(f"{option}.values", values, f"must be left out with operator {operator!r}")
        if operator in _COMPARED and (len(values) != 1 or not values[0].lstrip("-").isdigit()):
            raise InvalidOption(f"{option}.values", values, f"must be one whole number, as text, with operator {operator!r}")

    return check


def _namespace(option: str, value: object) -> None:
    names.dns_label(option, value)


LABEL_SELECTOR = fields({"matchExpressions": items(_requirement(*_IN, *_EXISTS)), "matchLabels": labels})

_NODE_NAME = fields({"key": one_of("metadata.name"), "operator": one_of(*_IN), "values": items(any_text, least=1)}, required=("key", "operator", "values"))
_NODE_TERM = fields({"matchExpressions": items(_requirement(*_IN, *_EXISTS, *_COMPARED)), "matchFields": items(_NODE_NAME)})
_POD_TERM = fields(
    {
        "labelSelector": LABEL_SELECTOR,
        "matchLabelKeys": items(label_key),
        "mismatchLabelKeys": items(label_key),
        "namespaceSelector": LABEL_SELECTOR,
        "namespaces": items(_namespace),
        "topologyKey": label_key,
    },
    required=("topologyKey",),
)
_WEIGHT = number(1, 100)
_POD_AFFINITY = fields(
    {
        "preferredDuringSchedulingIgnoredDuringExecution": items(
            fields({"podAffinityTerm": _POD_TERM, "weight": _WEIGHT}, required=("podAffinityTerm", "weight")),
        ),
        "requiredDuringSchedulingIgnoredDuringExecution": items(_POD_TERM),
    }
)

affinity = fields(
    {
        "nodeAffinity": fields(
            {
                "preferredDuringSchedulingIgnoredDuringExecution": items(
                    fields({"preference": _NODE_TERM, "weight": _WEIGHT}, required=("preference", "weight")),
                ),
                "requiredDuringSchedulingIgnoredDuringExecution": fields({"nodeSelectorTerms": items(_NODE_TERM, least=1)}, required=("nodeSelectorTerms",)),
            }
        ),
        "podAffinity": _POD_AFFINITY,
        "podAntiAffinity": _POD_AFFINITY,
    }
)
"""A pod's ``affinity``."""

_SPREAD = fields(
    {
        "labelSelector": LABEL_SELECTOR,
        "matchLabelKeys": items(label_key),
        "maxSkew": number(1),
        "minDomains": number(1),
        "nodeAffinityPolicy": one_of("Honor", "Ignore"),
        "nodeTaintsPolicy": one_of("Honor", "Ignore"),
        "topologyKey": label_key,
        "whenUnsatisfiable": one_of("DoNotSchedule", "ScheduleAnyway"),
    },
    required=("maxSkew", "topologyKey", "whenUnsatisfiable"),
)


def topology_spread(option: str, value: object) -> None:
    """One of a pod's ``topologySpreadConstraints``."""
    _SPREAD(option, value)
    assert isinstance(value, Mapping)
    if "minDomains" in value and value["whenUnsatisfiable"] != "DoNotSchedule":
        raise InvalidOption(f"{option}.minDomains", value["minDomains"], "needs whenUnsatisfiable 'DoNotSchedule'")


def check_spread(option: str, value: object) -> None:
    """All constraints of a pod: each kind of domain once for each answer, as the API server demands."""
    items(topology_spread)(option, value)
    assert isinstance(value, (list, tuple))
    pairs = [(each["topologyKey"], each["whenUnsatisfiable"]) for each in value]
    for pair in pairs:
        if pairs.count(pair) > 1:
            raise InvalidOption(option, pair[0], f"stands twice with whenUnsatisfiable {pair[1]!r}; the API server takes one of each")


__all__ = ["LABEL_SELECTOR", "affinity", "check_spread", "toleration", "topology_spread"]
