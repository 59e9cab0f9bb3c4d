# SPDX-License-Identifier: Apache-2.0
"""Make the collector that a configuration describes."""

import threading

from oslo_config import cfg
from oslo_log import log

from ceilometer_memballoon import host as libvirt_host
from ceilometer_memballoon import shutdown
from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.history import History
from ceilometer_memballoon.host import Host
from ceilometer_memballoon.judge import Judge
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.period_rule import MOST_SECONDS, PeriodRule
from ceilometer_memballoon.qemu_process import QemuProcesses
from ceilometer_memballoon.reader import Reader

LOG = log.getLogger(__name__)

_collectors: dict[int, tuple[cfg.ConfigOpts, Collector]] = {}
_collectors_lock = threading.Lock()


def shared(conf: cfg.ConfigOpts) -> Collector:
    """Return the collector that all pollsters with this configuration share."""
    with _collectors_lock:
        # The key is the identity, because ConfigOpts is a mapping and has no hash. The collector
        # keeps a reference, so that no other object gets the same id.
        if id(conf) not in _collectors:
            host = libvirt_host.from_conf(conf)
            _collectors[id(conf)] = conf, from_conf(conf, host)
            shutdown.on_sigterm(host.stop)
        return _collectors[id(conf)][1]


def period_rule(conf: cfg.ConfigOpts) -> PeriodRule:
    """Return the configuration's rule about periods."""
    found = conf.get_location("mem_stats_period_seconds", "libvirt").location
    return PeriodRule(
        period=conf.libvirt.mem_stats_period_seconds,
        chosen=found not in (cfg.Locations.opt_default, cfg.Locations.set_default),
        may_set=conf.memballoon.set_periods,
    )


def from_conf(conf: cfg.ConfigOpts, host: Host) -> Collector:
    """Return a collector for this host with the options of the configuration."""
    options = conf.memballoon
    rule = period_rule(conf)
    if rule.is_too_long:
        LOG.warning(
            "[libvirt] mem_stats_period_seconds is %s, but libvirt accepts at most %s. The agent "
            "sets no period. Lower the option.", rule.period, MOST_SECONDS,
        )  # fmt: skip
    processes = QemuProcesses()
    periods = PeriodKeeper(host, rule)
    return Collector(
        Reader(host, options.libvirt_timeout, options.most_stuck_calls, processes),
        periods,
        Judge(periods, History(options.boot_seconds, processes)),
        options.libvirt_timeout,
    )
