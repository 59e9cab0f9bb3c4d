# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ."""

import pathlib

from tests.lab.agent import free_port
from tests.lab.chain.service import Service, folder_in, listens

#: The program behind Debian's wrapper, which would change the user and write to /var.
PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class RabbitMQ(Service):
    """A running broker. transport_url: its address for oslo.messaging."""

    def __init__(self, lab: pathlib.Path) -> None:
        folder = folder_in(lab, "rabbitmq", nobody=True)
        port, distribution, mapper = free_port(), free_port(), free_port()
        self.transport_url = f"rabbit://guest:guest@127.0.0.1:{port}/"
        super().__init__(
            folder,
            "rabbitmq",
            [PROGRAM],
            environment={
                "RABBITMQ_NODENAME": "chain@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(port),
                "RABBITMQ_DIST_PORT": str(distribution),
                "ERL_EPMD_PORT": str(mapper),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_BASE": str(folder),
                "RABBITMQ_HOME": "/usr/lib/rabbitmq",
                "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
                "RABBITMQ_LOG_BASE": str(folder / "logs"),
                "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
                "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
                ),
            },
            ready=lambda: listens(port),
        )
