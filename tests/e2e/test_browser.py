"""Files of web/e2e in which somebody speaks."""

import pytest

from tests.e2e.browsers import SPEAKING, run_in_a_browser


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", SPEAKING)
async def test_in_a_browser(file: str, browsed: dict[str, object]) -> None:
    """A call, spoken, is as a person wants it."""
    await run_in_a_browser(file, browsed)
