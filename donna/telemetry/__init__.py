"""What a service tells those who run it: logs, metrics, traces."""
