"""Archiving and backups. HaPostgres makes no backups: these look at what you have set up, and are silent where there is nothing.

Archiving is on as soon as ``parameters`` say so (``archive_mode``, ``archive_command``). Only a primary archives, and what a former one
remembers of its last failure stays with it: so both look at the primary only. A backup job is named by ``PrometheusOperator(backup_cronjob=…)``.
"""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_PRIMARY = "and on (namespace, pod) sos_pg_postmaster_in_recovery{$cluster} == 0"
_ARCHIVER = "SELECT archived_count, last_archived_time, failed_count, last_failed_wal, last_failed_time FROM pg_stat_archiver"

BACKUP = (
    Alert(
        name="ArchiveFailing",
        expr=f"sos_pg_archive_failing{{$cluster}} == 1 {_PRIMARY}",
        lasting="10m",
        severity="critical",
        summary="{{ $labels.pod }} cannot archive its WAL",
        description="Backups have a gap from here on, and WAL fills the volume.",
        look=(_ARCHIVER, "SHOW archive_command", "kubectl -n sos-app logs postgres-0 -c postgres --since=15m"),
        act=(
            "The log has the output of archive_command: credentials, a full bucket, the NetworkPolicy's egress. It is tried again by itself; nothing is lost "
            "while the volume has room."
        ),
    ),
    Alert(
        name="ArchiveStuck",
        # Never archived is NaN, which is not below 900: then the waiting segments decide.
        expr=f"sos_pg_archive_pending_segments{{$cluster}} > 0 unless on (namespace, pod) pg_stat_archiver_last_archive_age{{$cluster}} < 900 {_PRIMARY}",
        lasting="15m",
        severity="critical",
        summary="{{ $labels.pod }} has {{ $value }} WAL segments waiting, and has archived none for a quarter of an hour",
        description="archive_command hangs, or the archiver does not run. Backups have a gap from here on, and WAL fills the volume.",
        look=(_ARCHIVER, "SELECT pid, backend_start FROM pg_stat_activity WHERE backend_type = 'archiver'", "SHOW archive_command"),
        act="Give archive_command a time-out of its own (timeout 300 …). To free it now: end the hanging process in the pod; PostgreSQL starts it again.",
    ),
    Alert(
        name="BackupTooOld",
        expr=(
            "time() - kube_cronjob_status_last_successful_time$cronjob > $backup_age or absent(kube_cronjob_status_last_successful_time$cronjob) * $backup_age"
        ),
        lasting="15m",
        severity="critical",
        summary="The last good backup, by CronJob {{ $labels.namespace }}/{{ $labels.cronjob }}, is {{ $value | humanizeDuration }} old, or older",
        description="The job failed, is suspended, does not run, or has never succeeded. What is written from now on cannot be restored.",
        look=("kubectl -n sos-app get cronjobs,jobs", "kubectl -n sos-app get events --sort-by=.lastTimestamp"),
        act="The log of the last job: kubectl -n $namespace logs job/<name>. No such series at all: kube-state-metrics does not run or is not scraped.",
        needs=("a backup job",),
    ),
)
