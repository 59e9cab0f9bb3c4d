# SPDX-License-Identifier: Apache-2.0
"""Placement."""

from tests.lab.chain.service import Services, folder_in, program, run
from tests.lab.cloud.site import Site
from tests.lab.cloud.wsgi import Api

CONFIG = """
[placement_database]
connection = {database}
[api]
auth_strategy = keystone
{authtoken}
"""


class Placement(Services):
    """A running Placement API."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "placement")
        config = folder / "placement.conf"
        config.write_text(
            CONFIG.format(
                folder=folder,
                database=site.database("placement"),
                authtoken=site.authtoken(),
            )
        )
        run(folder, program("placement-manage"), "--config-file", config, "db", "sync")
        super().__init__(
            Api(folder, "placement-api", site.ports["placement"], "placement.wsgi.api",
                {"OS_PLACEMENT_CONFIG_DIR": str(folder)})
        )  # fmt: skip
