# SPDX-License-Identifier: Apache-2.0
"""Aodh under Keystone."""

from tests.lab.chain.service import Service, Services, folder_in, listens, program, run
from tests.lab.cloud.site import Site

#: Seconds between two evaluations.
INTERVAL = 10

CONFIG = """
[DEFAULT]
transport_url = {transport_url}
[database]
connection = {database}
[evaluator]
evaluation_interval = {interval}
[service_credentials]
interface = public
{credentials}
{authtoken}
"""


class Aodh(Services):
    """Running API, evaluator and notifier. prometheus: the port of the queried Prometheus."""

    def __init__(self, site: Site, prometheus: int) -> None:
        folder = folder_in(site.folder, "aodh")
        # keystonemiddleware does not use --config-file. It looks in ~/.aodh.
        config = folder / ".aodh/aodh.conf"
        config.parent.mkdir()
        port = site.ports["aodh"]
        config.write_text(
            CONFIG.format(
                transport_url=site.transport_url,
                database=site.postgresql.database("aodh"),
                interval=INTERVAL,
                credentials=site.credentials(),
                authtoken=site.authtoken(),
            )
        )
        options = ["--config-file", config]
        run(folder, program("aodh-dbsync"), *options)
        super().__init__(
            Service(folder, "aodh-api",
                    [program("aodh-api"), "--host", "127.0.0.1", "--port", str(port), "--",
                     *options],
                    ready=lambda: listens(port)),
            Service(folder, "aodh-evaluator", [program("aodh-evaluator"), *options],
                    environment={"PROMETHEUS_HOST": "127.0.0.1",
                                 "PROMETHEUS_PORT": str(prometheus)}),
            Service(folder, "aodh-notifier", [program("aodh-notifier"), *options]),
        )  # fmt: skip
