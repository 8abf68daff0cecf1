"""An LSTM layer as machine code, written for its sizes and for the processor it runs on.

A step of an LSTM is a small matrix product and a few functions of its result. Where each is an operation
of its own, half the time goes into moving numbers between them; here the gates are computed while the
sums are still in registers, and weights lie in the order they are read in, so that every pass comes near
the speed of a large matrix product. `vector_code` and `layer_code` write LLVM code, `machine_code` has
LLVM compile it, `packing` arranges weights, `compiled_layer` holds the arrays, and `native_lstm` makes
operations of TensorFlow of it.
"""
