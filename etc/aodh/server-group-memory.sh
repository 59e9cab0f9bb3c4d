#!/bin/sh
# An alarm on the mean of all instances of a server group, for autoscaling without Heat.
#
#     SERVER_GROUP=name WEBHOOK=https://... sh server-group-memory.sh
#
# Instances belong to the group that was named when they were created, with
# 'openstack server create --property metering.server_group=name'. Gnocchi learns it from
# Nova's notifications or, with [compute] fetch_extra_metadata = true, from the samples.
# Archive policy and interval as in instance-memory.sh.
#
# To the query of a plain member Aodh adds the project whose user sends the samples. It must be
# Ceilometer's: [api] gnocchi_external_project_owner in aodh.conf, "service" by default.
set -eu
openstack alarm create \
    --type gnocchi_aggregation_by_resources_threshold \
    --name "memory of the group ${SERVER_GROUP:?metering.server_group of the instances}" \
    --description "The group's guests use more than ${THRESHOLD:-90} % of their memory" \
    --metric memory.util --aggregation-method mean \
    --resource-type instance --query "{\"=\": {\"server_group\": \"$SERVER_GROUP\"}}" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    --granularity "${GRANULARITY:-60}" --evaluation-periods 3 \
    --alarm-action "${WEBHOOK:?an http or https address, or log://}" \
    --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
