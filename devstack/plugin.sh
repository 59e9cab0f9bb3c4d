#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# DevStack's plugin: installs ceilometer-memballoon beside Ceilometer and configures it.
# See README.rst in this folder.

# Save trace setting
_XTRACE_MEMBALLOON=$(set +o | grep xtrace)
set +o xtrace

# Meters that both stock pollsters and the plugin send.
MEMBALLOON_STOCK="memory.usage memory.resident memory.available memory.swap.in memory.swap.out"

# install_memballoon - into the environment that has Ceilometer
function install_memballoon {
    setup_install "$MEMBALLOON_DIR"
}

# configure_memballoon_polling FILE - poll the plugin's meters in a source of their own
#
# Ceilometer's DevStack plugin selects "*". This would also select every pollster of this plugin and
# send each sample of a stock pollster twice.
function configure_memballoon_polling {
    local file=$1
    local name
    local excluded='&\n        - "!memory_*"'
    if grep -q guest_memory "$file"; then
        return 0
    fi
    for name in $MEMBALLOON_STOCK; do
        excluded+="\n        - \"!$name\""
    done
    sed -i "s/^ *- \"\*\" *\$/$excluded/" "$file"
    sed -n '/^  - name: guest_memory/,$p' "$MEMBALLOON_DIR/etc/ceilometer/polling.yaml" |
        sed -e "s/interval: .*/interval: $MEMBALLOON_INTERVAL/" -e 's/^/  /' >>"$file"
}

# configure_memballoon_gnocchi FOLDER - add the plugin's meters to Gnocchi's definitions
function configure_memballoon_gnocchi {
    local file=$1/gnocchi_resources.yaml
    local stock=ceilometer/publisher/data/gnocchi_resources.yaml
    if [[ ! -e $file ]]; then
        cp "$CEILOMETER_DIR/$stock" "$file"
    fi
    if ! grep -q memory.stats.age "$file"; then
        cat "$MEMBALLOON_DIR/etc/ceilometer/gnocchi_resources.memballoon.yaml" >>"$file"
    fi
}

# configure_memballoon - after Ceilometer and Nova have been configured
function configure_memballoon {
    if is_service_enabled ceilometer-acompute; then
        configure_memballoon_polling "$CEILOMETER_CONF_DIR/polling.yaml"
        if [[ -n $MEMBALLOON_PERIOD ]]; then
            iniset "$CEILOMETER_CONF" libvirt mem_stats_period_seconds "$MEMBALLOON_PERIOD"
            iniset "$NOVA_CONF" libvirt mem_stats_period_seconds "$MEMBALLOON_PERIOD"
        fi
    fi
    if is_service_enabled ceilometer-anotification; then
        configure_memballoon_gnocchi "$CEILOMETER_CONF_DIR"
    fi
}

if is_service_enabled ceilometer-acompute ceilometer-anotification; then
    if [[ "$1" == "stack" && "$2" == "install" ]]; then
        echo_summary "Installing ceilometer-memballoon"
        install_memballoon
    elif [[ "$1" == "stack" && "$2" == "post-config" ]]; then
        echo_summary "Configuring ceilometer-memballoon"
        configure_memballoon
    fi
fi

# Restore xtrace
$_XTRACE_MEMBALLOON
