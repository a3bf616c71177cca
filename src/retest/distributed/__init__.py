"""Runs spread over a Ray cluster: workers call and score, the driver keeps the plan, the store and the budget."""
