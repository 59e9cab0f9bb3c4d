#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print a configuration file that has Nova's statistics period and nothing else of nova.conf.
#
#     sh nova-period.sh /etc/nova/nova.conf >/etc/ceilometer/ceilometer.conf.d/nova-period.conf
#
# Run it as root, for the agent's user may not read nova.conf. The agent cannot be given
# nova.conf itself: it would take over Nova's log_dir, where its user may not write, and end.
set -eu
echo "[libvirt]"
sed -n '/^\[libvirt\]/,/^\[/s/^mem_stats_period_seconds *[=:]/&/p' "${1:?the path of nova.conf}"
