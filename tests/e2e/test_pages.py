"""Files of web/e2e in which nobody speaks: they may wait for the processor."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.browsers import SILENT, InOneRun


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(request: pytest.FixtureRequest, browsed: dict[str, object]) -> AsyncIterator[InOneRun]:
    """Of all that are asked for: to start Vitest and Chromium for each took a quarter of what they take."""
    asked = [item.callspec.params["file"] for item in request.session.items if item.path == request.path]
    one = InOneRun(asked, browsed)
    yield one
    await one.aclose()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", SILENT)
async def test_in_a_browser(file: str, run: InOneRun) -> None:
    """What is seen, typed and pressed is as a person wants it."""
    await run.told(file)
