"""Networks in torch: reference providers, the cut at named submodules, block families, assembly, export."""
