"""All gRPC plumbing, once: server, channel, errors on the wire, watching, messages that every service shares."""
