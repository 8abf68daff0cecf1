"""The network, and LSTM layers at the speed of the machine."""
