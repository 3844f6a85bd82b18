"""How good a model still is: perplexity, tasks, salience."""
