"""baffle: federated learning by forward passes alone."""
