"""Compiled right-hand sides."""
