#!/bin/sh
# The alarm of instance-memory.sh, for clouds with their meters in Prometheus.
#
#     INSTANCE=uuid WEBHOOK=https://... sh prometheus-memory.sh
#
# The query covers two minutes, because the exporter removes each metric and adds it again in
# every polling cycle. After two minutes, a silent guest has no data.
set -eu
openstack alarm create \
    --type prometheus \
    --name "memory of ${INSTANCE:?the uuid of an instance}" \
    --description "The guest uses more than ${THRESHOLD:-90} % of its memory" \
    --query "avg(avg_over_time(ceilometer_memory_util{resource=\"$INSTANCE\"}[${WINDOW:-2m}]))" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    --alarm-action "${WEBHOOK:?an http or https address}" \
    --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
