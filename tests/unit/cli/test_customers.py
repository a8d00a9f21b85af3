"""Files of customers: what each resource's settings are, and what is refused."""

import os
import tomllib
from pathlib import Path

import jsonschema
import pytest

from unstoppable.cli import customer_file, hints
from unstoppable.cli.customer_model import CustomerFile, Defaults, Infisical, Keep, Resource
from unstoppable.cli.settings import choose, load, read_all, read_one
from unstoppable.cli.settings_reader import Reading
from unstoppable.domain.customer_errors import CustomerFileUnreadable, OneOrMany, ResourceNotThere
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.ftps import FtpsSource
from unstoppable.domain.names import ResourceName
from unstoppable.domain.s3 import S3Cold
from unstoppable.domain.schedule import Schedule
from unstoppable.domain.toml import lines_of
from unstoppable.secrets.bounded import open_plain

WWW = """\
[resources.www]
source = "/srv/www"
repository_key = "file:/etc/unstoppable/{name}-www.key"
"""
SAMPLE = """\
name = "Acme Ltd"                      # display only; the birth name is the file's
bucket = "acme-backups"                # default: the customer's name
cold = "s3"                            # endpoint and region from .env unless given here
access_key_id = "env:ACME_S3_KEY_ID"
secret_access_key = "env:ACME_S3_SECRET"
reporters = ["https://witness.example/v1/records"]

[defaults]
keep = { daily = 14, weekly = 8, monthly = 24 }
max_runtime = "24h"
max_shrink = "40%"

[resources.www]
source = "ftps://backup@ftp.acme.example/htdocs"
password = "env:ACME_FTP_PASSWORD"
repository_key = "env:ACME_WWW_KEY"
schedule = "17 2 * * *"
zone = "Europe/Berlin"
exclude = ["cache/**", "*.tmp"]

[resources.mail]
source = "/srv/mail"
repository_key = "env:ACME_MAIL_KEY"
max_shrink = "90%"
overlap = "skip"
"""


class Place:
    """A folder of settings."""

    def __init__(self, root: Path) -> None:
        self.env_file = root / "etc/.env"
        self.folder = root / "etc/customers"
        self.folder.mkdir(parents=True)
        self.folder.parent.chmod(0o700)
        self.settings(f"UNSTOPPABLE_{n}={root}/{n.lower()}" for n in ("HOT", "COLD", "STATE"))

    def settings(self, lines):
        with self.env_file.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)
        self.env_file.chmod(0o600)

    def customer(self, name, text=WWW):
        path = self.folder / f"{name}.toml"
        path.write_text(text.replace("{name}", name))
        return path

    def load(self, asked=None):
        return load(self.env_file, asked)

    def reading(self, asked) -> Reading:
        return choose(read_all(self.env_file), asked)


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("UNSTOPPABLE_"):
            monkeypatch.delenv(name)
    return Place(tmp_path)


def test_the_sample_is_two_resources(place, monkeypatch):
    place.customer("acme", SAMPLE)
    monkeypatch.setenv("ACME_FTP_PASSWORD", "secret")
    monkeypatch.setenv("ACME_S3_KEY_ID", "AKACME")
    monkeypatch.setenv("ACME_S3_SECRET", "hidden")

    www, mail = place.load("acme/www"), place.load("acme/mail")

    assert www.resource == ResourceName(customer="acme", resource="www")
    assert isinstance(www.source, FtpsSource)
    assert str(www.source) == "ftps://backup@ftp.acme.example/htdocs"
    assert www.source.password.resolve() == "secret"
    assert (www.settings.max_runtime, mail.settings.max_runtime) == (24, 24)
    assert (www.settings.overlap, mail.settings.overlap) == ("wait", "skip")
    assert www.schedule == Schedule("17 2 * * *", "Europe/Berlin")
    assert www.settings.exclude == ("cache/**", "*.tmp")
    assert (www.settings.max_shrink, mail.settings.max_shrink) == (40, 90)
    assert mail.source == Path("/srv/mail")
    for one in (www, mail):
        assert isinstance(one.cold, S3Cold)
        assert str(one.cold) == "s3://acme-backups"
        assert one.cold.access_key_id.resolve() == "AKACME"
        assert one.cold.secret_access_key.resolve() == "hidden"
        assert one.pins_file == place.folder / "acme.pins.json"
    assert customer_file.read(place.folder / "acme.toml").title == "Acme Ltd"
    assert www.key != mail.key


