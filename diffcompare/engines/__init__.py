"""The engines: compilers of Functions, one a file (or a package), which know nothing of derivatives."""
