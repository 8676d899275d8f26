"""SosConfig: 13 ConfigMaps whose every key is typed, documented and knows where its value comes from.

Names are resolved on first use, so that reading the catalogue, layers and docs needs neither Node nor the time it takes to start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sos_constructs.config.catalogue import SOS
    from sos_constructs.config.checks import Rule, Waiver
    from sos_constructs.config.construct import PostgresEndpoint, SosConfig
    from sos_constructs.config.environments import Environment
    from sos_constructs.config.layers import Assignment, Layer, Setting
    from sos_constructs.config.model import Catalogue, Key, Section

__all__ = ["SOS", "Assignment", "Catalogue", "Environment", "Key", "Layer", "PostgresEndpoint", "Rule", "Section", "Setting", "SosConfig", "Waiver"]

_HOME = {
    "catalogue": ("SOS",),
    "checks": ("Rule", "Waiver"),
    "construct": ("PostgresEndpoint", "SosConfig"),
    "environments": ("Environment",),
    "layers": ("Assignment", "Layer", "Setting"),
    "model": ("Catalogue", "Key", "Section"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
