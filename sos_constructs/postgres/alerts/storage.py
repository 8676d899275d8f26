"""Volumes, and what the disk gives back."""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_CLAIMS = "kubectl -n sos-app get pvc -l app.kubernetes.io/instance=postgres"
_SPACE = "kubectl -n sos-app exec postgres-0 -c postgres -- df -h /pgdata"
_WAL = "SELECT count(*) AS segments, pg_size_pretty(sum(size)) FROM pg_ls_waldir()"
_DATABASES = "SELECT datname, pg_size_pretty(pg_database_size(datname)) FROM pg_database ORDER BY pg_database_size(datname) DESC"
_SLOTS = "SELECT slot_name, active, wal_status, pg_size_pretty(safe_wal_size) AS left FROM pg_replication_slots"

STORAGE = (
    Alert(
        name="VolumeFilling",
        expr="kubelet_volume_stats_available_bytes{$volumes} / kubelet_volume_stats_capacity_bytes{$volumes} < 0.2",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
        description="A full volume stops the server.",
        look=(_CLAIMS, _SPACE, _WAL, _DATABASES, _SLOTS),
        act="Data: grow the claims where the storage class allows it, then storage= of HaPostgres. WAL: what keeps it, a slot or the archiver.",
    ),
    Alert(
        name="VolumeFillsSoon",
        expr=(
            "predict_linear(kubelet_volume_stats_available_bytes{$volumes}[6h], 86400) < 0"
            " and kubelet_volume_stats_available_bytes{$volumes} / kubelet_volume_stats_capacity_bytes{$volumes} < 0.5"
        ),
        lasting="1h",
        severity="warning",
        summary="{{ $labels.persistentvolumeclaim }} is full within a day if it goes on like this",
        description="More than half is used, and the last six hours' growth fills the rest within 24 hours.",
        look=(_SPACE, _WAL, _DATABASES, _SLOTS),
        act="What grows? WAL (a slot, the archiver) or a database (a load, a runaway table). Stop it, or grow the claims in time.",
    ),
    Alert(
        name="VolumeFull",
        expr="kubelet_volume_stats_available_bytes{$volumes} / kubelet_volume_stats_capacity_bytes{$volumes} < 0.05",
        lasting="2m",
        severity="critical",
        summary="{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
        description="PostgreSQL stops when it cannot write WAL.",
        look=(_CLAIMS, _SPACE, _WAL, _SLOTS),
        act="Grow the claim now. Drop a slot that nobody needs; then CHECKPOINT. Never delete files in pg_wal by hand.",
    ),
    Alert(
        name="ChecksumFailure",
        expr="sos_pg_database_checksum_failures{$cluster} > 0",
        lasting="0m",
        severity="critical",
        summary="{{ $labels.pod }} read {{ $value }} damaged pages in {{ $labels.datname }}",
        description="The disk or the memory of this node gives back something else than was written.",
        look=("SELECT datname, checksum_failures, checksum_last_failure FROM pg_stat_database", "kubectl -n sos-app get pods -o wide -L role"),
        act="On a standby: patronictl reinit, on another node. On the primary: patronictl switchover first, then treat it as a standby. Then replace the disk.",
    ),
)
