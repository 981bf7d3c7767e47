"""What there is to eat. Beside agent.py, which imports it."""

from typing import Literal

Pizza = Literal["margherita", "funghi", "salami", "verdura"]
Size = Literal["small", "large"]

PRICES: dict[Pizza, dict[Size, int]] = {
    "margherita": {"small": 8, "large": 11},
    "funghi": {"small": 10, "large": 13},
    "salami": {"small": 10, "large": 13},
    "verdura": {"small": 9, "large": 12},
}
"""In euros."""
