"""A serving host: loads the models assigned to it, and answers the Open Inference Protocol."""
