"""Formats for people and machines; computes no verdict."""
