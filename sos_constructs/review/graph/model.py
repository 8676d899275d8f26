"""Boxes and lines, before anybody thinks of where they go."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Kind(Enum):
    """What a box stands for: its word, and the column in which it is drawn."""

    PEER = ("allowed by policy", 0)
    SERVICE = ("Service", 1)
    WORKLOAD = ("", 2)
    ACCOUNT = ("ServiceAccount", 3)
    CONFIG_MAP = ("ConfigMap", 3)
    SECRET = ("Secret", 3)
    VOLUME = ("Volume", 3)
    TARGET = ("allowed by policy", 3)
    ELSEWHERE = ("for pods elsewhere", 1)

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def column(self) -> int:
        return self.value[1]


@frozen
class Node:
    """One box.

    :param id: unique in the graph.
    :param kind: what it stands for.
    :param title: its name.
    :param details: further lines.
    :param caption: the word above the title, where it is not the kind's.
    :param known: whether it stands in the manifests; what is only referred to is drawn with a broken line.
    """

    id: str
    kind: Kind
    title: str
    details: tuple[str, ...] = ()
    caption: str = ""
    known: bool = True

    @property
    def word(self) -> str:
        return self.caption or self.kind.word


@frozen
class Edge:
    """One line from a box to another, in the direction in which somebody asks: a client a Service, a pod its ConfigMap."""

    source: str
    target: str
    label: str = ""
    traffic: bool = False
    """Whether it stands for traffic that a NetworkPolicy allows."""


@frozen
class Graph:
    """All of it, in a fixed order."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
