"""What is injected, and what is expected then: a function of a play for each scenario."""
