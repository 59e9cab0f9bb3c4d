#!/bin/sh
# An alarm on the mean memory use of all instances of a server group.
#
#     SERVER_GROUP=name WEBHOOK=https://... sh server-group-memory.sh
#
# Name the group when you create an instance, with
# 'openstack server create --property metering.server_group=name'. Gnocchi gets the name from
# Nova's notifications. With [compute] fetch_extra_metadata = true it gets it from the samples.
# THRESHOLD, PERIODS, GRANULARITY and ONLY_ALARM are the variables of instance-memory.sh. Archive
# policy and interval are as there.
#
# Aodh adds a project to the query of a member. It must be the project of the user that sends the
# samples: [api] gnocchi_external_project_owner in aodh.conf, "service" by default.
set -eu
: "${WEBHOOK:?an http or https address}"
set -- --alarm-action "$WEBHOOK"
if [ -z "${ONLY_ALARM:-}" ]; then
    set -- "$@" --ok-action "$WEBHOOK" --insufficient-data-action "$WEBHOOK"
fi
openstack alarm create \
    --type gnocchi_aggregation_by_resources_threshold \
    --name "memory of the group ${SERVER_GROUP:?metering.server_group of the instances}" \
    --description "The group's guests use more than ${THRESHOLD:-90} % of their memory" \
    --metric memory.util --aggregation-method mean \
    --resource-type instance --query "{\"=\": {\"server_group\": \"$SERVER_GROUP\"}}" \
    --comparison-operator gt --threshold "${THRESHOLD:-90}" \
    --granularity "${GRANULARITY:-60}" --evaluation-periods "${PERIODS:-3}" \
    "$@"
