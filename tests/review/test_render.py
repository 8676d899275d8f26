"""Reports: text, Markdown and JSON."""

from __future__ import annotations

import json
from typing import Any

from sos_constructs.review import render, review
from sos_constructs.review.model import Consequence

import pytest

from tests.review import examples
from tests.review.examples import LIMIT, STATEFUL_SET, Object, manifests, put, text


def reviewed(old: Object | None, new: Object | None) -> Any:
    return review(manifests(old), manifests(new))


CHANGED = reviewed(STATEFUL_SET, put(put(STATEFUL_SET, LIMIT, "200m"), "metadata.labels", {"a": "b"}))


def plain(result: Any) -> list[str]:
    return [line for line, _ in render.text(result)]


def test_text():
    assert plain(CHANGED) == [
        "1 object: 1 changed. Worst consequence: restart (pods, or the servers in them, restart, one after the other where there are several).",
        "",
        "StatefulSet review-statefulset (review-test)",
        "  restart: The pod template: pods are replaced one after the other, from the highest number down, each when the one before is ready.",
        "    spec.template…containers[pause].resources.limits.cpu  100m → 200m",
        "  none: Labels, annotations and the API version of the object itself: no pod changes.",
        '    metadata.labels  new: {"a": "b"}',
    ]


def test_markdown():
    assert list(render.markdown(CHANGED))[1:9] == [
        "",
        "### StatefulSet review-statefulset (review-test)",
        "",
        "**restart**: The pod template: pods are replaced one after the other, from the highest number down, each when the one before is ready.",
        "",
        "| field | before | after |",
        "|---|---|---|",
        "| `spec.template…containers[pause].resources.limits.cpu` | `100m` | `200m` |",
    ]


def test_json():
    parsed = json.loads(render.dump(CHANGED))
    assert parsed["worst"] == "restart"
    assert parsed["consequences"] == {consequence.word: int(consequence is Consequence.RESTART) for consequence in Consequence}
    (changed,) = parsed["objects"]
    assert {name: changed[name] for name in ("apiVersion", "kind", "namespace", "name", "event", "consequence")} == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "namespace": "review-test",
        "name": "review-statefulset",
        "event": "changed",
        "consequence": "restart",
    }
    first, second = changed["changes"]
    assert (first["field"], first["before"], first["after"]) == ("spec.template.spec.containers[pause].resources.limits.cpu", "100m", "200m")
    assert first["source"]
    assert "before" not in second


def test_lines_of_a_text_are_shown_and_capped():
    old = put(examples.CONFIG_MAP, "data", {"run.sh": "".join(f"echo {i}\n" for i in range(100))})
    new = put(examples.CONFIG_MAP, "data", {"run.sh": "".join(f"echo `{i}`\n" for i in range(100))})
    result = reviewed(old, new)
    lines = plain(result)
    assert "    data[run.sh]" in lines
    assert "      -echo 0" in lines
    assert lines[-1].strip() == f"… {201 - 39} more lines; --format json has them"
    marked = "\n".join(render.markdown(result))
    assert "<details><summary>data\\[run.sh\\]: 201 lines</summary>\n\n```diff\n" in marked
    assert len(json.loads(render.dump(result))["objects"][0]["changes"][0]["lines"]) == 201


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_values_of_secrets_are_in_no_report(form: str):
    old, new = put(examples.KNOWN, "stringData", {"a": "hunter1"}), put(put(examples.KNOWN, "data.password", "aHVudGVyMw=="), "stringData", {"a": "hunter3"})
    result = reviewed(old, new)
    report = {"text": "\n".join(plain(result)), "markdown": "\n".join(render.markdown(result)), "json": render.dump(result)}[form]
    assert result.worst is Consequence.SECRET
    assert not any(word in report for word in ("hunter", "aHVudGVy"))
    assert "password" in report


def test_what_stands_in_a_manifest_cannot_act_on_the_terminal_or_the_page():
    evil = "\x1b[31m|`x`|\u202e<b>"
    result = reviewed(examples.CONFIG_MAP, put(examples.CONFIG_MAP, "data", {"LOG_LEVEL": evil, "\x07": "a\n\x1b[2J\n"}))
    assert not any(set("\x1b\x07\u202e") & set(line) for line in plain(result))
    marked = list(render.markdown(result))
    assert not any(set("\x1b\x07\u202e") & set(line) for line in marked)
    (row,) = [line for line in marked if "LOG_LEVEL" in line]
    assert row.count("|") - row.count("\\|") == 4


def test_of_a_hash_the_beginning_is_shown():
    result = reviewed(put(examples.CONFIG_MAP, "data.LOG_LEVEL", "0" * 64), put(examples.CONFIG_MAP, "data.LOG_LEVEL", "0" * 63 + "1"))
    assert plain(result)[-1] == "    data.LOG_LEVEL  00000000… → 00000000…"
    assert "0" * 64 in render.dump(result)


def test_long_values_are_shortened_in_text_only():
    result = reviewed(examples.CONFIG_MAP, put(examples.CONFIG_MAP, "data.LOG_LEVEL", "x" * 500))
    assert max(map(len, plain(result)[1:])) < 400
    assert "x" * 500 in render.dump(result)


def test_new_and_gone_objects_are_one_line():
    result = review(manifests(STATEFUL_SET), manifests(examples.SERVICE))
    assert [line for line in plain(result) if line.endswith((": new", ": gone"))] == [
        "StatefulSet review-statefulset (review-test): gone",
        "Service review-service (review-test): new",
    ]
    assert len(plain(result)) == 7


def test_new_and_gone_objects_of_a_kind_share_an_entry():
    maps = [{**examples.CONFIG_MAP, "metadata": {"name": name, "namespace": space}} for space in ("a", "b") for name in ("one", "two")]
    result = review(manifests(examples.SERVICE, *maps[:3]), manifests(examples.SERVICE))
    assert [line for line in plain(result) if line.endswith(": gone")] == ["ConfigMap one, two (a): gone", "ConfigMap one (b): gone"]
    assert len(json.loads(render.dump(result))["objects"]) == 3


def test_no_difference():
    result = reviewed(STATEFUL_SET, STATEFUL_SET)
    assert (plain(result), list(render.markdown(result)), result.worst) == (["No difference."], ["**No difference.**"], Consequence.NONE)


def test_comments_of_settings_do_not_hide_settings():
    changed = text(text(examples.POSTGRES, "postgresql.conf", "4MB", "8MB"), "postgresql.conf", "# made", "# made anew")
    assert [line.strip() for line in plain(reviewed(examples.POSTGRES, changed))][3:] == [
        "reload: The agent has Patroni reload PostgreSQL when the file has arrived, within about a minute and a half.",
        "data[postgresql.conf].work_mem  4MB → 8MB",
        "none: Comments, order or layout: PostgreSQL and Patroni read the same.",
        "data[postgresql.conf][comments and order]",
        "@@ -1 +1 @@",
        "-# made",
        "+# made anew",
    ]
