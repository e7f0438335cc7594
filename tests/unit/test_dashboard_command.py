"""`affectstream dashboard` listens beyond loopback only where the API asks for credentials."""

import pytest

from streams.cli.dashboard import _check_asks
from streams.cli.serve import OpenToNobodyError
from streams.serving.server import running
from tests.fake_api import FakeApi


async def checked(api: FakeApi) -> None:
    async with running(
        api.app, "127.0.0.1", 0, option="-", before_drain=api.closing.set
    ) as api_url:
        await _check_asks("0.0.0.0", api_url)


async def test_pages_of_an_api_that_asks_may_be_reached_by_others() -> None:
    await checked(FakeApi())


async def test_pages_of_an_open_api_stay_on_this_machine() -> None:
    with pytest.raises(OpenToNobodyError, match=r"refusing to listen on 0\.0\.0\.0.*asks nobody"):
        await checked(FakeApi(open=True))


async def test_nobody_else_comes_in_before_it_is_known_whether_the_api_asks() -> None:
    api = FakeApi()
    api.away = True
    with pytest.raises(OpenToNobodyError, match="not known yet"):
        await checked(api)
