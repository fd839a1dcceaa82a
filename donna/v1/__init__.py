"""Generated from protos/donna/v1 by `make protos`; do not edit."""
