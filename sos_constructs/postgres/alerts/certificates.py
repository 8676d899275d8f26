"""The certificate that members serve: does it end before somebody renews it.

``$renewal`` is the time before its end at which it is to be renewed. It is ``CertManager.renew_before``, or 30 days, from which on ``sosctl secrets check``
reports it. For a short-lived certificate it is the last third of its life, as in cert-manager.

The first alert fires when two thirds of ``$renewal`` are left: of thirty days ten have passed. cert-manager has then tried some ten times (an hour after the
first failure, then after twice as long each time). The second fires when a tenth is left: three days, a weekend. A certificate in the Secret that cannot be
used is a failure of the agent's step ``certificate``: AgentFailing fires with the reason.
"""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_LOG = "kubectl -n sos-app logs postgres-0 -c agent --tail=20"
_SECRET = "kubectl -n sos-app describe secret postgres-tls"
_OF = "min by (namespace, postgres_cluster)"
_LEFT = f"{_OF} (sos_agent_certificate_expiry_timestamp_seconds{{$cluster}}) - time()"
_LIFE = "sos_agent_certificate_expiry_timestamp_seconds{$cluster} - sos_agent_certificate_start_timestamp_seconds{$cluster}"
_DUE = f"clamp_max({_OF} ({_LIFE}) / 3, $renewal)"

CERTIFICATES = (
    Alert(
        name="CertificateEndsSoon",
        expr=f"{_LEFT} < {_DUE} * 2 / 3",
        lasting="15m",
        severity="warning",
        summary="The certificate of {{ $labels.namespace }}/{{ $labels.postgres_cluster }} ends in {{ $value | humanizeDuration }} and has not been renewed",
        description="When it ends, new connections of clients and standbys refuse the server. The renewal is long overdue.",
        look=(_SECRET, _LOG, "kubectl -n sos-app get events --sort-by=.lastTimestamp"),
        act=(
            "From cert-manager: kubectl -n $namespace describe certificate $certificate says why (issuer gone, request not approved). Mend that, then run "
            "cmctl -n $namespace renew $certificate, because it tries again ever later by itself. Your own Secret: write a new pair, of the same CA, into it. "
            "Made by sosctl secrets generate: a new pair comes with a new CA; write it into the Secret with the old and the new CA in ca.crt, and take the "
            "old one out when every client has both. The agents of members and pooler load what comes, without a restart."
        ),
        needs=("a certificate",),
    ),
    Alert(
        name="CertificateEnds",
        expr=f"{_LEFT} < {_DUE} / 10",
        lasting="1m",
        severity="critical",
        summary="The certificate of {{ $labels.namespace }}/{{ $labels.postgres_cluster }} ends in {{ $value | humanizeDuration }} (negative: it has ended)",
        description=(
            "Once it has ended, no client that verifies the server connects, no standby comes back after a cut, and members do not hear each other's REST "
            "API. Open connections go on."
        ),
        look=(_SECRET, _LOG),
        act=(
            "A new pair in the Secret, now, by any way of SosPostgresCertificateEndsSoon: it is in use within two minutes. Do not restart pods before: open "
            "connections are what still works."
        ),
        needs=("a certificate",),
    ),
    Alert(
        name="CertificateDiffers",
        # A new one reaches all members within a minute and a half.
        expr=(
            "sos_agent_certificate_expiry_timestamp_seconds{$cluster} != on (namespace, postgres_cluster) group_left ()"
            " max by (namespace, postgres_cluster) (sos_agent_certificate_expiry_timestamp_seconds{$cluster})"
        ),
        lasting="15m",
        severity="warning",
        summary="{{ $labels.pod }} still serves an older certificate than the other members",
        description="The Secret's new one has not reached it. With another CA it is cut off from the others; else it is refused when the old one ends.",
        look=(_LOG, "kubectl get nodes", "kubectl -n sos-app describe pod postgres-0"),
        act=(
            "The step certificate in its agent's log has a reason? Mend that. Else the kubelet of its node brings nothing new: look at the node; deleting the "
            "pod mounts the Secret again (a standby first)."
        ),
        needs=("a certificate", "standbys"),
    ),
)
