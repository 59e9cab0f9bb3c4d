# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of the plugin beside the stock pollsters and the floor.

The floor is the cost of the libvirt call alone. ``tox -e bench`` runs all benchmarks on lab
guests. :mod:`contestants` measures one cycle of each contestant in turns, :mod:`simulated`
measures more guests than one machine can run, and :mod:`report` makes the table and the plot.
"""
