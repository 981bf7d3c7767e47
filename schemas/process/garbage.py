"""Python's garbage collector, kept out of the way of those who must answer in time."""

import gc


def collect_seldom() -> None:
    """What is loaded by now stays, and is not looked at again, not even now: a full collection holds the loop for a tenth of a
    second and more. For processes whose work leaves next to no cycles behind.

    What is younger is looked at in small heaps: five thousand new objects held the API for up to 19 ms, forty thousand 61."""
    gc.freeze()
    gc.set_threshold(500, 4, 10_000)
