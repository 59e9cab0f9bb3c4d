# SPDX-License-Identifier: Apache-2.0
"""The shipped Grafana dashboard: its types match Grafana's schema, and its queries have data."""

import json
import pathlib
import re
import subprocess

import pytest

from ceilometer_memballoon.reasons import STATES
from tests.lab.chain import grafana
from tests.lab.chain.service import program
from tests.lab.waiting import wait_long_for

DASHBOARD = pathlib.Path(__file__).parents[2] / "etc/grafana/guest-memory.json"
BOARD = json.loads(DASHBOARD.read_text())
SECONDS = 120
#: The schema file of each kind of panel.
KINDS = {
    "bargauge": "BarGauge",
    "stat": "Stat",
    "table": "Table",
    "timeseries": "TimeSeries",
}
#: JSON has the value of an enum. Every property of a panel is optional.
TYPES = """
type Plain<T> = T extends string ? `${T}` : T extends object ? {[K in keyof T]: Plain<T[K]>} : T;
type Part<T> = T extends string ? `${T}` : T extends object ? {[K in keyof T]?: Part<T[K]>} : T;
import type { Dashboard } from "@grafana/schema";
"""
IMPORT = 'import type * as {} from "@grafana/schema/dist/esm/raw/composable/{}/panelcfg/x/{}";'
#: The values that Grafana substitutes for its variables.
VARIABLES = {
    "${hostlabel}": "host",
    "$host": ".*",
    "$project": ".*",
    "$instance": ".*",
    "$top": "20",
    "$__range": "60s",
}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    """A folder with Grafana's schema and a TypeScript compiler, fetched by ./tools/fetch."""
    assert grafana.packages().exists(), "no schema in the lab's cache: run ./tools/fetch"
    folder = tmp_path_factory.mktemp("schema")
    (folder / "node_modules").symlink_to(grafana.packages() / "node_modules")
    return folder


def run(folder, *command):
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=SECONDS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def compiled(schema, board):
    """Return tsc's exit status and output for a dashboard."""
    lines = [TYPES, f"export const dashboard: Plain<Dashboard> = {json.dumps(board)};"]
    lines += [IMPORT.format(kind, kind, f"{n}PanelCfg_types.gen") for kind, n in KINDS.items()]
    for panel in board["panels"]:
        number, kind = panel["id"], panel["type"]
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        lines.append(
            f"export const o{number}: Part<{kind}.Options> = {json.dumps(panel['options'])};"
        )
        if kind in ("timeseries", "table"):
            lines.append(
                f"export const c{number}: Part<{kind}.FieldConfig> = {json.dumps(custom)};"
            )
    (schema / "dashboard.ts").write_text("\n".join(lines))
    return run(schema, program("node"), grafana.COMPILER, "--strict", "--noEmit",
               "--skipLibCheck", "--moduleResolution", "bundler", "--module", "esnext",
               "dashboard.ts")  # fmt: skip


def expressions():
    """Yield every expression of a panel or a variable, and its place in the dashboard."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", target["expr"]
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            series, _, label = variable["query"]["query"][len("label_values(") : -1].rpartition(",")
            yield f"variable {variable['name']}", f"count by ({label}) ({series})"


def test_dashboard_matches_grafanas_schema(schema):
    assert compiled(schema, BOARD) == (0, "")


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        (("panels", 0, "gridPos"), "width", 4),
        (("panels", 8, "options", "legend"), "displayMode", "tabel"),
        (("panels", 0, "fieldConfig", "defaults"), "min", "0"),
    ],
)
def test_schema_check_finds_a_wrong_type(schema, place, key, value):
    board = json.loads(DASHBOARD.read_text())
    at = board
    for step in place:
        at = at[step]
    at[key] = value
    assert compiled(schema, board)[0] != 0


@pytest.mark.parametrize("panel", BOARD["panels"], ids=lambda panel: panel["title"])
def test_every_panel_has_a_description(panel):
    assert len(panel["description"]) > 20
    assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"]


def mapped_states():
    """Return the text of each state code, from the table's column and from the series' names."""
    overrides = [each for panel in BOARD["panels"] for each in panel["fieldConfig"]["overrides"]]
    (mapping,) = (
        each["value"][0]["options"]
        for override in overrides
        for each in override["properties"]
        if each["id"] == "mappings"
    )
    lines = {
        override["matcher"]["options"]: override["properties"][0]["value"]
        for override in overrides
        if override["properties"][0]["id"] == "displayName"
    }
    return {code: each["text"] for code, each in mapping.items()}, lines


def test_states_are_shown_as_reasons():
    column, lines = mapped_states()
    reasons = {str(code): reason.value for reason, code in STATES.items() if reason}
    assert column == {"0": "ok", **reasons}
    assert lines == reasons


def test_host_label_is_a_variable():
    legends = [t.get("legendFormat", "") for panel in BOARD["panels"] for t in panel["targets"]]
    text = "\n".join([text for _, text in expressions()] + legends)
    assert "${hostlabel}=~" in text
    assert not re.search(r"(?<!\$)\bhost\b(?!:)", text)


def test_panels_do_not_overlap():
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_expression_returns_data(boot, chain, silent_guest):
    boot("instance-shown", wait=False)
    boot("instance-mute", driver=False)
    missing = dict(expressions())
    for name, value in VARIABLES.items():
        missing = {where: text.replace(name, value) for where, text in missing.items()}

    def all_there():
        for where, text in list(missing.items()):
            if chain.prometheus.query(text):
                del missing[where]
        return not missing

    wait_long_for(all_there, SECONDS, "every expression", lambda: str(missing))
