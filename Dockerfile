# Foretoken in a container: docker build -t foretoken . && docker run -p 8000:8000 -v "$PWD/Models:/models:ro" foretoken
FROM swift:6.3-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
COPY Scripts/setup Scripts/setup
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends make && Scripts/setup && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make build && install -D -s .build/release/foretoken /out/foretoken

FROM swift:6.3-bookworm-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libpcre2-8-0 libedit2 libcurl4 zlib1g libssl3 ca-certificates \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --create-home --home-dir /var/lib/foretoken foretoken
COPY --from=build /out/foretoken /usr/local/bin/foretoken
USER 10001
# hadolint ignore=DL3064
ENV HF_HOME=/var/lib/foretoken/huggingface \
  FORETOKEN_CACHE=/var/lib/foretoken/cache \
  FORETOKEN_HOST=0.0.0.0 \
  FORETOKEN_PORT=8000 \
  FORETOKEN_LOG_FORMAT=json
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s \
  CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$FORETOKEN_PORT && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["foretoken", "serve"]
CMD ["/models/foretoken-reference-target", "--draft-model", "/models/foretoken-reference-draft"]
