"""One file per backbone; the file's name is the backbone's. See `tuner.models.registry`.

What a backbone is made of is asked by processes that never train: its file loads TensorFlow where
the network is built, and not before.
"""
