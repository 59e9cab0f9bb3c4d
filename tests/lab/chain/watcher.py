# SPDX-License-Identifier: Apache-2.0
"""Ask a datasource or a strategy of Watcher questions, in a process of its own.

Importing Watcher stops the lab's own servers from answering, so nothing else imports it.
Arguments: watcher.conf and Aetos' address. A question is a mapping of _answer's arguments.
"""

import sys
import types
from typing import Any

from keystoneauth1 import noauth, session
from watcher import conf
from watcher.common import clients
from watcher.decision_engine.datasources.aetos import AetosHelper
from watcher.decision_engine.datasources.gnocchi import GnocchiHelper
from watcher.decision_engine.datasources.prometheus import PrometheusHelper
from watcher.decision_engine.model.element import InstanceState
from watcher.decision_engine.strategy.strategies.workload_balance import WorkloadBalance

from tests.lab.chain.aetos import headers
from tests.lab.chain.answering import answer


def main() -> None:
    """Answer questions."""
    config, aetos = sys.argv[1:]
    conf.CONF([], project="watcher", default_config_files=[config])
    answer(lambda question: _answer(aetos, **question))


def _answer(
    aetos: str, source: str, ask: str, resource: dict[str, Any], arguments: dict[str, Any]
) -> Any:
    """Call the method of the source and return its result.

    For the strategy, return the name of the error that it raises.
    """
    one = types.SimpleNamespace(**resource)
    if source == "workload_balance":
        return _error_of_workload_balance(one)
    return getattr(_datasource(source, aetos), ask)(one, **arguments)


def _datasource(name: str, aetos: str) -> Any:
    if name == "gnocchi":
        return GnocchiHelper(clients.OpenStackClients())
    if name == "prometheus":
        return PrometheusHelper()
    admin = session.Session(auth=noauth.NoAuth(endpoint=aetos), additional_headers=headers("admin"))
    return AetosHelper(types.SimpleNamespace(session=admin))


def _error_of_workload_balance(instance: types.SimpleNamespace) -> str | None:
    """Run the strategy for an overloaded host with that instance, whose usage is unknown."""
    instance.watcher_exclude = False
    instance.state = InstanceState.ACTIVE.value
    model = types.SimpleNamespace(get_node_instances=lambda node: [instance])
    overloaded = [{"compute_node": types.SimpleNamespace(uuid="node-1"), "workload": 2}]
    try:
        WorkloadBalance.choose_instance_to_migrate(
            types.SimpleNamespace(compute_model=model), overloaded, 1, {}
        )
    except Exception as error:
        return type(error).__name__
    return None


if __name__ == "__main__":
    main()
