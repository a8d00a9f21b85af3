import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstoppable.domain.errors import NameInvalid
from unstoppable.domain.names import ResourceName

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", fullmatch=True)


@given(customer=NAMES, resource=NAMES)
def test_what_is_written_is_read_again(customer, resource):
    name = ResourceName(customer=customer, resource=resource)

    assert ResourceName.parse(str(name)) == name


NO_NAMES = """
acme  acme/  /www  acme/www/x  Acme/www  a.b/www  -a/www  a-/www  ../www  acme/..  ácme/www
aaaaaaaaaaaaaaaaaaaaa/www
"""


@pytest.mark.parametrize("text", ["", "acme/www\n", "acme /www", *NO_NAMES.split()])
def test_what_could_lead_elsewhere_is_no_name(text):
    with pytest.raises(NameInvalid):
        ResourceName.parse(text)
