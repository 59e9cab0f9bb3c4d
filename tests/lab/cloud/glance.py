# SPDX-License-Identifier: Apache-2.0
"""Glance with a file store."""

import shutil

from tests.lab.chain.service import Services, folder_in, program, run
from tests.lab.cloud.site import ETC, Site
from tests.lab.cloud.wsgi import Api

CONFIG = """
[DEFAULT]
enabled_backends = files:file
[database]
connection = {database}
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = {folder}/images
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[paste_deploy]
flavor = keystone
config_file = {folder}/glance-api-paste.ini
{authtoken}
"""


class Glance(Services):
    """A running Glance API."""

    def __init__(self, site: Site) -> None:
        folder = folder_in(site.folder, "glance")
        for name in ("images", "tasks", "staging"):
            (folder / name).mkdir()
        shutil.copy(ETC / "glance/glance-api-paste.ini", folder)
        config = folder / "glance-api.conf"
        config.write_text(
            CONFIG.format(
                folder=folder,
                database=site.database("glance"),
                authtoken=site.authtoken(),
            )
        )
        run(folder, program("glance-manage"), "--config-file", config, "db_sync")
        super().__init__(
            Api(folder, "glance-api", site.ports["glance"], "glance.wsgi.api",
                {"OS_GLANCE_CONFIG_DIR": str(folder)})
        )  # fmt: skip
