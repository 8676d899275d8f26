"""cdk8s constructs for an SOS emergency platform: configuration, secrets and a highly available PostgreSQL."""

from sos_constructs import _node  # first: it decides which Node jsii runs on, and any import below starts jsii

_node.choose()

__all__: list[str] = []
