"""ConfigMap ``sos-app-monitoring``: metrics, health, traces and errors."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, PATH, PORT, URL, Choice, Duration, Float, Int, Items, Text, minutes, ms

MONITORING = Section(
    name="monitoring",
    title="Monitoring",
    doc="Metrics, health, traces and errors.",
    keys=(
        Key("METRICS_ENABLED", BOOL, True, "Serves metrics.", REQUIREMENT),
        Key("METRICS_PORT_NUMBER", PORT, 9090, "Port of the metrics.", REQUIREMENT),
        Key("METRICS_PATH", PATH, "/metrics", "Path of the metrics.", REQUIREMENT),
        Key("METRICS_PREFIX", Text(r"[a-z][a-z0-9]*_", "a word that ends with '_'"), "sos_", "First part of the names of the platform's own metrics.", "tells them apart from those of libraries"),
        Key("METRICS_LATENCY_BUCKETS_MS", Items(Int(1, 600000)), (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000), "Bounds of the latency histograms.",
            "Prometheus' own, up to HTTP_REQUEST_TIMEOUT_SECONDS"),
        Key("HEALTH_LIVENESS_PATH", PATH, "/health", "Answers 200 while the process works; asks no dependency.", REQUIREMENT),
        Key("HEALTH_READINESS_PATH", PATH, "/ready", "Answers 200 while the service can serve.", REQUIREMENT),
        Key("HEALTH_READINESS_DEPENDENCIES", Items(Choice("postgres", "mongodb", "redis", "kafka", "mqtt"), at_least=0), ("postgres",), "What must answer for a service to be ready.",
            "only that without which nothing works: otherwise one lost cache takes every pod out at once"),
        Key("HEALTH_CACHE_MS", Duration(ms(0), minutes(1)), ms(1000), "How long a readiness answer is reused.", "probes of many kinds must not become load on the database"),
        Key("TRACING_ENABLED", BOOL, True, "Records traces.", REQUIREMENT),
        Key("OTEL_TRACES_SAMPLER", Choice("always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_traceidratio"), "parentbased_traceidratio",
            "Which traces are recorded; read by OpenTelemetry itself.", "a trace is recorded whole or not at all, as its first service decided"),
        Key("OTEL_TRACES_SAMPLER_ARG", Float(0, 1), 0.1, "Share of traces that are recorded; read by OpenTelemetry itself.", REQUIREMENT),
        Key("OTEL_EXPORTER_OTLP_ENDPOINT", URL, "http://otel-collector:4317", "Where traces are sent; read by OpenTelemetry itself.", "a collector in the namespace; it encrypts what leaves the cluster"),
        Key("OTEL_EXPORTER_OTLP_PROTOCOL", Choice("grpc", "http/protobuf"), "grpc", "How traces are sent; read by OpenTelemetry itself.", "what port 4317 speaks"),
        Key("OTEL_PROPAGATORS", Items(Choice("tracecontext", "baggage", "b3", "b3multi")), ("tracecontext", "baggage"), "How a trace is handed on; read by OpenTelemetry itself.", "the W3C standard and OpenTelemetry's own default"),
        Key("ERROR_TRACKING_ENABLED", BOOL, True, "Reports errors to the tracker.", REQUIREMENT),
        Key("ERROR_TRACKING_SAMPLE_RATIO", Float(0, 1), 1, "Share of errors that are reported.", REQUIREMENT),
        Key("ERROR_TRACKING_PERSONAL_DATA_ENABLED", BOOL, False, "Reports addresses, cookies and users with an error.", "the tracker is outside, and health data must not be"),
    ),
)
