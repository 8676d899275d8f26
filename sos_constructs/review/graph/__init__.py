"""A picture of what a set of manifests will run: ``sosctl graph``.

Services and the pods behind them, what those pods read and store, and who may talk to them.
"""

from __future__ import annotations

from sos_constructs.review.graph.build import build
from sos_constructs.review.graph.mermaid import mermaid
from sos_constructs.review.graph.model import Edge, Graph, Node
from sos_constructs.review.graph.svg import svg

__all__ = ["Edge", "Graph", "Node", "build", "mermaid", "svg"]
