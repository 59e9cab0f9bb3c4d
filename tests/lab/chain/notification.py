# SPDX-License-Identifier: Apache-2.0
"""The notification agents between the broker and the services that store samples."""

import pathlib

import yaml

from tests.lab.chain.service import Service, Services, folder_in, program, run

CONFIG = """
[DEFAULT]
transport_url = {transport_url}
pipeline_cfg_file = {pipeline}
[notification]
workers = 1
pipelines = meter
batch_timeout = 1
[oslo_messaging_rabbit]
{rabbit}
[service_credentials]
auth_type = gnocchi-basic
user = admin
endpoint = {gnocchi}
"""


class NotificationAgents(Services):
    """Running ceilometer-agent-notification, one for each list of publishers.

    publishers: Where each agent sends its samples, as in pipeline.yaml.
    gnocchi: Gnocchi's address. Its resource types are created first.
    rabbit: Lines for [oslo_messaging_rabbit].
    """

    def __init__(
        self,
        lab: pathlib.Path,
        transport_url: str,
        publishers: list[list[str]],
        *,
        gnocchi: str = "",
        rabbit: str = "",
    ) -> None:
        folder = folder_in(lab, "notification")
        self.agents = []
        for number, group in enumerate(publishers):
            pipeline = folder / f"pipeline-{number}.yaml"
            pipeline.write_text(yaml.safe_dump(_pipeline(group)))
            config = folder / f"ceilometer-{number}.conf"
            config.write_text(
                CONFIG.format(
                    transport_url=transport_url, pipeline=pipeline, rabbit=rabbit, gnocchi=gnocchi
                )
            )
            if gnocchi and number == 0:
                run(folder, program("ceilometer-upgrade"), "--config-file", config)
            self.agents.append(_agent(folder, number, config))
        super().__init__(*self.agents)


def _agent(folder: pathlib.Path, number: int, config: pathlib.Path) -> Service:
    command = [program("ceilometer-agent-notification"), "--config-file", config]
    return Service(folder, f"notification-{number}", command)


def _pipeline(publishers: list[str]) -> dict[str, object]:
    return {
        "sources": [{"name": "all", "meters": ["*"], "sinks": ["one"]}],
        "sinks": [{"name": "one", "publishers": publishers}],
    }
