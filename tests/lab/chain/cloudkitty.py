# SPDX-License-Identifier: Apache-2.0
"""Run CloudKitty's Gnocchi collector for a project, in a process of its own.

Arguments: Gnocchi's address, metrics.yml, the metric, the project, and the start of the hour in
ISO format. Prints the quantity by instance UUID as JSON.
"""

import datetime
import json
import pathlib
import sys

import yaml
from cloudkitty.collector.gnocchi import GnocchiCollector
from oslo_config import cfg

PERIOD = 3600


def main() -> None:
    """Collect one hour."""
    gnocchi, metrics, metric, project, hour = sys.argv[1:]
    for name, value in (("auth_type", "basic"), ("user", "admin"), ("endpoint", gnocchi)):
        cfg.CONF.set_override(f"gnocchi_{name}", value, "collector_gnocchi")
    collector = GnocchiCollector(
        period=PERIOD, conf=yaml.safe_load(pathlib.Path(metrics).read_text())
    )
    begin = datetime.datetime.fromisoformat(hour)
    end = begin + datetime.timedelta(seconds=PERIOD)
    points = collector.fetch_all(metric, begin, end, project_id=project)
    print(json.dumps({point.groupby["id"]: float(point.qty) for point in points}))


if __name__ == "__main__":
    main()
