"""The page about the embedded broker says what the code does."""

import itertools
import re
from pathlib import Path

from streams.broker.server import APIS
from streams.broker.topics import CONFIG_DEFAULTS, MAX_PARTITIONS

PAGE = Path(__file__).parents[2] / "docs" / "embedded-broker.md"


def test_the_table_of_versions_is_that_of_the_broker() -> None:
    cells = [cell.strip() for cell in PAGE.read_text(encoding="utf-8").split("|")]
    said = {}
    for names, versions in itertools.pairwise(cells):
        if match := re.fullmatch(r"(\d+)(?: to (\d+))?", versions):
            low, high = match[1], match[2] or match[1]
            said |= {name.strip(): (int(low), int(high)) for name in names.split(",")}
    assert said == {
        api.request.name.removesuffix("Request"): (api.min_version, api.max_version)
        for api in APIS.values()
    }


def test_the_limits_are_those_of_the_broker() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"| {MAX_PARTITIONS}, replication 1 |" in page
    assert int(CONFIG_DEFAULTS["retention.bytes"]) == 64 << 20
    assert "64 MiB per partition" in page
    assert int(CONFIG_DEFAULTS["retention.ms"]) == 24 * 3_600 * 1_000
    assert "one day and" in page
