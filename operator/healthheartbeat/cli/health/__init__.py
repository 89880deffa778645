"""`polytraders gov health …`: one module a command, and what they share."""
