"""The folder itself is on the path, so that `ludb` can be shared by its tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