def test_what_a_customer_does_not_say_the_installation_does(place):
    place.settings(["UNSTOPPABLE_MAX_SHRINK=10%", "UNSTOPPABLE_EXCLUDE=*.bak"])
    place.customer("acme")

    found = place.load("acme/www")

    assert (found.settings.max_shrink, found.settings.exclude) == (10, ("*.bak",))
    assert found.settings.cold == place.env_file.parents[1] / "cold"


def test_the_bucket_has_the_name_of_its_customer(place):
    place.customer("acme", 'cold = "s3"\n' + WWW)

    assert str(place.load("acme/www").settings.cold) == "s3://acme"


def test_a_zone_may_stand_beside_the_defaults(place):
    place.customer("acme", '[defaults]\nzone = "Asia/Tokyo"\n' + WWW + 'schedule = "1 1 * * *"\n')

    assert str(place.load("acme/www").schedule) == "1 1 * * * Asia/Tokyo"


BROKEN = [
    ("bukcet = 'x'\n" + WWW, "unknown key bukcet in {path} line 1", "did you mean bucket?"),
    (WWW + "sorce = '/x'\n", "unknown key resources.www.sorce in {path} line 4", "source?"),
    ("[defaults]\nmax_srink = '1%'\n" + WWW, "defaults.max_srink in {path} line 2", "max_shrink?"),
    (WWW + "keep = { dayly = 3 }\n", "resources.www.keep.dayly in {path} line 4", "daily?"),
    (WWW + "keep = { daily = 0 }\n", "keep.daily in {path} line 4 cannot be used: it is less", ""),
    ("name = 3\n" + WWW, "name in {path} line 1 cannot be used: it is no text in quotes", ""),
    (WWW + "one_file_system = 'yes'\n", "line 4 cannot be used: it is neither true nor false", ""),
    (WWW + "max_files = '3'\n", "line 4 cannot be used: it is no whole number", ""),
    (WWW + "exclude = 'x'\n", "line 4 cannot be used: it is no list", ""),
    ("cold = 'tape'\n" + WWW, "cold in {path} line 1 cannot be used: it is neither s3 nor", ""),
    ("bucket = 'x'\n" + WWW, "bucket in {path} line 1 cannot be used: nobody reads it", ""),
    ("name = 'x'\n", "it holds no [resources.NAME] that says what is backed up", "config schema"),
    ("[resources]\n", "resources in {path} line 1 cannot be used: it names no resource", ""),
    ("[resources.WWW]\nsource='/x'\n", "resources.WWW in {path} line 1 cannot be used", ""),
    ("name =\n", "{path} cannot be used: Invalid value (at line 1", "correct it"),
    (WWW + "zone = 'Asia/Tokyo'\n", "zone in {path} line 4 cannot be used: there is no sched", ""),
    (
        WWW + "exclude = ['a,b']\n",
        "resources.www.exclude in {path} line 4 cannot be used: 'a,b'",
        "",
    ),
    ("[[resources]]\nwww = 1\n", "it is no table", ""),
    ("resources = true\n", "it is no table", ""),
    ("reporters = 1\n" + WWW, "it is no list", ""),
    (f"x = {'9' * 5000}\n" + WWW, "cannot be used", ""),
    ("x = " + "[" * 5000 + "\n" + WWW, "cannot be used", ""),
    ("reporters = ['http://x']\n" + WWW, "reporters in {path} line 1 cannot be used: 'http", ""),
]


@pytest.mark.parametrize(("text", "told", "hint"), BROKEN)
def test_what_a_file_says_wrong_is_told_with_its_line(place, text, told, hint):
    path = place.customer("acme", text)

    with pytest.raises(UnstoppableError) as raised:
        place.load("acme/www")

    assert told.replace("{path}", str(path)) in str(raised.value)
    assert hint in raised.value.hint


