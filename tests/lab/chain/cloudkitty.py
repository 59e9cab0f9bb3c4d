# SPDX-License-Identifier: Apache-2.0
"""Run CloudKitty's Gnocchi collector for a project, in a process of its own.

Arguments: Gnocchi's address and metrics.yml. A question is the metric, the project, and the
start of the hour in ISO format. The answer is the quantity by instance UUID.
"""

import datetime
import pathlib
import sys

import yaml
from cloudkitty.collector.gnocchi import GnocchiCollector
from oslo_config import cfg

from tests.lab.chain.answering import answer

PERIOD = 3600


def main() -> None:
    """Answer questions."""
    gnocchi, metrics = sys.argv[1:]
    for name, value in (("auth_type", "basic"), ("user", "admin"), ("endpoint", gnocchi)):
        cfg.CONF.set_override(f"gnocchi_{name}", value, "collector_gnocchi")
    collector = GnocchiCollector(
        period=PERIOD, conf=yaml.safe_load(pathlib.Path(metrics).read_text())
    )

    def collect(question: tuple[str, str, str]) -> dict[str, float]:
        metric, project, hour = question
        begin = datetime.datetime.fromisoformat(hour)
        end = begin + datetime.timedelta(seconds=PERIOD)
        points = collector.fetch_all(metric, begin, end, project_id=project)
        return {point.groupby["id"]: float(point.qty) for point in points}

    answer(collect)


if __name__ == "__main__":
    main()
