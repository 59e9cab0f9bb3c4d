# SPDX-License-Identifier: Apache-2.0
"""The command 'check', on libvirt's test driver."""

import os
import re

import pytest
import yaml
from ceilometer.polling import manager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from ceilometer_memballoon.cli import config_files
from tests.libvirt.test_command import run_process

PIPELINE = {
    "sources": [{"name": "all", "meters": ["*"], "sinks": ["gnocchi"]}],
    "sinks": [{"name": "gnocchi", "publishers": ["gnocchi://"]}],
}
needs_tls = pytest.mark.skipif(
    not any(option.name == "prometheus_tls_enable" for option in manager.POLLING_OPTS),
    reason="Ceilometer 24 has an exporter without TLS",
)
ROW = re.compile(r"Check: (.*?) Result: (\w+) Details: (.*?) \+-", re.DOTALL)


def details(done):
    """Return the check's table as one line of text."""
    return " ".join(done.stdout.replace("|", " ").split())


def rows(done):
    """Return result and details by the check's name."""
    return {name: (result, text) for name, result, text in ROW.findall(details(done))}


def test_sound_installation_passes(run, installed):
    done = run(installed("memory_usage", "memory_resident"), "check")
    assert done.returncode == 0
    assert "polling.yaml selects memory_resident, memory_usage." in details(done)


def test_unreachable_libvirt_fails(run, installed):
    done = run(installed("memory_usage", uri="test:///no/such/file.xml"), "check")
    assert done.returncode == 2
    assert "Start libvirtd" in details(done)


def test_stock_pollster_beside_ours_is_a_warning_with_the_line(run, installed):
    done = run(installed("memory_usage", "memory.usage"), "check")
    assert done.returncode == 1
    assert "remove the line '- memory.usage' from source all" in details(done)


def test_polling_without_our_pollsters_fails(run, installed):
    done = run(installed("cpu"), "check")
    assert done.returncode == 2
    assert "Add memory_usage and memory_resident" in details(done)


def test_polling_yaml_that_ceilometer_refuses_fails(run, installed):
    done = run(installed("memory_usage", "!cpu"), "check")
    assert done.returncode == 2
    assert "polling.yaml cannot be used" in details(done)


def test_interval_below_the_period_is_a_warning(run, installed):
    done = run(installed("memory_usage", interval=5), "check")
    assert done.returncode == 1
    assert "polled every 5 s, but guests report every 10 s" in details(done)


def test_period_and_its_origin_are_shown(run, installed, tmp_path):
    lines = "[libvirt]\nmem_stats_period_seconds = 0\n"
    done = run(installed("memory_usage", lines=lines), "check")
    assert done.returncode == 1
    assert f"is0(from{tmp_path}/ceilometer.conf)" in details(done).replace(" ", "")


def test_meter_that_gnocchi_would_drop_is_a_warning(run, installed, tmp_path):
    config = installed("memory_usage", "memory_stats_age")
    (tmp_path / "pipeline.yaml").write_text(
        yaml.safe_dump({"sinks": [{"publishers": ["gnocchi://?archive_policy=low"]}]})
    )
    done = run(config, "check")
    assert done.returncode == 1
    assert "would drop memory.stats.age" in details(done)


def test_publishers_own_definitions_are_checked(run, installed, tmp_path):
    config = installed("memory_stats_age")
    own = tmp_path / "own.yaml"
    own.write_text("resources: [{resource_type: instance, metrics: {memory.stats.age: }}]\n")
    (tmp_path / "pipeline.yaml").write_text(
        yaml.safe_dump({"sinks": [{"publishers": [f"gnocchi://?resources_definition_file={own}"]}]})
    )
    assert run(config, "check").returncode == 0


@pytest.fixture
def publish(installed, tmp_path):
    """Write the configuration of a node that publishes these meters to this
    address."""

    def write(url, *meters, definitions=None, **options):
        if definitions is not None:
            (tmp_path / "own.yaml").write_text(yaml.safe_dump(definitions))
            url += f"&resources_definition_file={tmp_path / 'own.yaml'}"
        config = installed(*(meters or ("memory_util",)), **options)
        sink = {"name": "gnocchi", "publishers": [url]}
        (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump({**PIPELINE, "sinks": [sink]}))
        return config

    return write


