"""The engine: kernels, search, streams, training, JAX."""
