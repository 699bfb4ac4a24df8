"""Neural networks in pure NumPy, to show how learning works.

The code is meant to be read: it imports only NumPy and the standard library, and the rest of Opsin does not use it.
Start with `opsin.scratch.perceptron`; each file is self-contained, and `opsin lesson` runs it as a lesson.

Names follow the textbooks: ``X`` inputs, ``Y`` targets, ``W`` weights, ``b`` biases, ``z`` weighted sums, ``a``
activations, ``delta`` backpropagated errors. A comment at the end of a line gives the shape of its array: N examples, D
inputs, H hidden units, K outputs.
"""