BAD_VALUES = [
    ("source = 'x'\n", "resources.www.source in {path} line 2 cannot be used: 'x' is not a path"),
    ("source = '/x'\nschedule = '61 * * * *'\n", "resources.www.schedule in {path} line 3"),
    ("source = '/x'\nschedule = '1 1 * * *'\nzone = 'Mars'\n", "'Mars'"),
    ("source = '/x'\nmax_shrink = 'half'\n", "resources.www.max_shrink in {path} line 3"),
    ("source = '/x'\nbandwidth = '1 KiB/s'\n", "less than 8 KiB/s"),
    ("source = '/x'\nconnections = 99\n", "resources.www.connections in {path} line 3"),
]


@pytest.mark.parametrize(("lines", "told"), BAD_VALUES)
def test_a_value_that_cannot_be_used_is_told_by_its_key(place, lines, told):
    path = place.customer("acme", "[resources.www]\n" + lines)

    with pytest.raises(UnstoppableError, match="cannot be used") as raised:
        place.load("acme/www")

    assert told.replace("{path}", str(path)) in str(raised.value)


def test_a_secret_itself_is_refused_and_not_told(place):
    place.customer("acme", "[resources.www]\nsource = '/x'\nrepository_key = 'deadbeef'\n")

    with pytest.raises(
        UnstoppableError, match="begins with neither env:, file: nor infisical:"
    ) as raised:
        place.load("acme/www")

    assert "deadbeef" not in str(raised.value) + raised.value.hint


def test_a_file_that_others_may_write_is_refused(place):
    place.customer("acme").chmod(0o666)

    with pytest.raises(UnstoppableError, match="others may write it"):
        place.load("acme/www")


def test_a_folder_that_others_may_write_is_refused(place):
    place.customer("acme")
    place.folder.chmod(0o777)

    with pytest.raises(UnstoppableError, match="others may write it"):
        place.load("acme/www")


def test_a_customer_whose_file_is_broken_stops_no_other(place):
    place.customer("acme", "nonsense")
    place.customer("blue")

    assert place.load("blue/www").resource.customer == "blue"
    with pytest.raises(UnstoppableError, match=r"acme\.toml cannot be used"):
        place.load("acme/www")
    with pytest.raises(UnstoppableError, match="which resource"):
        place.load()


def test_a_name_that_is_none_is_refused(place):
    place.customer("Acme")

    with pytest.raises(UnstoppableError, match="Acme"):
        place.load()


def test_customers_with_one_bucket_are_refused_and_others_are_not(place):
    for name, bucket in (("acme", "one"), ("blue", "one"), ("cyan", "two")):
        place.customer(name, f"cold = 's3'\nbucket = '{bucket}'\n" + WWW)

    for name in ("acme", "blue"):
        with pytest.raises(UnstoppableError, match="acme and blue have one bucket, one"):
            place.load(f"{name}/www")
    assert place.load("cyan/www")


def test_repositories_with_one_key_are_refused(place):
    text = "[resources.{}]\nsource = '/x'\nrepository_key = 'env:KEY'\n"
    place.customer("acme", text.format("www") + text.format("mail"))

    with pytest.raises(UnstoppableError, match="acme/mail and acme/www have one key, env:KEY"):
        place.load("acme/www")


@pytest.mark.parametrize("name", ["SOURCE", "KEY", "CUSTOMER", "RESOURCE", "SOURCE_PIN"])
def test_settings_of_one_resource_beside_customers_are_refused(place, name):
    values = {"SOURCE": "/x", "KEY": "0123456789abcdef" * 4, "SOURCE_PIN": f"sha256/{'A' * 43}="}
    place.settings([f"UNSTOPPABLE_{name}={values.get(name, 'x')}"])
    place.customer("acme")

    with pytest.raises(UnstoppableError, match=f"UNSTOPPABLE_{name} in .* is of one resource"):
        place.load("acme/www")


def test_a_bucket_of_the_installation_is_refused(place):
    place.env_file.write_text(place.env_file.read_text().replace("UNSTOPPABLE_COLD=", "#"))
    place.settings(["UNSTOPPABLE_COLD=s3://all"])
    place.customer("acme")

    with pytest.raises(UnstoppableError, match="a bucket is one customer's"):
        place.load("acme/www")