def test_gnocchi_is_not_checked_where_samples_go_only_to_the_exporter(run, publish):
    config = publish("gnocchi://", "memory_stats_age", lines="enable_notifications = false\n")
    assert rows(run(config, "check"))["Gnocchi"][0] == "Success"


@pytest.mark.parametrize(
    ("policy", "result"),
    [
        ("ceilometer-low", "Warning"),
        ("ceilometer-low-rate", "Warning"),
        ("low", "Warning"),
        ("ceilometer-high", "Success"),
        ("medium", "Success"),
        ("of-their-own", "Success"),
    ],
)
def test_archive_policy_in_the_publishers_address_must_keep_minutes(run, publish, policy, result):
    found = rows(run(publish(f"gnocchi://?archive_policy={policy}", "memory_usage"), "check"))
    assert found["Gnocchi"][0] == result


def test_undefined_archive_policy_is_a_warning(run, publish):
    found = rows(run(publish("gnocchi://?archive_policy=theirs", "memory_usage"), "check"))
    assert "policy theirs, which is not defined here" in found["Gnocchi"][1]


@pytest.mark.parametrize(
    ("granularity", "result"),
    [("1 minute", "Success"), (60, "Success"), ("60", "Success"), ("5 minutes", "Warning")],
)
def test_archive_policy_of_the_definitions_must_keep_minutes(run, publish, granularity, result):
    definitions = {
        "archive_policy_default": "own",
        "archive_policies": [{"name": "own", "definition": [{"granularity": granularity}]}],
        "resources": [{"resource_type": "instance", "metrics": ["memory.util"]}],
    }
    config = publish("gnocchi://?", definitions=definitions)
    assert rows(run(config, "check"))["Gnocchi"][0] == result


def test_sink_that_no_selected_meter_reaches_is_not_checked(run, publish, tmp_path):
    config = publish("gnocchi://?archive_policy=low", "memory_usage")
    pipeline = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())
    pipeline["sources"][0]["meters"] = ["cpu"]
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(pipeline))
    assert rows(run(config, "check"))["Gnocchi"][0] == "Success"


# Invalid files.

#: Content that a user's YAML file can have.
ODD = {
    "empty": b"",
    "comment": b"# nothing yet\n",
    "text": b"memory_usage",
    "number": b"5",
    "list": b"- sources\n- sinks\n- resources\n",
    "null values": b"sources:\nsinks:\nresources:\n",
    "mappings in place of lists": b"sources: {a: 1}\nsinks: {a: 1}\nresources: {a: 1}\n",
    "lists of null": b"sources: [null]\nsinks: [null]\nresources: [null]\n",
    "lists of text": b"sources: [a]\nsinks: [a]\nresources: [a]\n",
    "empty entries": b"sources: [{}]\nsinks: [{}]\nresources: [{}]\n",
    "entries of null": b"sources: [{name: , meters: , interval: , sinks: }]\n"
    b"sinks: [{name: , publishers: }]\nresources: [{resource_type: , metrics: }]\n",
    "entries of numbers": b"sources: [{name: 1, meters: [1], interval: .inf, sinks: [1]}]\n"
    b"sinks: [{name: 1, publishers: [1]}]\nresources: [{metrics: 1}]\n",
    "tab": b"sources:\n\t- name: a\n",
    "open bracket": b"sources: [",
    "unknown tag": b"sources: !thing {}\n",
    "value of no type": b"sources: !!int ''\n",
    "value out of range": b"sources: !!timestamp 9999-99-99\n",
    "two documents": b"sources: []\n---\nsources: []\n",
    "nested": b"[" * 5000,
    "another encoding": "sources: [{name: Gäste}]".encode("latin-1"),
    "binary": bytes(range(256)),
    "merge of nothing": b"<<: 1\n",
}
#: A check, and the file that only this check reads.
FILES = {"Pollsters": "polling.yaml", "Gnocchi": "pipeline.yaml", "Gnocchi ": "own.yaml"}


