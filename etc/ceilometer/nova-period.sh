#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print a configuration file with Nova's statistics period and no other option of Nova's files.
#
#     sh nova-period.sh /etc/nova/nova.conf >/etc/ceilometer/ceilometer.conf.d/memballoon.conf
#
# Name all files that nova-compute reads, in its order. The last value counts.
#
# Run it as root, because the agent's user may not read Nova's files. Do not give the agent nova.conf
# itself. It would use Nova's log_dir, may not write there, and would end.
set -eu
: "${1:?the paths of the configuration files of nova-compute}"
found=$(awk '
    FNR == 1 { inside = 0 }
    /^\[/ { inside = /^\[libvirt\]/ }
    inside && /^mem_stats_period_seconds[ \t]*[=:]/
' "$@")
printf '[libvirt]\n%s\n' "$found"
