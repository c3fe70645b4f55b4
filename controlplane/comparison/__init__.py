"""Two models' answers to the same requests: pairs, how far they agree, and how sure that is."""