def odd_node(publish, check):
    """Return the configuration of a valid node, and the path of the file to replace."""
    resources = [{"resource_type": "instance", "metrics": ["memory.util"]}]
    definitions = {"archive_policy_default": "high", "resources": resources}
    config = publish("gnocchi://?", definitions=definitions)
    return config, config.with_name(FILES[check])


@pytest.mark.parametrize("check", FILES)
def test_node_without_odd_files_passes(run, publish, check):
    assert run(odd_node(publish, check)[0], "check").returncode == 0


@pytest.mark.parametrize("check", FILES)
@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_odd_file_fails_only_its_check(run, publish, check, content):
    config, path = odd_node(publish, check)
    path.write_bytes(content)
    done = run(config, "check")
    failed = [name for name, (result, _) in rows(done).items() if result == "Failure"]
    assert (done.returncode, failed, done.stderr) == (2, [check.strip()], "")
    assert path.name in rows(done)[check.strip()][1].replace(" ", "")


def as_folder(path):
    path.mkdir()


def as_pipe(path):
    os.mkfifo(path)


def as_device(path):
    path.symlink_to("/dev/zero")


def as_huge(path):
    path.write_bytes(b"#" * 2**21)


def as_loop(path):
    path.symlink_to(path)


@pytest.mark.parametrize("check", FILES)
@pytest.mark.parametrize("make", [as_folder, as_pipe, as_device, as_huge])
def test_path_that_is_not_a_file_fails_only_its_check(run, publish, check, make):
    config, path = odd_node(publish, check)
    path.unlink()
    make(path)
    done = run(config, "check")
    failed = [name for name, (result, _) in rows(done).items() if result == "Failure"]
    assert (done.returncode, failed, done.stderr) == (2, [check.strip()], "")


WORDS = ["name", "meters", "interval", "sinks", "publishers", "metrics", "definition",
         "granularity", "resource_type", "archive_policy_name", "sources", "resources",
         "archive_policies", "archive_policy_default", "*", "!cpu", "memory_util", "memory.util",
         "gnocchi://", "gnocchi://[", ""]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("check", FILES)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=ANYTHING)
def test_check_survives_every_structure(run, publish, check, content):
    config, path = odd_node(publish, check)
    whole = {"sources": content, "sinks": content, "resources": content} if content else content
    path.write_text(yaml.safe_dump(whole))
    done = run(config, "check")
    assert done.stderr == ""
    assert "This check failed" not in details(done)
    assert len(rows(done)) == 12


# What polling.yaml selects.


def test_wildcard_does_not_select_the_plugin_and_check_shows_the_lines(run, installed):
    done = run(installed("*"), "check")
    assert done.returncode == 2
    found = rows(done)["Pollsters"][1]
    assert "'- memory_usage'" in found
    assert "add the line '- \"!memory_*\"' to source all" in found
    assert "add the line '- \"!memory.usage\"' to source all" in found


def test_wildcard_beside_a_source_that_asks_is_a_warning_with_the_lines(run, installed, tmp_path):
    config = installed("memory_usage")
    polling = yaml.safe_load((tmp_path / "polling.yaml").read_text())
    polling["sources"].append({"name": "stock", "interval": 60, "meters": ["*"]})
    (tmp_path / "polling.yaml").write_text(yaml.safe_dump(polling))
    result, text = rows(run(config, "check"))["Pollsters"]
    assert result == "Warning"
    assert "add the line '- \"!memory_*\"' to source stock" in text


# The configuration.


def test_files_that_were_read_are_named(run, installed):
    config = installed("memory_usage")
    assert str(config) in rows(run(config, "check"))["Configuration"][1].replace(" ", "")


@pytest.mark.parametrize(
    "content",
    [b"libvirt_uri = x\n", bytes(range(256)), b"[libvirt]\nmem_stats_period_seconds = a\n"],
)
def test_configuration_that_cannot_be_used_is_a_failure_of_one_line(run, tmp_path, content):
    (tmp_path / "odd.conf").write_bytes(content)
    done = run(tmp_path / "odd.conf", "check")
    assert (done.returncode, list(rows(done)), done.stderr) == (2, ["Configuration"], "")


