"""Other people's tools as methods, one a file, named peer.jax, peer.casadi and so on."""
