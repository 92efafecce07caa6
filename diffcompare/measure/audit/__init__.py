"""The audit: every elementwise function's value and derivatives, by each method, engine and library, against certified truth."""

from .result import Audit
from .run import audit, replay

__all__ = ["Audit", "audit", "replay"]
