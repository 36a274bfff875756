# Foretoken for NVIDIA GPUs: docker build -t foretoken:0.1.0-cuda -f deploy/container/cuda.Dockerfile deploy/container
# The host brings the driver (NVIDIA's container toolkit); the packages bring XLA's plugin and CUDA's libraries.
ARG BASE=foretoken:0.1.0
# hadolint ignore=DL3006
FROM ${BASE}
# hadolint ignore=DL3002
USER root
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY cuda-requirements.txt /tmp/requirements.txt
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip \
  && pip install --no-cache-dir --no-deps --target /opt/pjrt -r /tmp/requirements.txt \
  && apt-get purge -y python3-pip && apt-get autoremove -y && rm -rf /var/lib/apt/lists/* /tmp/requirements.txt
ENV FORETOKEN_PJRT_PLUGIN_DIR=/opt/pjrt \
  NVIDIA_VISIBLE_DEVICES=all \
  NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
