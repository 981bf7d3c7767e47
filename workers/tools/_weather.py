"""The weather, by an open API that wants no key (Open-Meteo)."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from workers.agents import Context, ToolError
from workers.tools._fetching import fetched

__all__ = ["weather"]

_SKY = {
    0: "clear", 1: "mostly clear", 2: "partly cloudy", 3: "overcast", 45: "fog", 48: "freezing fog", 51: "light drizzle",
    53: "drizzle", 55: "heavy drizzle", 61: "light rain", 63: "rain", 65: "heavy rain", 66: "freezing rain", 67: "freezing rain",
    71: "light snow", 73: "snow", 75: "heavy snow", 77: "snow grains", 80: "light showers", 81: "showers", 82: "heavy showers",
    85: "snow showers", 86: "snow showers", 95: "a thunderstorm", 96: "a thunderstorm with hail", 99: "a thunderstorm with hail",
}  # fmt: skip


def weather(places_url: str, weather_url: str) -> Callable[[Context, dict[str, Any]], Awaitable[str]]:
    """A tool's function, that asks these two."""

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        place = arguments["place"]
        async with httpx2.AsyncClient(timeout=8.0, follow_redirects=False) as client:
            found = await fetched(client, "GET", places_url, params={"name": place, "count": "1"})
            where = next(iter(found.get("results") or []), None) if isinstance(found, dict) else None
            if not isinstance(where, dict):
                raise ToolError(f"no place is called {place}")
            params = {
                "latitude": str(where.get("latitude")),
                "longitude": str(where.get("longitude")),
                "current": "temperature_2m,weather_code,wind_speed_10m",
            }
            answer = await fetched(client, "GET", weather_url, params=params)
        now = answer.get("current") if isinstance(answer, dict) else None
        if not isinstance(now, dict) or "temperature_2m" not in now:
            raise ToolError("the weather service answered something else")
        sky = _SKY.get(now.get("weather_code", -1), "of an unknown kind")
        return (
            f"{where.get('name', place)}: {now['temperature_2m']} °C, {sky}, wind {now.get('wind_speed_10m', '?')} km/h"
        )

    return run