def test_unreadable_file_is_reported_with_the_remedy(run, tmp_path, monkeypatch):
    def refuse(namespace, file):
        raise cfg.ConfigFilesPermissionDeniedError([str(tmp_path / "a.conf")])

    monkeypatch.setattr(cfg.ConfigOpts, "_parse_cli_opts", refuse)
    for words in ("check",), ("guest", "list"):
        done = run(tmp_path / "a.conf", *words)
        assert "sudo -u ceilometer" in details(done) + done.stderr


def test_unreadable_configuration_folder_is_reported(run, tmp_path, monkeypatch, configure):
    monkeypatch.setattr(config_files, "FOLDERS", (str(tmp_path / "hidden"),))
    (tmp_path / "hidden").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(tmp_path / "hidden"))
    monkeypatch.setattr(config_files.cfg, "find_config_files", lambda *names: [])
    done = run(None, "check")
    assert done.returncode == 2
    assert "No configuration was read" in details(done)
    assert "by the default" not in details(done)


@pytest.mark.parametrize("folder", ["", ".d/a.conf"])
@pytest.mark.parametrize("program", ["ceilometer", "ceilometer-polling"])
def test_files_are_found_where_the_agent_finds_them(tmp_path, program, folder):
    path = tmp_path / ".ceilometer" / f"{program}.conf{folder}"
    path.parent.mkdir(parents=True)
    path.write_text("[DEFAULT]\nlibvirt_uri = test:///default\n[libvirt]\n"
                    "mem_stats_period_seconds = 33\n")  # fmt: skip
    done = run_process("guest", "show", "test", "-f", "value", "-c", "option's period (s)",
                       env={**os.environ, "HOME": str(tmp_path)})  # fmt: skip
    assert (done.stdout, done.stderr) == ("33\n", "")


def test_later_file_or_folder_takes_precedence(run, configure, tmp_path):
    config = configure(lines="[libvirt]\nmem_stats_period_seconds = 20\n")
    folder = tmp_path / "more.d"
    folder.mkdir()
    (folder / "period.conf").write_text("[libvirt]\nmem_stats_period_seconds = 30\n")
    words = ("guest", "show", "test", "-f", "value", "-c", "option's period (s)")
    assert run(config, "--config-dir", str(folder), *words).stdout == "30\n"


def test_command_does_not_open_the_agents_log(run, configure, tmp_path):
    config = configure(lines=f"log_file = {tmp_path / 'agent.log'}\n")
    assert run(config, "guest", "list", "-f", "json").returncode == 0
    assert not (tmp_path / "agent.log").exists()


def test_agents_log_that_cannot_be_opened_is_a_failure_that_names_the_option(
    run, installed, tmp_path
):
    config = installed("memory_usage")
    nova = tmp_path / "nova.conf"
    nova.write_text("[DEFAULT]\nlog_dir = /nonexistent/nova\ntransport_url = rabbit://x:y@z\n")
    done = run(config, "--config-file", str(nova), "check")
    found = rows(done)
    assert done.returncode == 2
    assert f"log_dir=/nonexistent/nova,from{nova}" in found["The agent's log"][1].replace(" ", "")
    assert "[DEFAULT] log_dir, [DEFAULT] transport_url" in found["Nova's configuration"][1]
    assert "rabbit://" not in done.stdout


def test_origin_of_an_option_is_not_a_later_file_with_the_same_section(run, installed, tmp_path):
    config = installed("memory_usage", lines="[libvirt]\nmem_stats_period_seconds = 60\n")
    later = tmp_path / "later.conf"
    later.write_text("[libvirt]\nvirt_type = kvm\n")
    done = run(config, "--config-file", str(later), "check")
    text = rows(done)["Statistics period"][1].replace(" ", "")
    assert text.endswith(f"is60(from{config}).")


# Nova's configuration.


@pytest.mark.parametrize(
    ("theirs", "result"), [("10", "Success"), ("60", "Warning"), ("0", "Warning")]
)
def test_novas_period_is_compared_with_the_agents(run, installed, tmp_path, theirs, result):
    nova = tmp_path / "nova.conf"
    nova.write_text(f"[libvirt]\nmem_stats_period_seconds = {theirs}\nvirt_type = qemu\n")
    done = run(installed("memory_usage"), "check", "--nova-config", str(nova))
    assert rows(done)["Nova's configuration"][0] == result


