"""The searcher: Pareto-optimal architectures of a block library, accuracy predicted, latency measured."""
