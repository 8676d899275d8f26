"""Secret of the object storage: one of three providers. Data only."""

from __future__ import annotations

from sos_constructs.secrets.model import CLOUD, NEVER, Key, SecretSpec

_NO_STORAGE = "No photos, recordings or documents, unless another provider is set up."


def _place(key: str, meaning: str, pattern: str, obtain: str) -> Key:
    """Where things are stored: not secret, and needed with or without static credentials."""
    return Key(key=key, origin="issued", form="text", rotation=NEVER, optional=True, meaning=meaning, breaks=_NO_STORAGE, obtain=obtain, pattern=pattern)


def _static(key: str, meaning: str, identity: str, console: str, *, pattern: str = "", service_account: bool = False) -> Key:
    """Static credentials: only where pods have no identity at the provider."""
    return Key(
        key=key,
        origin="federated",
        form="service-account" if service_account else "token",
        rotation=CLOUD,
        optional=True,
        meaning=meaning,
        breaks="Nothing where pods have an identity at the provider; else as its bucket.",
        obtain=f"better none: {identity}; else {console}",
        pattern=pattern,
    )


_AWS = ("EKS Pod Identity or IRSA", "AWS console → IAM → Users → Security credentials, or your S3-compatible store")
_GCP = ("Workload Identity Federation for GKE", "Google Cloud console → IAM → Service accounts → Keys")
_AZURE = ("Microsoft Entra Workload ID", "Azure portal → Storage account → Access keys")
_BUCKET = "[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"

OBJECT_STORAGE = SecretSpec(
    name="object-storage-credentials",
    attribute="object_storage",
    meaning="Object storage at AWS (or anything that speaks S3), Google Cloud or Azure: one of them.",
    one_of=(("s3-bucket", "s3-region"), ("gcs-bucket",), ("azure-storage-account-name", "azure-storage-container")),
    keys=(
        _static("s3-access-key-id", "Access key for S3.", *_AWS),
        _static("s3-secret-access-key", "Secret of that access key.", *_AWS),
        _place("s3-bucket", "Bucket.", _BUCKET, "AWS console → S3"),
        _place("s3-region", "Region of the bucket.", "[a-z0-9-]+", "AWS console → S3"),
        _static("gcs-service-account-json", "Service account for Cloud Storage (JSON file).", *_GCP, service_account=True),
        _place("gcs-bucket", "Bucket.", _BUCKET, "Google Cloud console → Cloud Storage"),
        _place("azure-storage-account-name", "Storage account.", "[a-z0-9]{3,24}", "Azure portal → Storage accounts"),
        _static("azure-storage-account-key", "Key of that account.", *_AZURE, pattern="[A-Za-z0-9+/]{86}=="),
        _place("azure-storage-container", "Container.", "[a-z0-9](-?[a-z0-9]){2,62}", "Azure portal → Storage account → Containers"),
    ),
)