def test_a_resource_that_is_not_there_is_told_with_the_nearest(place):
    place.customer("acme")
    place.customer("blue")

    with pytest.raises(UnstoppableError, match="there is no resource acme/ww") as raised:
        place.load("acme/ww")
    assert "did you mean acme/www?" in raised.value.hint
    with pytest.raises(UnstoppableError, match="which resource") as raised:
        place.load()
    assert "acme/www, blue/www" in raised.value.hint


def test_lines_are_those_of_tables_and_keys():
    found = lines_of(SAMPLE)

    assert found[("name",)] == 1
    assert found[("defaults", "keep")] == 9
    assert found[("resources", "www")] == 13
    assert found[("resources", "mail", "max_shrink")] == 24


def test_what_is_missing_is_told_by_its_key_and_file(place):
    path = place.customer("acme", 'cold = "s3"\n[resources.www]\nsource = "ftps://a@b/c"\n')
    found = place.load("acme/www")
    assert isinstance(found.source, FtpsSource)
    assert isinstance(found.cold, S3Cold)

    lacking = {
        "password": found.source.password.resolve,
        "repository_key": found.installation,
        "access_key_id": found.cold.access_key_id.resolve,
        "secret_access_key": found.cold.secret_access_key.resolve,
    }

    for key, needing in lacking.items():
        with pytest.raises(UnstoppableError) as raised:
            needing()
        assert str(raised.value) == f"{key} of acme/www is not in {path}"


def test_a_variable_that_is_missing_is_told(place):
    place.customer("acme", '[resources.www]\nsource = "/x"\nrepository_key = "env:NO_SUCH_KEY"\n')
    key = place.load("acme/www").installation().key

    with pytest.raises(UnstoppableError, match="is env:NO_SUCH_KEY, and"):
        key.secret.resolve()


def test_every_key_is_documented():
    text = (Path(__file__).parents[3] / "docs/configuration.md").read_text()
    section = text.split("### Many customers\n")[1].split("\n### ")[0]
    models = (CustomerFile, Defaults, Infisical, Resource, Keep)
    keys = {key for model in models for key in model.model_fields}

    assert [
        key for key in sorted(keys - {"defaults", "resources"}) if f"`{key}`" not in section
    ] == []


def test_the_documented_file_can_be_used(place):
    text = (Path(__file__).parents[3] / "docs/configuration.md").read_text()
    place.customer("acme", text.split("```toml\n")[1].split("```")[0])

    assert place.load("acme/www").resource == ResourceName(customer="acme", resource="www")


def test_the_schema_takes_the_sample_and_no_typo():
    schema = CustomerFile.model_json_schema()
    jsonschema.validate(tomllib.loads(SAMPLE), schema)

    with pytest.raises(jsonschema.ValidationError, match="sorce"):
        jsonschema.validate({"resources": {"www": {"sorce": "/x"}}}, schema)


def test_a_run_reads_no_other_customers_file(place, monkeypatch):
    place.customer("acme")
    place.customer("blue")
    opened = []

    def note(path):
        opened.append(path)
        return open_plain(path)

    monkeypatch.setattr(customer_file, "open_plain", note)
    found = load(place.env_file, "acme/www", is_alone=True)

    assert found.resource == ResourceName.parse("acme/www")
    assert opened == [place.folder / "acme.toml"]


def test_a_run_of_a_resource_that_is_not_there_is_refused(place):
    with pytest.raises(CustomerFileUnreadable):
        load(place.env_file, "acme/www", is_alone=True)
    place.customer("acme")
    with pytest.raises(ResourceNotThere):
        load(place.env_file, "acme/mail", is_alone=True)
    with pytest.raises(CustomerFileUnreadable):
        load(place.env_file, "blue/www", is_alone=True)
    place.settings(["UNSTOPPABLE_SOURCE=/srv"])
    with pytest.raises(OneOrMany):
        load(place.env_file, "acme/www", is_alone=True)


def test_the_settings_of_a_run_that_begins_change_nothing_of_what_is_said_meanwhile(place):
    place.customer("acme")
    place.customer("blue")
    choose(read_all(place.env_file), "acme/www")

    read_one(place.env_file, ResourceName(customer="blue", resource="www"))

    assert hints.said("`unstoppable backup`") == "`unstoppable backup acme/www`"
