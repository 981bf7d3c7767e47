"""Files of web/e2e in which nobody speaks: they may wait for the processor."""

import pytest

from tests.e2e.browsers import SILENT, InOneRun


@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", SILENT)
async def test_in_a_browser(file: str, run: InOneRun) -> None:
    """What is seen, typed and pressed is as a person wants it."""
    await run.told(file)
