"""Where orders go: a file of them, a line of JSON each, in the folder where the workers run. Yours will be a till, or an API."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

BOOK = Path(os.environ.get("PIZZA_BOOK", "pizza-orders.jsonl"))
SECONDS = float(os.environ.get("PIZZA_SECONDS", "0.5"))
"""That the kitchen takes to answer."""


def put(key: str, what: dict[str, Any]) -> int:
    """Hand it in, and wait until the kitchen has answered: the number it has. What was handed in under this key before is not
    handed in again, and has the number it had."""
    with BOOK.open("a+", encoding="utf-8") as book:
        fcntl.flock(book, fcntl.LOCK_EX)  # until it is closed
        book.seek(0)
        entries = [json.loads(line) for line in book]
        number = next((entry["number"] for entry in entries if entry["key"] == key), None)
        if number is None:
            number = len(entries) + 1
            book.write(json.dumps({"number": number, "key": key, **what}) + "\n")
    time.sleep(SECONDS)
    return int(number)
