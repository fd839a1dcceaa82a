"""DONNA: the best neural network for each of your devices."""

__version__ = "0.1.0"
