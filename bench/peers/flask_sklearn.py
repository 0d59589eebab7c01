"""A child of the suite: the service that a data scientist writes in an afternoon. Flask's own threaded server, scikit-learn,
the same protocol in JSON. It trains its classifier for the iris rows when it starts, and prints its port."""

import json
import logging
import socket

import numpy
from flask import Flask, jsonify, request
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from werkzeug.serving import WSGIRequestHandler, make_server

iris = load_iris()
model = MLPClassifier(hidden_layer_sizes=(16,), max_iter=2000, random_state=1).fit(iris.data, iris.target)
app = Flask(__name__)
logging.getLogger("werkzeug").setLevel(logging.ERROR)


@app.post("/v2/models/iris/infer")
def infer():
    tensor = request.get_json()["inputs"][0]
    rows = numpy.asarray(tensor["data"], dtype=numpy.float32).reshape(tensor["shape"])
    probabilities = model.predict_proba(rows)
    labels = probabilities.argmax(axis=1)
    return jsonify(
        model_name="iris",
        model_version="sklearn",
        outputs=[
            {"name": "label", "shape": [len(labels)], "datatype": "INT64", "data": labels.tolist()},
            {
                "name": "probabilities",
                "shape": list(probabilities.shape),
                "datatype": "FP32",
                "data": probabilities.ravel().tolist(),
            },
        ],
    )


# Keep-alive, as all the others have it.
WSGIRequestHandler.protocol_version = "HTTP/1.1"
server = make_server("127.0.0.1", 0, app, threaded=True)
server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
