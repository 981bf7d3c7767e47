"""Files of web/e2e in which somebody speaks."""

import pytest

from tests.e2e.browsers import SPEAKING, InOneRun


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", SPEAKING)
async def test_in_a_browser(file: str, run: InOneRun) -> None:
    """A call, spoken, is as a person wants it."""
    await run.told(file)
