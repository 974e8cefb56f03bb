import zlib

import numpy as np
import pytest

from engram.codecs.contract import CorruptModel
from engram.codecs.raw import Raw
from engram.errors import CorruptData

CODEC = Raw((2, 2, 1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must inflate to 8 bytes exactly, and end there"),
        (b"abc", "is not a zlib stream: Error -3"),
        (zlib.compress(bytes(7)), "must inflate to 8 bytes exactly"),
        (zlib.compress(bytes(9)), "must inflate to 8 bytes exactly"),
        (zlib.compress(bytes(8)) + b"x", "must inflate to 8 bytes exactly, and end there"),
        (zlib.compress(bytes(8))[:-1], "must inflate to 8 bytes exactly, and end there"),
        (zlib.compress(bytes(1 << 26)), "must inflate to 8 bytes exactly"),
    ],
)
def test_other_bytes_are_refused(data, message):
    with pytest.raises(CorruptData, match=message):
        CODEC.decode(data, 2)


def test_what_it_decodes_can_be_written_to():
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    decoded = CODEC.decode(CODEC.encode(images), 2)
    decoded[0] = 7
    assert decoded[0].min() == 7


@pytest.mark.parametrize(
    ("config", "model"), [({"image_shape": [2, 2, 1]}, b"x"), ({"image_shape": [2, 2, 1], "a": 1}, b"")]
)
def test_it_has_a_shape_and_nothing_else(config, model):
    with pytest.raises(CorruptModel, match=r"^a raw codec has an image_shape and nothing else$"):
        Raw.from_config(config, model)
