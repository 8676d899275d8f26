"""A key pair of a Sealed Secrets controller for tests, opening what is sealed for it, and what kubeseal 0.27.1 sealed for it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

_P = int(
    "faa4ff1ae70bca1796cd5f8b96a868562e1c63a2a269189412fb74997da6bb81a5fdbe19187bb3734dc238ffc6209489949ff3b1ebfca1b1cde30ac401e2f822"
    "f59adc77edd4e277480609ba90900aaada85111ca0ff8fe97ead862bba41205a8d92ef664a2a57286bb253a11837ac809cee45ab851e0796c57d16220f2ef26f",
    16,
)
_Q = int(
    "c0934d96e1fb44ad4d17df1704daf3af74ba632c1f251bbe78708d354ce9acb0fce501f29a2e6b2300633aa594aa20ded5287bb7fa37b291ffa48584f412bd0d"
    "f11099a1954cdcd10442706c2c220fcef354240a868140a1c1825c9d7ae7577cd909776309f02c85e6fab689d34711d11da9bd09f1698d21f9081f5237ac7a4f",
    16,
)
_E = 65537


def _key() -> rsa.RSAPrivateKey:
    """Made for tests only: nothing was ever sealed for it in earnest."""
    d = pow(_E, -1, (_P - 1) * (_Q - 1))
    public = rsa.RSAPublicNumbers(_E, _P * _Q)
    return rsa.RSAPrivateNumbers(_P, _Q, d, rsa.rsa_crt_dmp1(d, _P), rsa.rsa_crt_dmq1(d, _Q), rsa.rsa_crt_iqmp(_P, _Q), public).private_key()


KEY = _key()
PRIVATE_PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()).decode()


def certificate(*, days: int = 3650) -> str:
    """A certificate for the key that ends in so many days."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sealed-secret")])
    ends = datetime.now(UTC) + timedelta(days=days)
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number(), ends - timedelta(days=2 * 3650), ends)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def unseal(text: str, label: str) -> bytes:
    """What the controller reads from a sealed value; raises for another label."""
    sealed = base64.b64decode(text, validate=True)
    length = int.from_bytes(sealed[:2], "big")
    session_key = KEY.decrypt(sealed[2 : 2 + length], OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), label.encode()))
    return AESGCM(session_key).decrypt(bytes(12), sealed[2 + length :], None)


BY_KUBESEAL = {
    "sos-app/redis-credentials": (
        "AQB7ktqWiLQVojA6m2HfUqY4qRYUfqp2paYohI1gJUfpwqFJyTJ+iDdv5Upu0N5tsw5S/Zbl6xvmvuYw4IX+SR6oU0E0OWexaoXXRZCSVYdn7TZe3bN/bHO5oNyDaiTr1z"
        "e0NkfGhZd3a8VTLYHsHKTPt9QEYBmYM6wb0EGpihnOT2WioCc+BmlDpspmnoyWkBcVLQiO5f1iTKWf3q/xyvH8D5qpVM38WHco8YZCgl501+1MgRVM9MWMYZ67w1Ia49jx"
        "azLfBGmVSW2Q3qIeEjghjIu960NRjExklnOvkJRfe8AHEatgGI/m7ARu7FoUqijYdUUtrWVJmxOMhTxxPU4jwFg+Bj3p9GHnrMuI0AiihKSk9MbZqGWNZ4wVY0kFCIW8yF"
        "M="
    ),
    "sos-app": (
        "AQCHLxJtxP5dzxrboWZhaa6pLgEGJMNCpGp0gUp6yfoPAYCDC2zWbnsORldfZLh+5pmQ2MR98UoLJ8uNqacK4msw8kkE4XboIrbVfT9kYWFQEEIOcH3O5ctLAwd1tS2yNi"
        "TaX+C2AeqOr2uhmSY3S2JZKKbqEd8Bw2ECElvG53kGDkXxtRFGvulcSmLT22EQ0FhlcD0nEl7HNY1nrF2n4PRSnI5OIfoxmp+dFyhRR7YZq6bnXz2nOZMA6raGatOYaUzO"
        "Qod9sYvAVlEp9H8tOK8KvVskYHRL7n4/BtB3VvqPLX5wRCacF9ugZ8GSIbaGrM8AK14UoevwAtJF6ANd5OaZK8Cdz/ZldHRCeFMOi+9qnxY3DcfYhVI8nmz6LMCdEZLgOx"
        "g="
    ),
    "": (
        "AQBwdUEJ7RV0PPJNeEnKAc62VGGCLX0uY4KO+R3O4SCPB3lm4clc2jDN8glBc6DwcPGy6s+skDqTRGTKLyNKGUi60HpN8PnKYHdPYxppstXXxE5V+YXWtavVZH1ah9Gcq+"
        "UPx5daVH84vEV7gWIhr/cZ3RjIXN0QqWiuMnAV/xOAHAtMLMx1o0EpUdMf+m8jyUrCd35rLur95Zu29bl5sPUxyqU/VTkQCgKRlkWR8xw06EDnkte7pVvpAxvtx3YKavRB"
        "m5WdnJr3MXR0GuODqhGw4Wx16mJuPQVi5O2pnnXSPDS6OlyKHzXqWXDz0z8l08rJs8nZawIKueOq8M4Ccexg2IySVqRBEJhnLKsIDF+GexPoGvvPIWzIv9aFuK0Df4xVVv"
        "I="
    ),
}
"""By label: ``a value of kubeseal`` as ``kubeseal --raw`` printed it for redis-credentials in sos-app."""
