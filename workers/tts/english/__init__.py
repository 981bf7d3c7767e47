"""English as it is read aloud: what stands on the page, and what is said of it. Pure: text in, words out."""

from workers.tts.english.reading import Said, read
from workers.tts.english.scan import SEAM

__all__ = ["SEAM", "Said", "read"]
