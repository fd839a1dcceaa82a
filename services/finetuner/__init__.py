"""Trains whole networks end to end: the reference, samples for the predictor, and winners."""
