"""docs/metrics.md lists every figure; alert rules and the board ask for what there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.pages import ROOT, Figure, figures, listed, named

RULES = ROOT / "ops/deploy/prometheus/antiphon.rules.yml"
BOARD = ROOT / "ops/deploy/grafana/antiphon.json"
ALL = {series for figure in figures() for series in figure.series}


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        yield from group["rules"]


def queries() -> Iterator[str]:
    """Of the board's panels and variables, with what Grafana puts in."""
    board = json.loads(BOARD.read_text("utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "1m").replace("$agent", ".*")
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((\w+), (\w+)\)", r"group by (\2) (\1)", variable["query"]["query"])


def test_the_page_lists_every_figure() -> None:
    """Each once, with its kind and its labels; and none that isn't there."""
    told = listed()
    assert len(told) == len(set(told))
    assert set(told) == figures()


def test_agents_and_models_are_labels_of_what_they_explain() -> None:
    """Whoever asks whose calls, or which model, finds out."""
    labels = {figure.name: set(figure.labels) for figure in figures()}
    assert all(
        "agent" in labels[f"antiphon_gateway_{name}"] for name in ("sessions", "turns_total", "turn_part_seconds")
    )
    assert {"provider", "model"} <= labels["antiphon_worker_time_to_first_token_seconds"]


def test_alerts_and_board_ask_for_what_there_is() -> None:
    """A figure that was renamed, or never was, would leave them silent."""
    asked = {name for rule in alerts() for name in named(rule["expr"])} | {
        name for query in queries() for name in named(query)
    }
    ours = {name for name in asked if name.startswith("antiphon_")}
    assert len(ours) > 30
    assert ours <= ALL
    mentioned = {name for rule in alerts() for name in named(rule["annotations"]["look"])}
    bases = {figure.name for figure in figures()}
    assert mentioned <= bases | ALL


def test_queries_group_and_choose_by_labels_that_figures_have() -> None:
    """So that no panel shows one line for all where it promises one for each."""
    by_series = {series: figure for figure in figures() for series in figure.series}
    for query in [*queries(), *(rule["expr"] for rule in alerts())]:
        present = [by_series[name] for name in named(query) if name in by_series]
        for name in _labels(query):
            assert all(_has(figure, name) for figure in present), f"{name}: {query}"


def _labels(query: str) -> set[str]:
    grouped = {label.strip() for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(",")}
    return grouped | set(re.findall(r'(\w+)=~?"', query))


def _has(figure: Figure, label: str) -> bool:
    return label in (*figure.labels, "instance", "job") or (label == "le" and figure.kind == "histogram")
