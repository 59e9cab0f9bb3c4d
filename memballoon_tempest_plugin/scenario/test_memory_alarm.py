# SPDX-License-Identifier: Apache-2.0
"""An alarm on a server's memory fires, with and without load in the guest.

The two tests are two classes, so that Tempest can run them at the same time.
"""

import os
import subprocess

from tempest import config
from tempest.lib import decorators

from memballoon_tempest_plugin.scenario.watched_server import WatchedServerTest

CONF = config.CONF


class MemoryLoadTest(WatchedServerTest):
    """Boot, load, alarm. It needs a command that loads the guest."""

    @classmethod
    def skip_checks(cls) -> None:
        """Skip the test without such a command."""
        super().skip_checks()
        if not CONF.memballoon.load_command:
            raise cls.skipException("[memballoon] load_command is not set")

    @decorators.idempotent_id("7d8f0c3e-52b1-4b6a-9e0f-3c1a5d84e726")
    @decorators.attr(type="slow")
    def test_alarm_fires_under_load(self) -> None:
        """The alarm is ok at first. It fires when the guest uses more memory."""
        server = self.create_server(wait_until="ACTIVE")["id"]
        usage = self.wait_for_steady_usage(server)
        alarm = self.create_alarm(server, usage + CONF.memballoon.load_rise / 2)
        self.wait_for_state(alarm, "ok")
        _load(server)
        self.wait_for_state(alarm, "alarm")


class MemoryThresholdTest(WatchedServerTest):
    """Boot, lower the threshold, alarm. It works with every image."""

    @decorators.idempotent_id("c2a4e6b8-0d1f-4f37-8a5c-96be71d3f042")
    @decorators.attr(type="slow")
    def test_alarm_fires_below_the_present_usage(self) -> None:
        """The alarm is ok at first. It fires when its threshold is below the guest's usage."""
        server = self.create_server(wait_until="ACTIVE")["id"]
        usage = self.wait_for_steady_usage(server)
        alarm = self.create_alarm(server, 2 * usage)
        self.wait_for_state(alarm, "ok")
        self.set_threshold(alarm, usage / 2)
        self.wait_for_state(alarm, "alarm")


def _load(server: str) -> None:
    """Run the command. Raises CalledProcessError or TimeoutExpired."""
    subprocess.run(
        CONF.memballoon.load_command,
        shell=True,
        check=True,
        env={**os.environ, "SERVER_ID": server},
        stdin=subprocess.DEVNULL,
        timeout=CONF.memballoon.load_timeout,
    )
