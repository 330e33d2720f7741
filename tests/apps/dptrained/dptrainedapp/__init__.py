"""A perceptron trained by DP-SGD: each client keeps its own budget."""
