"""The gateway's doors, looked at before anything is started: could they open, and to whom?"""

from gateway.http.admission import Admission
from schemas.config.settings import Settings
from schemas.process.connections import proxies_of


def look_at_doors(settings: Settings) -> None:
    """What a gateway would end with once its models are loaded. SettingsError: whom it lets in, or how rooms or phones come,
    can't be."""
    look_at_clients(settings)
    if settings.livekit_url:
        from schemas.access.livekit import access

        access(settings)
    if settings.sip_listen:
        from gateway.rooms.sip.door import Listen
        from gateway.rooms.sip.trunks import load_trunks

        Listen.of(settings)
        if settings.sip_trunks is not None:
            load_trunks(settings.sip_trunks)


def look_at_clients(settings: Settings) -> None:
    """SettingsError: a secret too short, or none where strangers can come; proxies that are no addresses."""
    Admission(settings.gateway_host, secret=settings.gateway_token_secret.get_secret_value())
    proxies_of(settings.gateway_proxies, "GATEWAY_PROXIES")
