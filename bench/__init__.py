# SPDX-License-Identifier: Apache-2.0
"""The plugin measured side by side with the stock pollsters and with the floor.

``tox -e bench`` runs it all on lab guests: :mod:`contestants` are measured in turns,
:mod:`simulated` is what lies beyond one machine's guests, :mod:`report` makes the table
and the plot.
"""
