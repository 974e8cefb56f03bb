import json

import numpy as np
import pytest
from codec_instances import INSTANCES
from golden_codecs import FOLDER, path_of, sha256

from engram.codecs import registry


@pytest.mark.parametrize("name", INSTANCES)
def test_golden_bytes_decode_to_the_same_pixels_for_ever(name):
    golden = json.loads(path_of(name).read_text())
    codec = registry.get(golden["id"]).from_config(golden["config"], bytes.fromhex(golden["model"]))
    block = bytes.fromhex(golden["block"])
    pixels = codec.decode(block, golden["images"])
    assert sha256(pixels) == golden["sha256"]
    assert len(np.unique(pixels)) > 8, "a golden file of one colour would prove little"
    assert codec.config() == golden["config"]


def test_every_golden_file_has_its_instance():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(INSTANCES)
