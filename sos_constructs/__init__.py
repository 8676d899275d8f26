"""cdk8s constructs for an SOS emergency platform: configuration, secrets and a highly available PostgreSQL."""

from sos_constructs import _node

_node.choose()

__all__: list[str] = []
