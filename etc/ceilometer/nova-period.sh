#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print a configuration file with Nova's statistics period and no other option of nova.conf.
#
#     sh nova-period.sh /etc/nova/nova.conf >/etc/ceilometer/ceilometer.conf.d/nova-period.conf
#
# Run it as root, because the agent's user may not read nova.conf. Do not give the agent nova.conf
# itself. It would use Nova's log_dir, may not write there, and would end.
set -eu
echo "[libvirt]"
sed -n '/^\[libvirt\]/,/^\[/s/^mem_stats_period_seconds *[=:]/&/p' "${1:?the path of nova.conf}"
