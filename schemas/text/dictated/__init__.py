"""What callers dictate, as it is kept: `fit("email", "anna dot berg at example dot com")` is anna.berg@example.com. Pure.

Words are English, as they come from a transcript or from a model that passes on what was said; what is written already
(555-1234, 2026-05-03, a@b.org) is understood in any language.
"""

from schemas.text.dictated._fit import Kind, Value, aloud, fit
from schemas.text.dictated._unfit import Unfit

__all__ = ["Kind", "Unfit", "Value", "aloud", "fit"]
