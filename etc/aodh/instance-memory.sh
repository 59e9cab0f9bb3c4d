#!/bin/sh
# An alarm on one instance's memory: more than 90 % of it used, three minutes on end.
#
#     INSTANCE=uuid WEBHOOK=https://... sh instance-memory.sh
#
# The webhook is called when the alarm fires, when all is well again, and when there is no
# data: a guest that falls silent is not one with enough memory.
#
# Gnocchi must keep the meter by the minute: its archive policy needs a definition of 60 s,
# as ceilometer-high has (gnocchi_resources.memballoon.yaml gives it to memory.util), and
# polling.yaml an interval of 60 s or less.
set -eu
openstack alarm create \
    --type gnocchi_resources_threshold \
    --name "memory of ${INSTANCE:?the uuid of an instance}" \
    --description "The guest uses more than ${THRESHOLD:-90} % of its memory" \
    --metric memory.util --aggregation-method mean \
    --resource-type instance --resource-id "$INSTANCE" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    --granularity "${GRANULARITY:-60}" --evaluation-periods 3 \
    --alarm-action "${WEBHOOK:?an http or https address, or log://}" \
    --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
