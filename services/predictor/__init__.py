"""The predictor: from the qualities of a network's blocks to its accuracy, with an interval."""
