"""What runs in the containers of HaPostgres, as whom, and with what resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.quantities import MiB, parse_bytes, parse_millicores

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.pooler.options import Pooler

MOST_UID = 2**31 - 1


@checked_in_use
@attrs.frozen(kw_only=True)
class ImageProfile:
    """An image with PostgreSQL 15, Patroni >= 4.0.4 and Python >= 3.9. Its entry point is not used.

    :param image: the reference; pin a tag or digest.
    :param uid: numeric user that owns the processes and the data. It needs no entry in the image's passwd file.
        The option ``first_uid`` wins over it.
    :param gid: numeric group, also the pod's fsGroup.
    :param bin_dir: where PostgreSQL's programs stand.
    """

    image: str
    uid: int
    gid: int
    bin_dir: str = "/usr/lib/postgresql/15/bin"


SPILO = ImageProfile(image="ghcr.io/zalando/spilo-17:4.0-p3", uid=101, gid=103)
"""Zalando's image: PostgreSQL 13 to 17 and Patroni 4.0; this library uses its PostgreSQL 15."""

OFFICIAL = ImageProfile(image="localhost/postgres-patroni:15-4.1.5", uid=999, gid=999)
"""The official Debian ``postgres:15`` image with Patroni, built from ``images/postgres/Containerfile``; retag it for your registry."""


@checked_in_use
@attrs.frozen(kw_only=True)
class Resources:
    """Requests and limits of one container, as Kubernetes quantities. Defaults: the requirement's for PostgreSQL.

    :param cpu_request: what the scheduler reserves. Default ``500m``.
    :param cpu_limit: where the kernel throttles; parallel workers follow from it. Default ``2``.
    :param memory_request: what the scheduler reserves. Default ``1Gi``.
    :param memory_limit: where the kernel kills; memory settings follow from it and the request. Default ``4Gi``.
    :param hugepages_2mi: huge pages of 2 MiB, as request and limit, in whole pages. The node must have them. PostgreSQL uses them with
        ``parameters={"huge_pages": "on"}``. Default: none.
    """

    cpu_request: str = "500m"
    cpu_limit: str = "2"
    memory_request: str = "1Gi"
    memory_limit: str = "4Gi"
    hugepages_2mi: str | None = None

    def manifest(self) -> dict[str, dict[str, str]]:
        """The container's ``resources`` field."""
        huge = {} if self.hugepages_2mi is None else {"hugepages-2Mi": self.hugepages_2mi}
        return {
            "limits": {"cpu": self.cpu_limit, "memory": self.memory_limit, **huge},
            "requests": {"cpu": self.cpu_request, "memory": self.memory_request, **huge},
        }

    def check(self, option: str) -> None:
        """Raise :class:`InvalidOption` unless every quantity parses and no request exceeds its limit."""
        for what, parse in (("cpu", parse_millicores), ("memory", parse_bytes)):
            request, limit = getattr(self, f"{what}_request"), getattr(self, f"{what}_limit")
            if parse(f"{option}.{what}_request", request) > parse(f"{option}.{what}_limit", limit):
                raise InvalidOption(f"{option}.{what}_request", request, f"must not exceed {what}_limit={limit!r}")
        if self.hugepages_2mi is not None and parse_bytes(f"{option}.hugepages_2mi", self.hugepages_2mi) % (2 * MiB):
            raise InvalidOption(f"{option}.hugepages_2mi", self.hugepages_2mi, "must be a multiple of 2Mi, such as '1Gi'")


@checked_in_use
@attrs.frozen(kw_only=True)
class ExporterImage:
    """An image of postgres_exporter >= 0.15. Its entry point is used.

    :param image: the reference; pin a tag or digest.
    :param uid: numeric user of the process. It must not be the database's: PostgreSQL knows the exporter by it. The option ``first_uid`` wins over it.
    :param gid: numeric group.
    """

    image: str
    uid: int = 65534
    gid: int = 65534


POSTGRES_EXPORTER = ExporterImage(image="quay.io/prometheuscommunity/postgres-exporter:v0.19.1")
"""The project's own image. It names its user ``nobody`` by name only, which ``runAsNonRoot`` does not accept."""


def check_image(option: str, image: ImageProfile | ExporterImage) -> None:
    """Raise :class:`InvalidOption` for a reference or an id that the kubelet would refuse."""
    reference: object = image.image
    if not isinstance(reference, str) or not re.fullmatch(r"\S+", reference):
        raise InvalidOption(f"{option}.image", image.image, "must be a reference such as 'registry.example/postgres:15.4'")
    for field, value in (("uid", image.uid), ("gid", image.gid)):
        if type(value) is not int or not 1 <= value <= MOST_UID:
            fix = f"must be a numeric id from 1 to {MOST_UID}: the pod runs under Pod Security 'restricted'"
            raise InvalidOption(f"{option}.{field}", value, fix)
    if isinstance(image, ImageProfile) and not re.fullmatch(r"(/[A-Za-z0-9._+-]+)+", image.bin_dir):
        fix = "must be an absolute path, for instance '/usr/lib/postgresql/15/bin'"
        raise InvalidOption(f"{option}.bin_dir", image.bin_dir, fix)


def numbered(first_uid: int | None, image: ImageProfile, exporter: ExporterImage, pooler: Pooler | None) -> tuple[ImageProfile, ExporterImage, Pooler | None]:
    """The images with users of one range, each with its own: PostgreSQL knows the superuser and the exporter by their numbers.

    OpenShift takes every user of a namespace's range, and as group of volumes the first number alone (its SCC ``restricted-v2``).
    """
    given: object = first_uid
    if given is None:
        return image, exporter, pooler
    if type(given) is not int or not 1 <= given <= MOST_UID - 2:
        fix = "must be the first number of the namespace's range (annotation openshift.io/sa.scc.uid-range), such as 1000680000"
        raise InvalidOption("first_uid", given, fix)
    if isinstance(image, ImageProfile):
        image = attrs.evolve(image, uid=given, gid=given)
    if isinstance(exporter, ExporterImage):
        exporter = attrs.evolve(exporter, uid=given + 1, gid=given)
    if pooler is not None and attrs.has(type(pooler)) and attrs.has(type(pooler.image)):
        pooler = attrs.evolve(pooler, image=attrs.evolve(pooler.image, uid=given + 2, gid=given))
    return image, exporter, pooler
