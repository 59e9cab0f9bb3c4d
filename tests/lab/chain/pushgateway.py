# SPDX-License-Identifier: Apache-2.0
"""A private push gateway, which receives samples from Ceilometer's publisher prometheus://."""

import pathlib

from tests.lab import image
from tests.lab.agent import free_port
from tests.lab.chain.service import Service, folder_in, listens


class Pushgateway(Service):
    """A running push gateway. port: on the loopback address. publisher: its URL for a pipeline."""

    def __init__(self, lab: pathlib.Path) -> None:
        self.port = free_port()
        self.publisher = f"prometheus://127.0.0.1:{self.port}/metrics/job/ceilometer"
        super().__init__(
            folder_in(lab, "pushgateway"),
            "pushgateway",
            [image.unpacked("prometheus-pushgateway") / "usr/bin/prometheus-pushgateway",
             "--web.listen-address", f"127.0.0.1:{self.port}"],
            ready=lambda: listens(self.port),
        )  # fmt: skip
