"""Phones: SIP and RTP behind the `Room` Protocol. `phones.start_phones` begins it all; docs/phones.md is for users."""
