# SPDX-License-Identifier: Apache-2.0
"""What the configuration says about periods and the collector."""

import pytest
from oslo_config import cfg

from ceilometer_memballoon import collector_factory, opts
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.period_rule import PeriodRule

TIMEOUT = 5.0


@pytest.fixture
def configured(tmp_path):
    """Make a configuration of this text."""

    def make(text=""):
        path = tmp_path / "agent.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        opts.register(conf)
        conf(["--config-file", str(path)])
        return conf

    return make


def test_option_that_is_only_the_default_is_not_chosen(configured):
    assert collector_factory.period_rule(configured()) == PeriodRule(10, chosen=False)


def test_option_in_a_file_is_chosen_also_at_the_defaults_value(configured):
    conf = configured("[libvirt]\nmem_stats_period_seconds = 10\n")
    assert collector_factory.period_rule(conf) == PeriodRule(10, chosen=True)


def test_option_can_keep_the_agent_from_setting_periods(configured):
    conf = configured("[memballoon]\nset_periods = false\n")
    assert collector_factory.period_rule(conf).may_set is False


def test_period_that_libvirt_does_not_take_is_warned_of(configured, caplog):
    conf = configured("[libvirt]\nmem_stats_period_seconds = 2147483648\n")
    collector_factory.from_conf(conf, Host("test:///default", TIMEOUT))
    (message,) = caplog.messages
    assert "is 2147483648, but libvirt accepts at most 2147483647" in message
