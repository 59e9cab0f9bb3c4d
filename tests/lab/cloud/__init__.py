# SPDX-License-Identifier: Apache-2.0
"""A whole OpenStack on this machine, whose servers the plugin watches.

:mod:`site` holds the settings that every service gets. There is one module per service; :mod:`host`
is one compute host with its own libvirtd, its nova-compute and its polling agent.
:mod:`cloud` brings all of it up, :mod:`server` steers one server.
PostgreSQL, RabbitMQ, Prometheus and the webhook are those of :mod:`tests.lab.chain`.
"""
