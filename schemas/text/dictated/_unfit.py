"""What is said of what can't be kept."""


class Unfit(ValueError):
    """It is no value of this kind. The message is for whoever asks the caller: what is wrong, and what to ask."""
