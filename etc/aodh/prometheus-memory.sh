#!/bin/sh
# The alarm of instance-memory.sh where the meters are in Prometheus and not in Gnocchi.
#
#     INSTANCE=uuid WEBHOOK=https://... sh prometheus-memory.sh
#
# The query spans two minutes, for the exporter takes a metric down and puts it up again in
# each polling cycle; a guest that falls silent has no data after them.
set -eu
openstack alarm create \
    --type prometheus \
    --name "memory of ${INSTANCE:?the uuid of an instance}" \
    --description "The guest uses more than ${THRESHOLD:-90} % of its memory" \
    --query "avg(avg_over_time(ceilometer_memory_util{resource=\"$INSTANCE\"}[${WINDOW:-2m}]))" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    --alarm-action "${WEBHOOK:?an http or https address, or log://}" \
    --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
