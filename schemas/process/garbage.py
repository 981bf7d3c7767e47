"""Python's garbage collector, kept out of the way of those who must answer in time."""

import gc


def collect_seldom() -> None:
    """What is loaded by now stays, and is not looked at again: a full collection holds the loop for a tenth of a second and
    more. For processes whose work leaves next to no cycles behind.

    What is younger is looked at in small heaps: forty thousand new objects take some milliseconds, two hundred thousand would
    hold the loop as long as a full collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 8, 500)
