"""SosConfig: 13 ConfigMaps whose every key is typed, documented and knows where its value comes from."""

from __future__ import annotations

from sos_constructs.config.construct import PostgresEndpoint, SosConfig
from sos_constructs.config.environments import Environment
from sos_constructs.config.layers import Assignment, Layer, Setting

__all__ = ["Assignment", "Environment", "Layer", "PostgresEndpoint", "Setting", "SosConfig"]
