"""An independent Open Inference client, in a process without `lightbulb`; prints what it saw as JSON."""

import json
import sys

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException


def main() -> None:
    sidecar, key, model, version = sys.argv[1:]
    headers = {"x-routing-key": key}
    client = InferenceServerClient(sidecar)
    seen: dict[str, object] = {
        "live": client.is_server_live(headers=headers),
        "ready": client.is_server_ready(headers=headers),
        "model ready": client.is_model_ready(model, version, headers=headers),
        "extensions": list(client.get_server_metadata(headers=headers).extensions),
        "index": sorted(
            f"{each.name}@{each.version} {each.state}"
            for each in client.get_model_repository_index(headers=headers).models
        ),
    }
    metadata = client.get_model_metadata(model, version, headers=headers)
    seen["inputs"] = [[tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.inputs]
    tensor = InferInput("transaction", [2, 30], "FP64")
    tensor.set_data_from_numpy(np.ones((2, 30)))
    result = client.infer(
        model,
        [tensor],
        model_version=version,
        outputs=[InferRequestedOutput("fraud_probability")],
        headers=headers,
        parameters={"lightbulb_context_user_id": "u1"},
    )
    seen["probabilities"] = result.as_numpy("fraud_probability").tolist()
    seen["answered by"] = result.get_response().parameters["lightbulb_model"].string_param
    seen["unknown key"] = refused(client, model, version, "PaymentFraudDetection|nobody|1")
    seen["unknown model"] = refused(client, "nobody", "1", key)
    print(json.dumps(seen))


def refused(client: InferenceServerClient, model: str, version: str, key: str) -> str:
    try:
        client.get_model_metadata(model, version, headers={"x-routing-key": key})
    except InferenceServerException as error:
        return f"{error.status()}: {error.message()}"
    return ""


if __name__ == "__main__":
    main()
