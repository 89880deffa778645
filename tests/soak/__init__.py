"""`make soak`: an hour of 97 bots that die at random, in which nothing may grow, drift or be forgotten."""
