"""Faults on purpose: what is promised must hold through all of them."""
