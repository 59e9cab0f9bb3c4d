# SPDX-License-Identifier: Apache-2.0
"""The shipped rules of Prometheus: checked by promtool, and fed by the real agent."""

import http.client
import pathlib
import re
import threading
import urllib.request

import pytest
import yaml

from tests.lab.chain.chain import HOST
from tests.lab.chain.prometheus import ALERTS, ETC, RULES, faster, promtool
from tests.lab.waiting import wait_long_for

HERE = pathlib.Path(__file__).parent
UNIT_TESTS = HERE / "rules.test.yml"
SECONDS = 120
MIB = 2**20
RECORDS = [rule["record"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]
ALERT_RULES = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
RUNBOOKS = HERE.parents[1] / "doc/source/admin/alerts"
RUNBOOK_URL = re.compile(r"(https://\S+)/admin/alerts/(\w+)\.html")
RUNBOOK_SECTIONS = ("Meaning", "How to check", "What to do")
#: Records to which a healthy guest does not contribute.
OF_TROUBLE = {"guest:memory_short:ratio"}


@pytest.fixture
def short_of_memory(boot):
    """A guest that claims to use nearly all its memory, with a growing number of major faults."""
    guest = boot("instance-short", forge=True, period=1)
    over = threading.Event()

    def thrash() -> None:
        faults = 0
        while not over.is_set():
            guest.forge(available=80 * MIB, usable=4 * MIB, unused=2 * MIB, major_fault=faults)
            faults += 1000
            over.wait(1)

    thrashing = threading.Thread(target=thrash)
    thrashing.start()
    yield guest
    over.set()
    thrashing.join(SECONDS)


def test_promtool_accepts_the_rules():
    promtool(HERE, "check", "rules", RULES, ALERTS)


def test_promtool_accepts_the_configuration(tmp_path):
    config = (ETC / "prometheus.yml").read_text().replace("/etc/prometheus", str(ETC))
    (tmp_path / "prometheus.yml").write_text(config)
    promtool(HERE, "check", "config", tmp_path / "prometheus.yml")


def test_promtools_rule_tests_pass():
    promtool(HERE, "test", "rules", UNIT_TESTS)


@pytest.mark.parametrize("name", RECORDS + [rule["alert"] for rule in ALERT_RULES])
def test_every_rule_has_a_promtool_test(name):
    assert name in UNIT_TESTS.read_text()


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_all_annotations(rule):
    assert set(rule["annotations"]) == {"summary", "description", "action", "runbook_url"}
    assert "for" in rule


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_runbook(rule):
    page = (RUNBOOKS / f"{rule['alert']}.rst").read_text()
    assert RUNBOOK_URL.fullmatch(rule["annotations"]["runbook_url"])[2] == rule["alert"]
    assert page.startswith(f"{'=' * len(rule['alert'])}\n{rule['alert']}\n")
    for section in RUNBOOK_SECTIONS:
        assert f"\n{section}\n{'=' * len(section)}\n" in page


def test_runbooks_have_one_base_that_one_command_replaces():
    bases = {RUNBOOK_URL.fullmatch(rule["annotations"]["runbook_url"])[1] for rule in ALERT_RULES}
    assert len(bases) == 1
    assert f"sed -i 's,{bases.pop()}," in ALERTS.read_text()


def test_every_runbook_has_an_alert():
    names = {rule["alert"] for rule in ALERT_RULES}
    assert {page.stem for page in RUNBOOKS.glob("*.rst")} == {*names, "index"}


def test_faster_rules_are_the_shipped_ones_with_shorter_times():
    assert faster("rate(x[5m]) for: 10m y offset 10m interval: 2m", 12) == (
        "rate(x[25s]) for: 50s y offset 50s interval: 10s"
    )
    assert faster("min_over_time(x[3m:1m])", 12) == "min_over_time(x[15s:5s])"
    assert faster("max by (x) (age:seconds) > 120", 12) == "max by (x) (age:seconds) > 10"


def test_every_record_has_data_of_a_real_guest(boot, chain):
    boot()
    missing = set(RECORDS) - OF_TROUBLE

    def all_there():
        missing.difference_update({name for name in missing if chain.prometheus.query(name)})
        return not missing

    wait_long_for(all_there, SECONDS, "every record", lambda: str(missing))


def test_alert_fires_for_a_guest_short_of_memory(short_of_memory, chain):
    wait_long_for(
        lambda: "firing" in chain.prometheus.alerts(
            "GuestShortOfMemory", resource=short_of_memory.uuid
        ),
        SECONDS,
        "the alert",
    )  # fmt: skip


def test_alert_fires_for_a_silent_guest(chain, silent_guest):
    wait_long_for(
        lambda: "firing" in chain.prometheus.alerts(
            "GuestMemoryStatsSilent", resource=silent_guest.uuid
        ),
        SECONDS,
        "the alert",
    )  # fmt: skip


def test_alert_fires_for_a_hung_guest(boot, chain):
    guest = boot("instance-hanging")
    wait_long_for(lambda: chain.agent.usage(guest.uuid), SECONDS, "memory.usage")
    guest.hang()
    try:
        wait_long_for(
            lambda: "firing" in chain.prometheus.alerts(
                "GuestNotResponding", resource=guest.uuid, host=HOST
            ),
            SECONDS,
            "the alert",
        )  # fmt: skip
    finally:
        guest.unhang()


def test_exporter_is_scraped_with_tls_only(chain):
    wait_long_for(lambda: chain.prometheus.query('up{job="ceilometer"} == 1'), SECONDS, "a scrape")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        urllib.request.urlopen(f"http://127.0.0.1:{chain.agent.port}", timeout=SECONDS)
