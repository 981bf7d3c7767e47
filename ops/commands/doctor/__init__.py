"""Is everything here that a conversation needs? A module for each kind of thing that is looked at; `examine` asks them all."""

from ops.commands.doctor.command import doctor

__all__ = ["doctor"]
