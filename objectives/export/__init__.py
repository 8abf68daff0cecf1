"""The finished model in the formats that others run, each compared with Keras before it is given away.

`messages` is free of TensorFlow; the rest is imported in trial processes only.
"""
