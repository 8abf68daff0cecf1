"""A runtime of MLServer for an ONNX model, as its manual shows how to write one."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxRuntime(MLModel):
    """The model at the settings' address."""

    async def load(self) -> bool:
        """Open the model with one thread, as the other servers do."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = self.settings.parameters.uri
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer with the model's first output."""
        (given,) = payload.inputs
        windows = NumpyCodec.decode_input(given)
        (output, *_) = self.session.get_outputs()
        (found,) = self.session.run([output.name], {given.name: windows})
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(output.name, found)]
        )
