"""SosConfig: 13 ConfigMaps whose every key is typed, documented and knows where its value comes from.

Names are resolved on first use, so that reading the catalogue, layers and docs needs neither Node nor the time it takes to start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sos_constructs.config.construct import PostgresEndpoint, SosConfig
    from sos_constructs.config.environments import Environment
    from sos_constructs.config.layers import Assignment, Layer, Setting

__all__ = ["Assignment", "Environment", "Layer", "PostgresEndpoint", "Setting", "SosConfig"]

_HOME = {"Environment": "environments", "PostgresEndpoint": "construct", "SosConfig": "construct"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'layers')}"), name)
