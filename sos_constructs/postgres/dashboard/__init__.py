"""The Grafana dashboard of one installation, as the ConfigMap that Grafana's sidecar looks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sos_constructs.postgres.alerts.alert import Need
from sos_constructs.postgres.dashboard.panels import ROWS, Panel

LABEL = {"grafana_dashboard": "1"}
"""By which the sidecar of Grafana's chart (and of kube-prometheus-stack) finds dashboards."""

SCHEMA_VERSION = 39
"""Of Grafana 11; later ones migrate it when they load it."""

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SIZES = {"stat": (4, 4), "state-timeline": (12, 7), "timeseries": (12, 8)}
"""Width, of 24, and height of a panel."""


def dashboard(title: str, tokens: Mapping[str, str], have: set[Need]) -> dict[str, Any]:
    """The dashboard's model. ``tokens`` are put in the place of ``$cluster`` and ``$volumes``; what needs more than ``have`` is left out."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row, all_members in ROWS.items():
        members = [panel for panel in all_members if have.issuperset(panel.needs)]
        if not members:
            continue
        panels.append({"collapsed": False, "gridPos": {"h": 1, "w": 24, "x": 0, "y": top}, "id": len(panels) + 1, "panels": [], "title": row, "type": "row"})
        top, left, height = top + 1, 0, 0
        for member in members:
            width, tall = _SIZES[member.kind]
            if left + width > 24:
                top, left, height = top + height, 0, 0
            panels.append(_panel(member, len(panels) + 1, {"h": tall, "w": width, "x": left, "y": top}, tokens))
            left, height = left + width, max(height, tall)
        top += height
    return {
        "annotations": {"list": []},
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [],
        "panels": panels,
        "refresh": "30s",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["postgresql", "sos-constructs"],
        "templating": {
            "list": [
                {
                    "hide": 0,
                    "includeAll": False,
                    "label": "Prometheus",
                    "multi": False,
                    "name": "datasource",
                    "query": "prometheus",
                    "refresh": 1,
                    "type": "datasource",
                }
            ]
        },
        "time": {"from": "now-6h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": title,
        "uid": hashlib.sha256(title.encode()).hexdigest()[:40],
        "version": 1,
    }


def text(title: str, tokens: Mapping[str, str], have: set[Need]) -> str:
    """The dashboard as JSON: the same bytes for the same input."""
    return json.dumps(dashboard(title, tokens, have), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _panel(panel: Panel, number: int, place: dict[str, int], tokens: Mapping[str, str]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"mappings": _mappings(panel), "unit": panel.unit}
    if panel.kind == "timeseries":
        defaults |= {"color": {"mode": "palette-classic"}, "custom": {"fillOpacity": 8, "lineWidth": 1, "showPoints": "never"}, "min": 0}
    else:
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": [{"color": "green", "value": None}]}}
    return {
        "datasource": _SOURCE,
        "description": panel.description,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "gridPos": place,
        "id": number,
        "options": _options(panel),
        "targets": [_target(index, expr, legend, panel, tokens) for index, (expr, legend) in enumerate(panel.queries)],
        "title": panel.title,
        "type": panel.kind,
    }


def _target(index: int, expr: str, legend: str, panel: Panel, tokens: Mapping[str, str]) -> dict[str, Any]:
    for token, value in tokens.items():
        expr = expr.replace(token, value)
    now = panel.kind == "stat"
    return {"datasource": _SOURCE, "expr": expr, "instant": now, "legendFormat": legend or "__auto", "range": not now, "refId": "ABCDEFGH"[index]}


def _mappings(panel: Panel) -> list[dict[str, Any]]:
    if not panel.words:
        return []
    return [{"options": {str(value): {"color": color, "index": i, "text": word} for i, (value, word, color) in enumerate(panel.words)}, "type": "value"}]


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "timeseries":
        return {
            "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel.kind == "state-timeline":
        return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": False}, "mergeValues": True, "rowHeight": 0.8, "showValue": "auto"}
    named = any(legend for _, legend in panel.queries)
    return {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "name" if named else "value",
    }
