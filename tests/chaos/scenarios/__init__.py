"""`make chaos`: the failure-injection recipes as commands (section 19), the specification's and ours."""
