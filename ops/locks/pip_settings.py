"""pip's settings (files and environment) as uv's: prints `export` lines for a shell. uv's own variables win where set.

Run by the interpreter whose pip is meant: `python ops/locks/pip_settings.py`.
"""

import ast
import os
import shlex
import subprocess
import sys

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}
SECTIONS = ("global", "install", ":env:")
"""Later ones win, as in pip."""


def pip_settings(listing: str) -> dict[str, str]:
    """The settings that hold for `pip install`, from what `pip config list` prints (`section.name='value'` a line)."""
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, dot, name = key.strip().rpartition(".")
        if not (equals and dot and section in SECTIONS):
            continue
        rank = SECTIONS.index(section)
        if name not in found or rank >= found[name][0]:
            found[name] = (rank, str(ast.literal_eval(value)))
    return {name: value for name, (_, value) in found.items()}


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """The same for uv. Lists are separated by blanks or new lines in pip, by blanks in uv, by commas in UV_FIND_LINKS."""
    environment: dict[str, str] = {}
    for name, value in settings.items():
        words = value.split()
        if name == "find-links":  # pip warns of a folder that isn't there, uv fails
            words = [word for word in words if "://" in word or os.path.exists(word)]
        if name in UV_NAMES and words:
            if name == "no-index" and value.lower() not in ("1", "true", "yes", "on"):
                continue
            environment[UV_NAMES[name]] = ("," if name == "find-links" else " ").join(words)
    return environment


def main() -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    for name, value in sorted(uv_environment(pip_settings(listing)).items()):
        if name not in os.environ:
            print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
