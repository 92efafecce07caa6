"""The llvm engine: scalar functions as vector kernels over batches, compiled by LLVM. Needs the extra `llvm`."""

from .engine import llvm_engine

__all__ = ["llvm_engine"]
