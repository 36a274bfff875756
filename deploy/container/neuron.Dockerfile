# Foretoken for AWS Trainium2: docker build -t foretoken:0.1.0-neuron -f deploy/container/neuron.Dockerfile deploy/container
# The packages come from AWS's own indices, under AWS's licence: the image is for your own registry.
ARG BASE=foretoken:0.1.0
# hadolint ignore=DL3006
FROM ${BASE}
# hadolint ignore=DL3002
USER root
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The plugin calls the compiler neuronx-cc, a Python program, and loads the runtime's libraries.
# hadolint ignore=DL3008,DL3013
RUN apt-get update && apt-get install -y --no-install-recommends curl gnupg python3-pip python3-venv \
  && curl -fsSL https://apt.repos.neuron.amazonaws.com/GPG-PUB-KEY-AMAZON-AWS-NEURON.PUB \
  | gpg --dearmor -o /usr/share/keyrings/neuron.gpg \
  && echo "deb [signed-by=/usr/share/keyrings/neuron.gpg] https://apt.repos.neuron.amazonaws.com jammy main" \
  > /etc/apt/sources.list.d/neuron.list \
  && apt-get update \
  && apt-get install -y --no-install-recommends aws-neuronx-runtime-lib aws-neuronx-collectives \
  && python3 -m venv /opt/neuron \
  && /opt/neuron/bin/pip install --no-cache-dir --extra-index-url https://pip.repos.neuron.amazonaws.com \
  'libneuronxla>=3.0,<4' 'neuronx-cc>=2.25,<3' \
  && rm -rf /var/lib/apt/lists/*
# The plugin is found among the packages of the python3 that comes first.
ENV PATH=/opt/neuron/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  LD_LIBRARY_PATH=/opt/aws/neuron/lib
USER 10001
