# SPDX-License-Identifier: Apache-2.0
"""The metrics and archive policies of gnocchi_resources.yaml."""

import re
from typing import Any

from ceilometer_memballoon import yaml_file
from ceilometer_memballoon.errors import FileError

#: The policy of a metric without one, in a file without a default.
STOCK_POLICY = "ceilometer-low"
#: The granularities in seconds of Gnocchi's built-in archive policies.
GNOCCHI_POLICIES = {"low": {300}, "medium": {60, 3600}, "high": {1, 60, 3600}, "bool": {1}}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def policies_by_metric(definitions: dict[Any, Any], path: str) -> dict[str, str]:
    """Return the archive policy of each listed metric. Raises FileError."""
    default = definitions.get("archive_policy_default") or STOCK_POLICY
    policies = {}
    for entry in yaml_file.entries(definitions, "resources", path):
        metrics = entry.get("metrics")
        if not isinstance(metrics, dict | list):
            kind = entry.get("resource_type", "?")
            raise FileError(f"{path}: the definition of {kind} has no list of metrics")
        for metric in metrics:
            options = metrics[metric] if isinstance(metrics, dict) else None
            policy = options.get("archive_policy_name") if isinstance(options, dict) else None
            policies[str(metric)] = str(policy or default)
    return policies


def granularities(definitions: dict[Any, Any], path: str) -> dict[str, set[int]]:
    """Return the granularities in seconds of each defined archive policy. Raises FileError."""
    known = dict(GNOCCHI_POLICIES)
    if not definitions.get("archive_policies"):
        return known
    for policy in yaml_file.entries(definitions, "archive_policies", path):
        parts = yaml_file.entries(policy, "definition", path)
        seconds = {_seconds(part.get("granularity")) for part in parts}
        known[yaml_file.name(policy, path)] = {one for one in seconds if one is not None}
    return known


def _seconds(text: object) -> int | None:
    """Return the seconds of a number with or without a unit; None for other text."""
    match = re.fullmatch(r"(\d+)(?:\.0*)? *([smhd]?)[a-z]*", str(text).strip().lower())
    return None if match is None else int(match[1]) * UNITS[match[2] or "s"]