def test_novas_folder_is_read_too(run, installed, tmp_path):
    folder = tmp_path / "nova.conf.d"
    folder.mkdir()
    (folder / "a.conf").write_text("[libvirt]\nmem_stats_period_seconds = 60\n")
    done = run(installed("memory_usage"), "check", "--nova-config", str(folder))
    assert "is 60 for Nova" in rows(done)["Nova's configuration"][1]


@pytest.mark.parametrize("content", [None, b"no section", bytes(range(256))])
def test_file_of_novas_that_cannot_be_read_is_a_failure(run, installed, tmp_path, content):
    nova = tmp_path / "nova.conf"
    if content is not None:
        nova.write_bytes(content)
    done = run(installed("memory_usage"), "check", "--nova-config", str(nova))
    assert rows(done)["Nova's configuration"][0] == "Failure"


# Periods.


def test_guests_with_another_period_are_counted(run, installed, domain):
    domain.setMemoryStatsPeriod(60)
    done = run(installed("memory_usage"), "check")
    assert done.returncode == 1
    assert "mem_stats_period_seconds is 10 (from default)" in rows(done)["Guests' periods"][1]


def test_guest_with_statistics_off_is_shown_without_a_warning(run, installed, domain):
    domain.setMemoryStatsPeriod(0)
    done = run(installed("memory_usage"), "check")
    assert rows(done)["Guests' periods"] == ("Success", "1 guest has statistics off.")


def test_write_access_that_was_not_tried_is_not_reported_as_settable(run, installed):
    found = rows(run(installed("memory_usage"), "check"))["libvirt, to set periods"][1]
    assert "was not tried" in found
    assert "can be set" not in found


@pytest.fixture
def exporting(installed):
    """Write the configuration of a node with these lines in [polling]."""
    on = "enable_prometheus_exporter = true\n"
    return lambda lines: installed("memory_usage", lines=on + lines)


def exporter_row(done):
    return rows(done)["Prometheus exporter"]


@pytest.mark.parametrize("address", ["0.0.0.0:9101", "[::]:9101", "10.0.0.11:9101,0.0.0.0:9101"])
def test_exporter_at_every_address_is_a_warning(run, exporting, address):
    done = run(exporting(f"prometheus_listen_addresses = {address}\n"), "check")
    assert exporter_row(done)[0] == "Warning"
    assert "which means every address" in exporter_row(done)[1]


def test_exporter_without_tls_is_a_warning_if_others_can_reach_it(run, exporting):
    done = run(exporting("prometheus_listen_addresses = 10.0.0.11:9101\n"), "check")
    assert exporter_row(done)[0] == "Warning"
    assert "without TLS" in exporter_row(done)[1]


@pytest.mark.parametrize("address", ["127.0.0.1:9101", "[::1]:9101", "localhost:9101"])
def test_exporter_on_loopback_needs_no_tls(run, exporting, address):
    done = run(exporting(f"prometheus_listen_addresses = {address}\n"), "check")
    assert exporter_row(done)[0] == "Success"


def test_exporter_that_is_off_passes(run, installed):
    assert exporter_row(run(installed("memory_usage"), "check"))[0] == "Success"


@needs_tls
def test_exporter_without_its_certificate_fails(run, exporting):
    done = run(exporting("prometheus_tls_enable = true\n"), "check")
    assert exporter_row(done)[0] == "Failure"
    assert "is not set" in exporter_row(done)[1]


@needs_tls
def test_exporter_whose_key_cannot_be_used_fails(run, exporting, tmp_path):
    for name in ("crt", "key"):
        (tmp_path / name).write_text("no PEM")
    files = f"prometheus_tls_certfile = {tmp_path}/crt\nprometheus_tls_keyfile = {tmp_path}/key\n"
    done = run(exporting("prometheus_tls_enable = true\n" + files), "check")
    assert exporter_row(done)[0] == "Failure"
    assert "cannot use" in exporter_row(done)[1]
