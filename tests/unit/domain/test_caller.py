"""Units and crontabs say what they must, and leave alone what is not ours."""

import configparser
import shlex
from dataclasses import replace

import pytest

from unstoppable.domain import caller
from unstoppable.domain.caller import Call
from unstoppable.domain.setup_errors import PathUnfit

CALL = Call(
    program="/usr/local/bin/unstoppable",
    env_file="/etc/unstoppable/.env",
    made=("/var/lib/unstoppable/hot", "/srv/100% mine/state"),
    written=("/var/lib/unstoppable/hot", "/mnt/cold", "/srv/100% mine/state"),
)
OTHERS = "MAILTO=alice\n\n# hers\n0 3 * * * /usr/bin/true # unstoppable schedule\n"


def section(unit: str, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(unit)
    return dict(parser[name])


def test_a_run_may_write_its_folders_and_make_those_that_may_be_deleted():
    service = section(caller.service_unit(CALL), "Service")

    expected = '-/var/lib/unstoppable/hot -/mnt/cold -"/srv/100%% mine/state"'
    assert service["ReadWritePaths"] == expected
    made = '/var/lib/unstoppable/hot "/srv/100%% mine/state"'
    assert service["ExecStartPre"] == f"+/bin/mkdir -p -m 700 -- {made}"
    assert shlex.split(service["ExecStart"]) == [
        "/usr/local/bin/unstoppable",
        "--env-file",
        "/etc/unstoppable/.env",
        "schedule",
        "tick",
    ]


def test_a_run_waits_for_the_network_where_it_needs_it():
    unit = section(caller.service_unit(replace(CALL, needs_network=True)), "Unit")

    assert unit["Wants"] == unit["After"] == "network-online.target"
    assert set(section(caller.service_unit(CALL), "Unit")) == {"Description"}


@pytest.mark.parametrize(
    "hides", ["PrivateTmp", "PrivateDevices", "ProtectKernelModules", "RestrictSUIDSGID"]
)
def test_nothing_is_hidden_from_a_run(hides):
    assert hides not in section(caller.service_unit(CALL), "Service")


def test_the_timer_comes_each_minute_and_with_the_system():
    assert section(caller.timer_unit(), "Timer")["OnCalendar"] == "*:*:00"
    assert section(caller.timer_unit(), "Install") == {"WantedBy": "timers.target"}


@pytest.mark.parametrize("before", ["", OTHERS, OTHERS.rstrip("\n")])
def test_a_crontab_gets_one_line_however_often_and_loses_it_again(before):
    once = caller.with_line(before, CALL)

    assert caller.with_line(once, CALL) == once
    assert once.startswith(before)
    assert once.removeprefix(before).strip("\n") == caller.crontab_line(CALL)
    assert caller.without_line(once, CALL).rstrip("\n") == before.rstrip("\n")


def test_a_line_for_cron_hides_each_per_cent_from_cron_and_the_rest_from_the_shell():
    call = Call(program="/opt/my 100%/unstoppable", env_file="/e/.env", made=(), written=())

    line = caller.crontab_line(call)

    words = shlex.split(line.replace(r"\%", "%"), comments=True)
    assert words == [*"*****", "/opt/my 100%/unstoppable", *words[6:]]
    assert words[6:] == ["--env-file", "/e/.env", "schedule", "tick", ">/dev/null"]
    assert r"100\%" in line


def test_a_line_that_moved_is_replaced():
    older = Call(program="/old/unstoppable", env_file=CALL.env_file, made=(), written=())

    crontab = caller.with_line(caller.with_line(OTHERS, older), CALL)

    assert "/old/unstoppable" not in crontab
    assert crontab == caller.with_line(OTHERS, CALL)


@pytest.mark.parametrize("path", ['/a"b', "/a\\b", "/a\nb", "/a$b", "/a'b", "/a`b"])
def test_a_path_that_both_would_read_in_their_own_way_is_refused(path):
    call = Call(program="/unstoppable", env_file=path, made=(), written=())

    for write in (caller.service_unit, caller.crontab_line):
        with pytest.raises(PathUnfit):
            write(call)
    assert caller.without_line(OTHERS, call) == OTHERS, "what stands there can be taken away"


def test_a_unit_of_another_installation_is_told_from_ours():
    other = replace(CALL, env_file="/srv/other/etc/.env")

    assert caller.is_of(caller.service_unit(CALL), CALL)
    assert not caller.is_of(caller.service_unit(other), CALL)


def test_what_others_wrote_stays_byte_for_byte():
    odd = "# a\rb\x0c\x85\n# M\udcfcller\n"

    assert caller.without_line(caller.with_line(odd, CALL), CALL) == odd
