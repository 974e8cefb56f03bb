"""The laws use the sample networks of the codecs' own tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "codecs"))
