import pytest

from engram.codecs import registry
from engram.codecs.raw import Raw
from engram.errors import UsageError


def test_codecs_are_found_by_their_ids():
    assert registry.ids() == ("frozen", "jpeg-coefficients", "picture-files", "pixel", "raw", "restored", "spatial")
    assert registry.get("raw") is Raw


def test_an_unknown_id_says_what_there_is():
    known = "frozen, jpeg-coefficients, picture-files, pixel, raw, restored, spatial"
    message = rf"^no codec is called 'x'; there are {known}\. A newer engram may know it\.$"
    with pytest.raises(registry.UnknownCodec, match=message) as caught:
        registry.get("x")
    assert caught.value.exit_code == 2


def test_registering_twice_changes_nothing_and_a_taken_id_is_refused():
    assert registry.register(Raw) is Raw
    other = type("Other", (Raw,), {})
    with pytest.raises(UsageError, match=r"^the codec id 'raw' is taken by Raw$"):
        registry.register(other)
    assert registry.get("raw") is Raw


@pytest.mark.parametrize("name", ["", "Raw", "a b", "x" * 33, "ä"])
def test_a_bad_id_is_refused(name):
    with pytest.raises(UsageError, match="a codec's id is 1 to 32 lower-case letters"):
        registry.register(type("Bad", (Raw,), {"id": name}))
    assert name not in registry.ids()
