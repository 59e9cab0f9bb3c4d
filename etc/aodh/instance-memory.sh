#!/bin/sh
# An alarm on one instance's memory: more than 90 % of it used for three minutes.
#
#     INSTANCE=uuid WEBHOOK=https://... sh instance-memory.sh
#
# Set other variables in the same way:
#
#     THRESHOLD=90    percent of the guest's memory (memory.util)
#     PERIODS=3       how many values in a row must be above it; 10 means ten minutes
#     GRANULARITY=60  seconds between two values
#     ONLY_ALARM=1    call the webhook only when the alarm fires
#
# Without ONLY_ALARM, Aodh calls the webhook when the alarm fires, when it ends, and when there is
# no data. A guest that stops reporting may be short of memory.
#
# Gnocchi must keep one value a minute. The meter's archive policy needs a definition of 60 s, as
# ceilometer-high has. gnocchi_resources.memballoon.yaml gives this policy to memory.util. The
# interval in polling.yaml must be 60 s or less.
set -eu
: "${WEBHOOK:?an http or https address}"
set -- --alarm-action "$WEBHOOK"
if [ -z "${ONLY_ALARM:-}" ]; then
    set -- "$@" --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
fi
openstack alarm create \
    --type gnocchi_resources_threshold \
    --name "memory of ${INSTANCE:?the uuid of an instance}" \
    --description "The guest uses more than ${THRESHOLD:-90} % of its memory" \
    --metric memory.util --aggregation-method mean \
    --resource-type instance --resource-id "$INSTANCE" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    --granularity "${GRANULARITY:-60}" --evaluation-periods "${PERIODS:-3}" \
    "$@"
