"""Who is told of what, by the settings of many customers."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.servers import infisical as faults
from tests.unit.runner.record import BEGAN, record
from unstoppable.cli import planning, sender, telling
from unstoppable.cli.command import Session
from unstoppable.cli.sender import Sender
from unstoppable.cli.settings import read_all
from unstoppable.cli.undelivered import lacking
from unstoppable.domain.names import ResourceName
from unstoppable.domain.outcome import Outcome
from unstoppable.runner import lane
from unstoppable.runner.journal import Journal

OPERATOR = "ops@host.example"
HOUR = timedelta(hours=1)


class Hosting:
    """Settings of many customers, and a journal that says what anybody likes."""

    def __init__(self, folder, postbox, witness) -> None:
        self.folder, self.postbox, self.witness = folder, postbox, witness
        self.env_file = folder / ".env"
        self.customers = folder / "customers"
        self.customers.mkdir()
        self.now = BEGAN
        self.write(
            f"UNSTOPPABLE_STATE={folder}/state",
            f"UNSTOPPABLE_HOT={folder}/hot",
            f"UNSTOPPABLE_COLD={folder}/cold",
            f"UNSTOPPABLE_SMTP_SERVER={postbox.address}",
            f"UNSTOPPABLE_MAIL_TO={OPERATOR}",
            f"UNSTOPPABLE_NOTIFY_CA_FILE={postbox.certificate.authority}",
        )
        self.journal = Journal(folder / "state")

    def write(self, *lines):
        self.env_file.write_text("".join(f"{line}\n" for line in lines))
        self.env_file.chmod(0o600)

    def add(self, customer, top=""):
        text = f'{top}\n[resources.www]\nsource = "/srv/{customer}"\nschedule = "0 0 * * *"\n'
        (self.customers / f"{customer}.toml").write_text(text)

    def ran(self, customer, outcome=Outcome.SUCCEEDED, **changed):
        name = ResourceName(customer=customer, resource="www")
        found = record(f"{customer} {self.now}", outcome, name)
        run = replace(found.run, started_at=self.now, slot_at=self.now)
        ended_at = self.now if outcome else None
        self.journal.write(replace(found, run=run, ended_at=ended_at, **changed))

    def look(self, passed=timedelta(0), *, is_last_look=False):
        """Look once at all; returns recipients and subjects of the mails."""
        self.now += passed
        before = len(self.postbox.mails)
        found = read_all(self.env_file)
        for customer in telling.watched(found).values():
            telling.tell_of(customer)
        mailing = telling.mailing(found)
        if mailing is not None:
            telling.tell_by_mail(mailing, is_last_look=is_last_look)
        new = self.postbox.mails[before:]
        return [(recipients, str(mail["Subject"])) for _, recipients, mail in new]


@pytest.fixture
def hosting(tmp_path, postbox, witness, monkeypatch):
    found = Hosting(tmp_path, postbox, witness)
    monkeypatch.setattr(telling, "now", lambda: found.now)
    return found


def test_what_was_never_backed_up_needs_somebody_after_an_hour_and_not_before(hosting):
    hosting.add("acme")

    quiet = [hosting.look(), hosting.look(HOUR - timedelta(minutes=1))]
    hosting.look(timedelta(minutes=2))
    told = hosting.look(timedelta(minutes=2))

    assert quiet == [[], []]
    assert told == [([OPERATOR], "backups: acme/www needs you")]
    assert "it was never backed up" in hosting.postbox.mails[0][2].get_content()


def test_a_run_that_goes_on_is_no_killed_one_and_one_that_was_killed_is_told(hosting):
    hosting.add("acme")
    hosting.ran("acme")
    hosting.look()
    hosting.now += HOUR
    hosting.ran("acme", None)
    run = hosting.journal.going_on("acme")[0].run
    with lane.hold(lane.lane_file(hosting.folder / "hot", run.resource), run):
        going_on = hosting.look(HOUR, is_last_look=True)

    killed = hosting.look(is_last_look=True)

    assert going_on == []
    assert killed == [([OPERATOR], "backups: acme/www needs you")]
    assert "the last run was killed" in hosting.postbox.mails[0][2].get_content()


def test_a_customer_hears_of_his_own_and_the_operator_of_all_in_one_mail(hosting):
    hosting.add("acme", 'mail_to = ["it@acme.example"]')
    for customer in ("blue", "cyan"):
        hosting.add(customer)
    for customer in ("acme", "blue", "cyan"):
        hosting.ran(customer)
    hosting.look()
    hosting.now += HOUR
    for customer in ("acme", "blue"):
        hosting.ran(customer, Outcome.FAILED, message=f"cannot read /srv/{customer}")

    told = hosting.look(is_last_look=True)

    assert told == [
        (["it@acme.example"], "backups: acme/www needs you"),
        ([OPERATOR], "backups: acme/www, blue/www need you"),
    ]
    assert "blue" not in hosting.postbox.mails[0][2].get_content()


def test_a_failure_of_all_customers_at_once_is_one_mail_that_says_so(hosting):
    for number in range(40):
        hosting.add(f"c{number}")
        hosting.ran(f"c{number}")
    hosting.look()
    hosting.now += HOUR
    for number in range(40):
        hosting.ran(f"c{number}", Outcome.FAILED, message="the Infisical server is away")

    hosting.look()
    told = hosting.look(timedelta(minutes=1))

    assert told == [([OPERATOR], "backups: ALL 40 resources need you")]


def test_a_customer_whose_file_is_broken_is_told_to_the_operator(hosting):
    hosting.add("acme")
    hosting.ran("acme")
    hosting.look()
    hosting.add("blue", "nonsense")

    hosting.look()
    told = hosting.look(timedelta(minutes=1))

    assert told == [([OPERATOR], "backups: blue needs you")]
    assert "blue.toml cannot be used" in hosting.postbox.mails[0][2].get_content()


def test_where_nobodys_file_can_be_used_a_mail_says_so(hosting):
    hosting.add("acme", "nonsense")
    hosting.add("blue", "nonsense")

    hosting.look()
    told = hosting.look(timedelta(minutes=1))

    [(recipients, _)] = told
    content = hosting.postbox.mails[0][2].get_content()
    assert recipients == [OPERATOR]
    assert "acme.toml cannot be used" in content
    assert "blue.toml cannot be used" in content


def test_a_partial_run_needs_somebody_and_a_skipped_one_nobody(hosting):
    hosting.add("acme")
    hosting.ran("acme")
    hosting.look()
    hosting.now += HOUR
    hosting.ran("acme", Outcome.SKIPPED)
    skipped = hosting.look(HOUR, is_last_look=True)
    hosting.ran("acme", Outcome.PARTIAL)
    partial = hosting.look(is_last_look=True)

    assert skipped == []
    assert partial == [([OPERATOR], "backups: acme/www needs you")]


def test_no_run_gets_what_only_who_tells_needs(hosting, monkeypatch):
    hosting.add("acme", 'ping_url = "env:PING"')
    for name in ("PING_URL", "PING_URL_FILE", "SMTP_PASSWORD", "SMTP_PASSWORD_FILE"):
        monkeypatch.setenv(f"UNSTOPPABLE_{name}", "https://hc.example/5ecret")
    environment = planning._of_children({})
    for name in ("PING_URL", "PING_URL_FILE", "SMTP_PASSWORD", "SMTP_PASSWORD_FILE"):
        monkeypatch.delenv(f"UNSTOPPABLE_{name}")

    [reading] = read_all(hosting.env_file).all

    assert "5ecret" not in str(environment)
    assert reading.configuration.given["UNSTOPPABLE_PING_URL"].written == "ping_url"
    assert "UNSTOPPABLE_PING_URL" not in reading.configuration.secrets()


def test_an_empty_list_of_reporters_is_nobody(hosting):
    lines = hosting.env_file.read_text().splitlines()
    hosting.write(*lines, f"UNSTOPPABLE_REPORTERS={hosting.witness.records}")
    hosting.add("acme", "reporters = []")
    hosting.add("blue")
    hosting.ran("acme")
    hosting.ran("blue")

    hosting.look()

    assert [told.record["customer"] for told in hosting.witness.told] == ["blue"]


def test_while_another_process_tells_nobody_else_does(hosting):
    hosting.add("acme", f'reporters = ["{hosting.witness.records}"]')
    hosting.ran("acme")
    from unstoppable.runner.outbox import Outbox  # noqa: PLC0415

    with Outbox(hosting.folder / "state").alone("acme.lock"):
        hosting.look()
        meanwhile = len(hosting.witness.asked)
    hosting.look()

    assert (meanwhile, len(hosting.witness.told)) == (0, 1)


def sends(hosting, **options):
    found = Sender(Session(), **options)
    found.take(read_all(hosting.env_file))
    with found:
        pass


def test_a_damaged_outbox_is_put_aside_told_once_and_a_new_one_begun(hosting, capsys):
    hosting.add("acme", f'reporters = ["{hosting.witness.records}"]')
    hosting.ran("acme")
    (hosting.folder / "state/outbox.sqlite3").write_bytes(b"nonsense" * 1000)

    sends(hosting)
    told = capsys.readouterr().err
    sends(hosting)

    assert told.count("was damaged and now lies at") == 1
    assert len(hosting.witness.told) == 1
    assert capsys.readouterr().err == ""


def test_a_fault_of_our_own_is_told_once_and_stops_nobody_else(hosting, capsys, monkeypatch):
    for customer in ("acme", "blue"):
        hosting.add(customer, f'reporters = ["{hosting.witness.records}"]')
        hosting.ran(customer)
    whole = telling.tell_of

    def faulty(customer):
        if customer.name == "acme":
            raise RuntimeError("5ecret")
        return whole(customer)

    monkeypatch.setattr(telling, "tell_of", faulty)
    sends(hosting)

    assert capsys.readouterr().err.count("error: ") == 1
    assert [told.record["customer"] for told in hosting.witness.told] == ["blue"]


def test_one_who_hangs_keeps_nobody_else_from_being_told_at_the_end(
    hosting, monkeypatch, start_witness
):
    hanging = start_witness(None)
    hanging.faults.extend([faults.hang] * 9)
    hosting.add("acme", f'reporters = ["{hanging.records}"]')
    hosting.add("blue", f'reporters = ["{hosting.witness.records}"]')
    hosting.ran("acme")
    hosting.ran("blue", Outcome.FAILED)
    monkeypatch.setattr(sender, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(sender, "FINISH_SECONDS", 2.0)
    found = Sender(Session(), is_by_hand=True)
    found.take(read_all(hosting.env_file))
    with found:
        while not hanging.asked or not hosting.witness.told:
            time.sleep(0.01)
        hosting.now += HOUR
        hosting.ran("blue")
        began = time.monotonic()

    assert time.monotonic() - began < 4
    assert len(hosting.witness.told) == 2


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["SMTP_SERVER"], ["no mail is sent: UNSTOPPABLE_MAIL_TO is not set"]),
        (["MAIL_TO"], ["no mail is sent: UNSTOPPABLE_SMTP_SERVER is not set"]),
        (["MAIL_TO", "SMTP_SERVER"], []),
        (["SMTP_USER"], ["nobody logs in to send mail: UNSTOPPABLE_SMTP_PASSWORD is not set"]),
        (["SMTP_PASSWORD"], ["nobody logs in to send mail: UNSTOPPABLE_SMTP_USER is not set"]),
    ],
)
def test_a_setting_that_needs_another_one_says_so(tmp_path, lines, told):
    values = {
        "SMTP_SERVER": "smtp://mail.example.com",
        "MAIL_TO": OPERATOR,
        "SMTP_USER": "me",
        "SMTP_PASSWORD": "5ecret",
    }
    path = tmp_path / ".env"
    path.write_text("".join(f"UNSTOPPABLE_{name}={values[name]}\n" for name in lines))
    path.chmod(0o600)

    [reading] = read_all(path).all

    assert list(lacking(reading.configuration)) == told


def test_whoever_is_named_later_is_told_from_then_on(hosting, monkeypatch):
    hosting.write(*hosting.env_file.read_text().splitlines()[:3])
    hosting.add("acme")
    hosting.ran("acme")
    monkeypatch.setattr(sender, "_LOOK_SECONDS", 0.01)
    found = Sender(Session())
    found.take(read_all(hosting.env_file))
    with found:
        hosting.add("acme", f'reporters = ["{hosting.witness.records}"]')
        lines = hosting.env_file.read_text().splitlines()
        authority = hosting.witness.certificate.authority
        hosting.write(*lines, f"UNSTOPPABLE_NOTIFY_CA_FILE={authority}")
        found.take(read_all(hosting.env_file))

    assert len(hosting.witness.told) == 1
