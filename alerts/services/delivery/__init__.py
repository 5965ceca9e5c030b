"""Pages, deliveries, attempts, receipts, words, limits."""
