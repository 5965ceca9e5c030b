"""Rules as people write them: forms, words, files, replay, and the second person who switches them on."""
