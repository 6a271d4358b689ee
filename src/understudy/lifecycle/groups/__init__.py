"""Groups of actors that are looked after together: who begins anew with whom, how often, and in which order. Pure."""
