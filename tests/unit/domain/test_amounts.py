import pytest

from unstoppable.domain import amounts


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [("20 MiB/s", 20 * 2**20), ("8KiB", 8192), ("1 GiB/s", 2**30), ("100000", 100_000)],
)
def test_a_bandwidth_is_read(text, bytes_per_second):
    assert amounts.bandwidth(text) == bytes_per_second
    assert amounts.bandwidth(amounts.bandwidth_text(bytes_per_second)) == bytes_per_second


@pytest.mark.parametrize("text", ["", "0", "7 KiB/s", "20 MB/s", "-1 MiB", "1.5 MiB", "MiB/s"])
def test_a_bandwidth_that_means_nothing_or_never_ends_is_refused(text):
    with pytest.raises(ValueError, match=r"bandwidth|less than"):
        amounts.bandwidth(text)
