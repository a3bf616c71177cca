"""Regression testing for LLM prompts."""
