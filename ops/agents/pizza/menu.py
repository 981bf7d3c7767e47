"""What there is to eat. Beside agent.py, which imports it."""

from typing import Literal

Pizza = Literal["margherita", "funghi", "salami", "verdura"]
Size = Literal["small", "large"]

PRICES: dict[Pizza, dict[Size, float]] = {
    "margherita": {"small": 8.0, "large": 11.0},
    "funghi": {"small": 9.5, "large": 12.5},
    "salami": {"small": 9.5, "large": 12.5},
    "verdura": {"small": 9.0, "large": 12.0},
}
