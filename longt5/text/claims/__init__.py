"""Claims of a sentence that its source does not support: numbers, units, dates and names.

No model is used. A number is compared at its own precision: 69 supports 68.9 and not 68.0.
"""

from .calendar_dates import dates
from .proper_names import names
from .quantities import Quantity, quantities
from .support import Facts, Flag, JoinedFacts, check, load_checks_in_background

__all__ = [
    "Facts",
    "Flag",
    "JoinedFacts",
    "Quantity",
    "check",
    "dates",
    "load_checks_in_background",
    "names",
    "quantities",
]
