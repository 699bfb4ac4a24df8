"""Neural networks written with NumPy alone, to see how learning works.

Nothing here imports more than NumPy and the standard library, and nothing here is used by the rest of Opsin: it is code
to read. Start with `opsin.scratch.perceptron`; every file can be read alone, and `opsin lesson` runs each as a lesson.

Names follow the textbooks: ``X`` holds inputs, ``Y`` targets, ``W`` weights, ``b`` biases, ``z`` weighted sums, ``a``
activations, ``delta`` errors sent back. The comment at the end of a line that makes an array is its shape: N examples,
D inputs, H hidden units, K outputs.
"""
