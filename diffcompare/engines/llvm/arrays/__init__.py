"""Array functions on LLVM: loops fused over one pass of memory, matrix products by NumPy's BLAS, memory planned beforehand."""
