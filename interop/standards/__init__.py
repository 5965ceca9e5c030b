"""The field's open standards: our rows as other people's documents, and theirs as our messages. Pure: no request, no response."""
