"""The contract `wastegate:policy@1.0.0` as types, for your editor and your unit tests.

The build does not use them: componentize-py makes its own of `wit/policy.wit`, with the same names.
"""
