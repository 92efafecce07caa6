"""The exceptions that users meet. Each message names the thing, its value and the fix."""

from __future__ import annotations


class DiffCompareError(Exception):
    """Base of every error that diffcompare raises on purpose."""


class ParseError(DiffCompareError, ValueError):
    """Text that is not an expression; `position` is the index of the offending character."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position

    def __reduce__(self) -> tuple[type[ParseError], tuple[str, int | None]]:
        return type(self), (str(self), self.position)


class ShapeError(DiffCompareError, ValueError):
    """Shapes that do not fit together, or that an operator does not take."""


class DomainError(DiffCompareError, ValueError):
    """A point that is not finite, or at which the function is not defined."""


class Unsupported(DiffCompareError, TypeError):
    """A combination of function, operator, method and engine that does not exist; raised when it is prepared."""


class TooLarge(Unsupported):
    """A function beyond the stated size of a method or an engine; raised when it is prepared."""
