# SPDX-License-Identifier: Apache-2.0
"""Gnocchi under Keystone."""

from tests.lab.chain.service import Service, Services, folder_in, program, run
from tests.lab.cloud.site import Site
from tests.lab.cloud.wsgi import Api

CONFIG = """
[api]
auth_mode = keystone
[indexer]
url = {database}
[storage]
driver = file
file_basepath = {folder}/storage
[incoming]
driver = file
file_basepath = {folder}/storage
[metricd]
workers = 1
metric_processing_delay = 2
metric_cleanup_delay = 30
{authtoken}
"""


class Gnocchi(Services):
    """Running API and metricd."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "gnocchi")
        # keystonemiddleware does not use --config-file. It looks in ~/.gnocchi.
        config = folder / ".gnocchi/gnocchi.conf"
        config.parent.mkdir()
        config.write_text(
            CONFIG.format(
                folder=folder,
                database=site.postgresql.database("gnocchi"),
                authtoken=site.authtoken(),
            )
        )
        options = ["--config-file", config]
        run(folder, program("gnocchi-upgrade"), *options)
        super().__init__(
            Api(folder, "gnocchi-api", site.ports["gnocchi"], "gnocchi.wsgi.api", {}),
            Service(folder, "gnocchi-metricd", [program("gnocchi-metricd"), *options]),
        )
