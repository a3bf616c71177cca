"""Bridges to other programs: each calls workflows, or shows what they made."""
