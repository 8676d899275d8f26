"""Kubernetes names and label values: the rules of the API server, checked before anything is emitted.

Rules: Kubernetes "Object Names and IDs" (RFC 1123; RFC 1035 for Services) and "Labels and Selectors".
"""

from __future__ import annotations

import re

from sos_constructs.errors import InvalidOption

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RBAC_NAME = re.compile(r"[^/%]+")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

#: Role objects may carry colons and capitals ("system:node"); the API server only forbids what breaks a URL path segment.
_RBAC_KINDS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})


def dns_label(option: str, value: object, *, at_most: int = 63) -> str:
    """Return ``value`` if it is a DNS-1123 label of at most ``at_most`` characters, else raise :class:`InvalidOption`."""
    if not isinstance(value, str) or not _DNS_LABEL.fullmatch(value) or len(value) > at_most:
        raise InvalidOption(
            option,
            value,
            f"must be a DNS-1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit, at most {at_most} characters",
        )
    return value


def service_name(option: str, value: object, *, at_most: int = 63) -> str:
    """Return ``value`` if it can be the name of a Service, or the beginning of one, else raise :class:`InvalidOption`.

    A Service's name is a DNS-1035 label: unlike other names it may not start with a digit.
    """
    if not isinstance(value, str) or not _SERVICE_NAME.fullmatch(value) or len(value) > at_most:
        raise InvalidOption(
            option,
            value,
            "must be a DNS-1035 label, as names of Services are: lower-case letters, digits and '-', "
            f"starting with a letter and ending with a letter or digit, at most {at_most} characters",
        )
    return value


def object_name(kind: str, value: object) -> str:
    """Return ``value`` if the API server takes it as ``metadata.name`` of that kind, else raise :class:`InvalidOption`."""
    option = f"{kind} metadata.name"
    if kind == "Service":
        return service_name(option, value)
    if kind == "Namespace":
        return dns_label(option, value)
    if kind not in _RBAC_KINDS:
        return dns_subdomain(option, value)
    if not isinstance(value, str) or not _RBAC_NAME.fullmatch(value) or value in (".", ".."):
        raise InvalidOption(option, value, "must be a path segment: any characters but '/' and '%'")
    return value


def dns_subdomain(option: str, value: object) -> str:
    """Return ``value`` if it is a DNS-1123 subdomain, which most names are, else raise :class:`InvalidOption`."""
    if not isinstance(value, str) or not _DNS_SUBDOMAIN.fullmatch(value) or len(value) > 253:
        raise InvalidOption(option, value, "must be a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', at most 253 characters")
    return value


def label_pair(key: str, value: object) -> None:
    """Raise :class:`InvalidOption` unless the API server takes ``key: value`` as a label."""
    prefix, slash, name = key.rpartition("/")
    if (slash and (not _DNS_SUBDOMAIN.fullmatch(prefix) or len(prefix) > 253)) or not _LABEL_NAME.fullmatch(name) or len(name) > 63:
        raise InvalidOption("label", key, "must be [prefix/]name with a name of at most 63 letters, digits, '-', '_' and '.'")
    if not isinstance(value, str) or len(value) > 63 or (value and not _LABEL_NAME.fullmatch(value)):
        raise InvalidOption(
            f"label {key}", value, "must be a string of at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
        )
