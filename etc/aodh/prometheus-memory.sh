#!/bin/sh
# The alarm of instance-memory.sh, for clouds with their meters in Prometheus.
#
#     INSTANCE=uuid WEBHOOK=https://... sh prometheus-memory.sh
#
# Set other variables in the same way:
#
#     THRESHOLD=90  percent of the guest's memory (memory.util)
#     WINDOW=2m     the alarm compares the mean of this time; 10m means ten minutes
#     ONLY_ALARM=1  call the webhook only when the alarm fires
#
# WINDOW must be 2m or longer, because the exporter removes each metric and adds it again in every
# polling cycle. A guest that stops reporting has no data after WINDOW.
set -eu
: "${WEBHOOK:?an http or https address}"
set -- --alarm-action "$WEBHOOK"
if [ -z "${ONLY_ALARM:-}" ]; then
    set -- "$@" --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
fi
openstack alarm create \
    --type prometheus \
    --name "memory of ${INSTANCE:?the uuid of an instance}" \
    --description "The guest uses more than ${THRESHOLD:-90} % of its memory" \
    --query "avg(avg_over_time(ceilometer_memory_util{resource=\"$INSTANCE\"}[${WINDOW:-2m}]))" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    "$@"
