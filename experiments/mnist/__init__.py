"""MNIST by forward passes alone: at equal evaluations, as a headline, and in twenty rounds."""
