# SPDX-License-Identifier: Apache-2.0
"""A private Prometheus with the shipped rules, and a node_exporter."""

import json
import pathlib
import re
import shutil
import urllib.parse
import urllib.request
from typing import Any

import yaml

from tests.lab import image
from tests.lab.agent import free_port
from tests.lab.chain.service import Service, folder_in, listens, run

ETC = pathlib.Path(__file__).parents[3] / "etc/prometheus"
RULES, ALERTS = ETC / "guest-memory.rules.yml", ETC / "guest-memory.alerts.yml"
PUSH_RULES = ETC / "guest-memory.pushgateway.rules.yml"
QUERY_SECONDS = 30
#: Matches the times in the rules: windows, 'for:' and thresholds in seconds.
TIME = re.compile(r"(\[|(?<=\dm):|for: |offset |interval: |:seconds\) > )(\d+)(m|h|)\b")
UNIT_SECONDS = {"": 1, "m": 60, "h": 3600}


def binary(name: str) -> pathlib.Path:
    """Return the path of a program of Debian's prometheus packages, such as promtool."""
    return image.unpacked("prometheus") / "usr/bin" / name


def promtool(folder: pathlib.Path, *words: str | pathlib.Path) -> str:
    """Return the output of promtool. Raises RuntimeError if promtool finds an error."""
    return run(folder, binary("promtool"), *words)


def faster(text: str, times: int) -> str:
    """Return the rules with all times divided, for tests that cannot wait as long."""
    return TIME.sub(lambda m: f"{m[1]}{_shorter(m[2], m[3], times)}", text)


def _shorter(number: str, unit: str, times: int) -> str:
    seconds = int(number) * UNIT_SECONDS[unit] // times
    return f"{seconds}s" if unit else str(seconds)


class Prometheus(Service):
    """A running Prometheus with the shipped configuration.

    targets: The exporters' ports by host name.
    times: The factor by which scraping and the rules' times are faster than the shipped ones.
    authority: A PEM file with the authority of the exporters' certificates.
    pushgateway: The port of a push gateway to scrape as well.
    """

    def __init__(
        self,
        lab: pathlib.Path,
        targets: dict[str, int],
        *,
        times: int,
        authority: pathlib.Path,
        pushgateway: int | None = None,
    ) -> None:
        folder = folder_in(lab, "prometheus")
        self.port = free_port()
        self._node_exporter = _node_exporter(folder, node_port := free_port())
        shutil.copy(authority, folder / "ceilometer-ca.crt")
        for job, ports in (("ceilometer", targets), ("node", dict.fromkeys(targets, node_port))):
            (folder / f"{job}-targets").mkdir()
            hosts = [_target(host, port) for host, port in ports.items()]
            (folder / f"{job}-targets/lab.yml").write_text(yaml.safe_dump(hosts))
        _configure(folder, times, pushgateway)
        super().__init__(
            folder,
            "prometheus",
            [binary("prometheus"), "--config.file", folder / "prometheus.yml",
             "--storage.tsdb.path", folder / "data", "--log.level", "warn",
             "--web.listen-address", f"127.0.0.1:{self.port}"],
            ready=lambda: listens(self.port),
        )  # fmt: skip

    @property
    def url(self) -> str:
        """The address of its page and its API."""
        return f"http://127.0.0.1:{self.port}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the expression's result now.

        Each item is {"metric": labels, "value": [time, text]}.
        """
        return list(self._get("query", query=expression)["result"])

    def alerts(self, name: str, **labels: str) -> list[str]:
        """Return the states (pending, firing) of this alert's instances with these labels."""
        return [
            alert["state"]
            for alert in self._get("alerts")["alerts"]
            if alert["labels"].items() >= {"alertname": name, **labels}.items()
        ]

    def stop(self, *arguments: Any) -> None:
        """End it and the node_exporter."""
        self._node_exporter.stop()
        super().stop(*arguments)

    def _get(self, what: str, **arguments: str) -> dict[str, Any]:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(address, timeout=QUERY_SECONDS) as page:
            return dict(json.load(page)["data"])


def _configure(folder: pathlib.Path, times: int, pushgateway: int | None) -> None:
    rules = [RULES, ALERTS]
    text = (ETC / "prometheus.yml").read_text().replace("/etc/prometheus", str(folder))
    config = yaml.safe_load(text)
    if pushgateway is not None:
        rules.append(PUSH_RULES)
        config["rule_files"].append(str(folder / PUSH_RULES.name))
        config["scrape_configs"].append(push_job(f"127.0.0.1:{pushgateway}"))
    for one in rules:
        (folder / one.name).write_text(faster(one.read_text(), times))
    (folder / "prometheus.yml").write_text(
        re.sub(
            r"(_interval: )(\d+)s",
            lambda m: f"{m[1]}{max(1, int(m[2]) // times)}s",
            yaml.safe_dump(config, sort_keys=False),
        )
    )


def push_job(target: str) -> dict[str, Any]:
    """Return the scrape job at the head of PUSH_RULES, for that push gateway."""
    shown = re.findall(r"^#     ((?:- |  ).*)$", PUSH_RULES.read_text(), re.MULTILINE)
    (job,) = yaml.safe_load("\n".join(shown))
    job["static_configs"] = [{"targets": [target]}]
    return dict(job)


def _node_exporter(folder: pathlib.Path, port: int) -> Service:
    unpacked = image.unpacked("prometheus-node-exporter")
    return Service(
        folder,
        "node_exporter",
        [unpacked / "usr/bin/prometheus-node-exporter", "--collector.disable-defaults",
         "--collector.meminfo", "--web.listen-address", f"127.0.0.1:{port}"],
        ready=lambda: listens(port),
    )  # fmt: skip


def _target(host: str, port: int) -> dict[str, Any]:
    # All hosts of a lab have the same address. So the names are set here, where the relabelling of
    # prometheus.yml would take them from the addresses.
    return {"targets": [f"127.0.0.1:{port}"], "labels": {"host": host}}
