"""Programs and services: what to wait for until one is there."""
