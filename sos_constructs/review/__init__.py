"""What a change of manifests does once it is applied: ``sosctl diff``.

Two sets of manifests are compared object by object and field by field; a table of consequences, which is data, says what each change
comes to. Nothing here asks a cluster.
"""

from __future__ import annotations

from sos_constructs.review.judge import review
from sos_constructs.review.model import Change, Consequence, ObjectChange, Review
from sos_constructs.review.sources import ReviewInputError, load

__all__ = ["Change", "Consequence", "ObjectChange", "Review", "ReviewInputError", "load", "review"]
