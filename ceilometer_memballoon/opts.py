# SPDX-License-Identifier: Apache-2.0
"""The plugin's options, and their listing for oslo-config-generator."""

from oslo_config import cfg

LIBVIRT_OPTS: list[cfg.Opt] = [
    # Nova's own option: same group, name, type, default and meaning
    # (nova/conf/libvirt.py), so that one file can configure both.
    cfg.IntOpt(
        "mem_stats_period_seconds",
        default=10,
        help="Period in seconds at which each guest's balloon driver reports its "
        "memory statistics. The polling agent sets it, live, on every running "
        "domain that has another one. Zero or a negative value means that no guest "
        "is changed; what guests report all the same is still collected. Same "
        "option as Nova's.",
    ),
]

MEMBALLOON_OPTS: list[cfg.Opt] = [
    cfg.FloatOpt(
        "libvirt_timeout",
        default=5.0,
        min=0.1,
        help="Longest time in seconds that the polling agent waits for one answer "
        "of libvirt. A call that takes longer is left behind, and the other guests "
        "are read on a new connection.",
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options by group, as the oslo.config.opts entry point wants them."""
    return [("libvirt", LIBVIRT_OPTS), ("memballoon", MEMBALLOON_OPTS)]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options known to a configuration; harmless when done again."""
    for group, options in list_opts():
        conf.register_opts(options, group=group)
