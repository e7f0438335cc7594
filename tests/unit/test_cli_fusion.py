"""`score --fusion …`: every way of fusing by its name, over what the settings say."""

from pathlib import Path
from typing import get_args

import pytest

from inference.fusion.errors import FusionWeightsError
from streams.cli._scoring import fused_by, open_fusers, wants_features
from streams.settings import FusionName, Settings
from tests.fusers import LEARNED, write_fusers

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("fusion", get_args(FusionName))
def test_every_name_opens_its_fuser_over_what_the_settings_say(
    fusion: FusionName, tmp_path: Path
) -> None:
    settings = Settings(fusion="late", tenant_fusion={"default": "adaptive"})
    weights = write_fusers(tmp_path) if fusion in LEARNED else None
    asked = fused_by(settings, fusion, weights)
    for tenant in ("default", "acme"):
        assert open_fusers(asked).of(tenant).version.startswith(f"{fusion}-")
    assert wants_features(asked) == (fusion in LEARNED)
    assert asked.scoring_digest != settings.scoring_digest


def test_a_command_line_that_says_nothing_changes_nothing() -> None:
    settings = Settings(tenant_fusion={"acme": "adaptive"})
    assert fused_by(settings, None, None) == settings


def test_a_folder_without_weights_is_one_line_that_says_what_makes_them(tmp_path: Path) -> None:
    asked = fused_by(Settings(), "hybrid", tmp_path)
    with pytest.raises(FusionWeightsError, match=r"hybrid.*affectstream train fusion"):
        open_fusers(asked)
