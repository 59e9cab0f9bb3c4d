# SPDX-License-Identifier: Apache-2.0
"""The operator's command as a process, on libvirt's test driver."""

import csv
import io
import json
import pathlib
import subprocess
import sys

import pytest
import yaml

from ceilometer_memballoon.collector import Collector
from ceilometer_memballoon.errors import DeadlineError
from ceilometer_memballoon.period_keeper import PeriodKeeper
from ceilometer_memballoon.reading import Reason, no_reading

UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"
SECONDS = 120
PROGRAM = str(pathlib.Path(sys.executable).with_name("ceilometer-memballoon"))
DOMAIN = """
<domain type="test">
  <name>instance-{number:08x}</name>
  <uuid>00000000-0000-0000-0000-{number:012d}</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:name>{name}</nova:name>
    </nova:instance>
  </metadata>
  <memory>1048576</memory>
  <os><type>hvm</type></os>
  <devices><memballoon model="virtio"/></devices>
</domain>
"""


def run_process(*words, **options):
    return subprocess.run(
        [PROGRAM, *words], check=False, capture_output=True, text=True, timeout=SECONDS,
        stdin=subprocess.DEVNULL, **options,
    )  # fmt: skip


@pytest.fixture
def node_of(configure, tmp_path):
    """Make a configuration for a test driver with domains of these names."""

    def make(*names):
        domains = [DOMAIN.format(number=n, name=name) for n, name in enumerate(names, 1)]
        path = tmp_path / "node.xml"
        path.write_text(f"<node>{''.join(domains)}</node>")
        return configure(f"test://{path}")

    return make


def parsed(text, form):
    if form == "json":
        return json.loads(text)
    if form == "yaml":
        return yaml.safe_load(text)
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("form", ["json", "yaml", "csv"])
def test_list_has_every_column_in_every_format(run, configure, form):
    done = run(configure(), "guest", "list", "-f", form)
    (guest,) = parsed(done.stdout, form)
    found = (guest["Instance"], guest["Domain"], guest["Balloon"], guest["Verdict"])
    assert found == (UUID, "test", "virtio", "stale")
    assert len(guest) == 14


def test_list_in_value_format_is_not_shortened(run, configure):
    done = run(configure(), "guest", "list", "-f", "value", "-c", "Instance", "-c", "Verdict")
    assert done.stdout == f"{UUID} stale\n"


def test_list_of_three_hundred_guests_has_a_row_each(run, node_of):
    done = run(node_of(*(f"guest-{n}" for n in range(300))), "guest", "list", "-f", "json")
    assert len(json.loads(done.stdout)) == 300


def test_list_is_sorted_by_the_column_asked_for(run, node_of):
    done = run(node_of("c", "a", "b"), "guest", "list", "--sort-column", "Name", "-f", "json")
    assert [guest["Name"] for guest in json.loads(done.stdout)] == ["a", "b", "c"]


def test_table_fits_into_a_hundred_columns_and_keeps_names_to_their_line(run, node_of):
    done = run(node_of("a name as long as its user liked, and longer", "two&#10;lines"),
               "guest", "list")  # fmt: skip
    lines = done.stdout.splitlines()
    assert (len(lines), max(map(len, lines)) <= 100) == (6, True)
    assert "two\\nlines" in done.stdout


def test_table_has_no_colour_in_a_pipe(run, configure):
    assert "\033" not in run(configure(), "guest", "list").stdout


@pytest.mark.parametrize(("filters", "count"), [((), 1), (("any",), 1), (("paused",), 0)])
def test_list_can_be_filtered_by_verdict(run, configure, filters, count):
    done = run(configure(), "guest", "list", "--problem", *filters, "-f", "json")
    assert len(json.loads(done.stdout)) == count


@pytest.mark.parametrize("word", [UUID, UUID[:6], "test"])
def test_show_finds_a_guest_by_its_uuid_or_name(run, configure, word):
    done = run(configure(), "guest", "show", word, "-f", "json")
    assert json.loads(done.stdout)["instance"] == UUID


def test_show_says_what_to_do(run, configure):
    shown = json.loads(run(configure(), "guest", "show", "test", "-f", "json").stdout)
    assert shown["verdict"] == "stale"
    assert "statistics period is off" in shown["what to do"]


