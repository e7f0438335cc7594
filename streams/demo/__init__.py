"""A bundled call that turns angry, and the script that built it."""

from pathlib import Path
from typing import Final

BUNDLED: Final = Path(__file__).with_name("conversation.webm")
BUNDLED_CHANNELS: Final = "agent,customer"
"""Left and right."""
