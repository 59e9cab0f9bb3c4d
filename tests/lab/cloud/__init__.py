# SPDX-License-Identifier: Apache-2.0
"""A whole OpenStack on this machine, with servers that the plugin reports.

:mod:`site` has the settings that every service gets. Each service has a module. :mod:`host` is
one compute host with its own libvirtd, its nova-compute and its polling agent. :mod:`cloud`
starts all of it, and :mod:`server` controls one server. PostgreSQL, RabbitMQ, Prometheus and the
webhook are those of :mod:`tests.lab.chain`.
"""