def test_show_has_the_raw_statistics(run, configure, domain):
    shown = json.loads(run(configure(), "guest", "show", "test", "-f", "json").stdout)
    raw = {n.removeprefix("libvirt: "): v for n, v in shown.items() if n.startswith("libvirt: ")}
    assert raw == {**domain.memoryStats(), "maximum": domain.maxMemory()}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("guest", "show", "nobody"),
            "no running domain on this node matches nobody. See 'guest list'",
        ),
        (("guest", "enable", "--all"), "add --yes to confirm"),
    ],
)
def test_error_is_one_line_with_the_remedy(configure, words, error):
    done = run_process("--config-file", str(configure()), *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert error in done.stderr


def test_name_that_looks_like_a_uuid_prefix_is_a_name(run, node_of):
    shown = run(node_of("0000", "other"), "guest", "show", "0000", "-f", "json")
    assert json.loads(shown.stdout)["name"] == "0000"


def test_ambiguous_name_gives_the_uuids(run, node_of):
    done = run(node_of("twin", "twin"), "guest", "show", "twin")
    assert "00000000-0000-0000-0000-000000000001, 0000" in done.stderr
    assert done.returncode == 1


def test_unreachable_libvirt_gives_one_error_line(configure):
    nowhere = configure("qemu+unix:///session?socket=/nowhere")
    done = run_process("--config-file", str(nowhere), "guest", "list")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Check that libvirtd is running" in done.stderr


def test_missing_configuration_gives_one_error_line(tmp_path):
    done = run_process("--config-file", str(tmp_path / "nowhere.conf"), "guest", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "nowhere.conf" in done.stderr


def test_enable_with_the_option_off_changes_nothing_and_says_so(run, configure):
    off = configure(lines="[libvirt]\nmem_stats_period_seconds = 0\n")
    done = run(off, "guest", "enable", "test")
    assert done.returncode == 1
    assert "Set it to 1 to" in done.stderr


def test_enable_sets_the_period(run, configure):
    done = run(configure(), "guest", "enable", "test", "-f", "value", "-c", "Result")
    # The statistics of the test driver's guest are of 1989.
    assert (done.returncode, done.stdout) == (0, "set to 10 s, no answer yet\n")


def test_enable_all_sets_every_guest_with_yes(run, node_of):
    done = run(node_of("a", "b"), "guest", "enable", "--all", "--yes", "-f", "json")
    results = [guest["Result"] for guest in json.loads(done.stdout)]
    assert results == ["set to 10 s, no answer yet"] * 2


@pytest.mark.parametrize("word", ["", " ", "\t"])
@pytest.mark.parametrize("command", ["show", "enable"])
def test_empty_word_names_no_guest(run, configure, domain, command, word):
    domain.setMemoryStatsPeriod(0)
    done = run(configure(), "guest", command, word)
    assert (done.returncode, "the guest's name is empty" in done.stderr) == (1, True)
    assert "period=" not in domain.XMLDesc(0)


def test_set_period_is_reported_although_libvirt_stops_answering(
    run, configure, domain, monkeypatch
):
    def fail(self, record):
        raise DeadlineError("no answer within 1 s")

    monkeypatch.setattr(Collector, "wait_for_answer", fail)
    done = run(configure(), "guest", "enable", "test", "-f", "value", "-c", "Result")
    assert (done.returncode, done.stdout) == (
        0, "set to 10 s, no answer yet: no answer within 1 s\n",
    )  # fmt: skip


def test_healthy_guest_that_was_not_asked_is_not_called_hung(run, configure, domain, monkeypatch):
    monkeypatch.setattr(PeriodKeeper, "facts", lambda self, record: None)
    monkeypatch.setattr(Collector, "judge", lambda self, record: no_reading(Reason.NOT_ASKED))
    done = run(configure(), "guest", "enable", "test", "-f", "value", "-c", "Result")
    assert "set to 10 s" in done.stdout


@pytest.mark.parametrize(("lines", "result"), [
    ("", "keeps 60 s, because no configuration file sets the option\n"),
    ("[libvirt]\nmem_stats_period_seconds = 10\n", "set to 10 s, no answer yet\n"),
])  # fmt: skip
def test_default_does_not_override_a_chosen_period(run, configure, domain, lines, result):
    domain.setMemoryStatsPeriod(60)
    done = run(configure(lines=lines), "guest", "enable", "test", "-f", "value", "-c", "Result")
    assert done.stdout == result


def test_guest_given_twice_is_set_once(run, configure):
    done = run(configure(), "guest", "enable", "test", UUID, "-f", "json")
    assert len(json.loads(done.stdout)) == 1


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_watch_rejects_an_invalid_interval(configure, seconds):
    done = run_process("--config-file", str(configure()), "guest", "list", f"--watch={seconds}")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


#: Loads all entry points of the package.
LOAD_ALL = """
import importlib.metadata, sys
sys.modules["libvirt"] = None
for point in importlib.metadata.distribution("ceilometer-memballoon").entry_points:
    # Tempest runs on other machines, and loads its own.
    if point.group != "tempest.test_plugins":
        point.load()
        print(point.name)
"""


def test_every_entry_point_loads_without_libvirts_binding():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD_ALL],
        check=True, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert {"memory_usage", "guest_list"} <= set(done.stdout.split())


@pytest.mark.parametrize("words", [("guest", "list"), ("guest", "show", "x"),
                                   ("guest", "enable", "x"), ("check",)])  # fmt: skip
def test_missing_binding_gives_one_error_line_with_the_package(configure, words):
    hide = "import sys; sys.modules['libvirt'] = None; "
    start = "from ceilometer_memballoon.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", hide + start,
         "--config-file", str(configure()), *words],
        check=False, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    text = " ".join((done.stdout + done.stderr).replace("|", " ").split())
    assert "install the package python3-libvirt" in text
    assert (done.returncode, done.stderr.count("\n")) == ((2, 0) if "check" in words else (1, 1))


@pytest.mark.parametrize(("answer", "status", "is_set"), [("y", 0, True), ("", 1, False)])
def test_enable_all_asks_for_confirmation_on_a_terminal(
    run, configure, nova_domain, monkeypatch, answer, status, is_set
):
    nova_domain.setMemoryStatsPeriod(0)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert run(configure(), "guest", "enable", "--all").returncode == status
    assert ("period='10'" in nova_domain.XMLDesc(0)) is is_set


def test_enable_all_leaves_a_domain_alone_that_nova_did_not_make(run, configure, domain):
    domain.setMemoryStatsPeriod(0)
    assert run(configure(), "guest", "enable", "--all", "--yes").returncode == 0
    assert "period=" not in domain.XMLDesc(0)


def test_without_a_command_the_help_is_shown():
    done = subprocess.run(
        [PROGRAM], check=False, capture_output=True, text=True, timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "guest list" in done.stdout


def test_completion_is_a_shell_script():
    script = run_process("complete").stdout
    subprocess.run(["bash", "-n"], input=script, check=True, text=True, timeout=SECONDS)
    assert "guest" in script
