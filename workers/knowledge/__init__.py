"""What an agent's files say to a question: passages by their words (BM25), in an index that is made anew when a file changed."""

from workers.knowledge._index import Found
from workers.knowledge._libraries import Libraries, Wanted
from workers.knowledge._passages import Passage, passages

__all__ = ["Found", "Libraries", "Passage", "Wanted", "passages"]
