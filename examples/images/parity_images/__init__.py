"""Images, a convolutional network, and clients that lie."""
