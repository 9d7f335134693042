"""Checks of the physics of growth, one theme per file; run by validation/growth.py."""
