"""Lifetimes -> places in memory."""
