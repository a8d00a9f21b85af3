"""What two customers must not have in common, however it is written."""

import pytest

from tests.unit.cli.test_customers import WWW, Place, place
from unstoppable.cli import customers
from unstoppable.cli.settings import load, read_all
from unstoppable.domain.errors import UnstoppableError
from unstoppable.domain.s3 import server_of

__all__ = ["place"]


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://s3.example",
        "https://S3.example:443",
        "https://S3.EXAMPLE",
        "https://one.s3.example",
        "https://s3.example:443/",
    ],
)
def test_a_bucket_is_the_same_however_its_server_is_written(place: Place, endpoint: str):
    for name, server in (("acme", "https://s3.example"), ("blue", endpoint)):
        place.customer(name, f"cold='s3'\nbucket='one'\nendpoint='{server}'\n{WWW}")

    with pytest.raises(UnstoppableError, match="acme and blue have one bucket, one"):
        load(place.env_file, "acme/www")
    with pytest.raises(UnstoppableError, match="acme and blue have one bucket, one"):
        load(place.env_file, "blue/www")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://s3.example", "https://s3.example:9000"),
        ("https://s3.example", "https://other.example"),
        ("http://localhost:80", "http://localhost:81"),
    ],
)
def test_buckets_of_one_name_at_two_servers_are_two(place: Place, one: str, other: str):
    for name, server in (("acme", one), ("blue", other)):
        place.customer(name, f"cold='s3'\nbucket='one'\nendpoint='{server}'\n{WWW}")

    assert load(place.env_file, "acme/www").resource.customer == "acme"


def test_all_of_aws_is_one_server():
    names = ("", "s3.eu-central-1.", "s3-eu-west-1.", "b.s3.dualstack.eu-west-1.")

    assert {server_of(f"https://{name}amazonaws.com", "b") for name in names} == {"amazonaws.com"}
    assert server_of("https://amazonaws.com.example", "b") != "amazonaws.com"


def test_addresses_of_this_machine_keep_their_port():
    assert server_of("http://127.0.0.1:9000", "b") == "127.0.0.1:9000"
    assert server_of("http://127.0.0.1", "b") == "127.0.0.1:80"
    assert server_of("https://[::1]:443", "b") == "[::1]"


def clashing(place: Place) -> dict[str, str]:
    """Return what `config check` says of what lies on this machine, by resource."""
    found = [reading.configuration for reading in read_all(place.env_file).all]
    return {str(resource): str(faults[0]) for resource, faults in customers.on_disk(found).items()}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("blue", "acme"),
        ("blue/www", "../acme/www"),
        ("blue/www", "../acme"),
        ("blue", "acme/www/g1"),
    ],
)
def test_one_folder_of_cold_behind_a_link_is_told(place: Place, link: str, target: str):
    cold = place.env_file.parents[1] / "cold"
    (cold / "acme/www/g1").mkdir(parents=True)
    (cold / link).parent.mkdir(exist_ok=True)
    (cold / link).symlink_to(target)
    for name in ("acme", "blue", "cyan"):
        place.customer(name)

    found = clashing(place)

    assert set(found) == {"acme/www", "blue/www"}
    for told in found.values():
        assert told.startswith("acme/www and blue/www have one folder of cold, ")


def test_folders_whose_names_begin_alike_are_two(place: Place):
    for name in ("acme", "acme-2"):
        (place.env_file.parents[1] / f"cold/{name}/www").mkdir(parents=True)
        place.customer(name)

    assert clashing(place) == {}


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_one_key_with_two_names_is_one_key(place: Place, tmp_path, kind: str):
    (tmp_path / "acme-www.key").write_text("x")
    getattr(tmp_path / "blue-www.key", kind)(tmp_path / "acme-www.key")
    for name in ("acme", "blue", "cyan"):
        place.customer(name, WWW.replace("/etc/unstoppable", str(tmp_path)))

    found = clashing(place)

    assert found == {
        "acme/www": f"acme/www and blue/www have one key, file:{tmp_path}/blue-www.key",
        "blue/www": f"acme/www and blue/www have one key, file:{tmp_path}/blue-www.key",
    }


def test_of_three_with_one_key_each_is_told_of_the_first():
    assert customers.pairs(["cyan", "acme", "blue", "acme"]) == {
        "acme": ("acme", "blue"),
        "blue": ("acme", "blue"),
        "cyan": ("acme", "cyan"),
    }
    assert customers.pairs(["acme", "acme"]) == {}


def test_a_third_one_below_a_folder_is_told_though_another_lies_between(place: Place):
    cold = place.env_file.parents[1] / "cold"
    (cold / "acme/www/a").mkdir(parents=True)
    (cold / "acme/www/z/www").mkdir(parents=True)
    (cold / "blue").mkdir()
    (cold / "blue/www").symlink_to("../acme/www/a")
    (cold / "cyan").symlink_to("acme/www/z")
    for name in ("acme", "blue", "cyan"):
        place.customer(name)

    found = clashing(place)

    assert found["blue/www"].startswith("acme/www and blue/www have one folder of cold, ")
    assert found["cyan/www"].startswith("acme/www and cyan/www have one folder of cold, ")
