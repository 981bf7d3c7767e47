"""What every process of ours begins with: its log, and what in its environment was meant as a setting and is none."""

import logging

from schemas.config.settings import Settings, strangers
from schemas.process.logging import set_up_logging

__all__ = ["begin"]

log = logging.getLogger("antiphon.settings")


def begin(settings: Settings, process: str) -> None:
    """Say what this process says of itself as the settings have it, under the name `process`; first of all which variables of its
    environment are no settings, a line each. SettingsError: SENTRY_DSN is none."""
    dsn = settings.sentry_dsn.get_secret_value()
    set_up_logging(settings.log_level, settings.log_format, process, sentry_dsn=dsn)
    for told in strangers():
        log.warning("%s", told)
