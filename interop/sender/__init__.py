"""The process that sends webhooks: ``courier`` speaks HTTP in one loop, ``process`` claims rows and writes down what came of them."""
