"""Joins the stages; what every front end calls."""
