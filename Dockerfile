# syntax=docker/dockerfile:1
# Two stages: what compiles stays in the first one. Both are bookworm, so that what was linked there runs here.

FROM node:24-bookworm-slim AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# The packages are a layer of their own: a change in the sources does not compile SQLite again.
COPY package.json package-lock.json .npmrc ./
COPY tooling/setup.mjs tooling/
RUN node tooling/setup.mjs --install-only
COPY . .
RUN node tooling/setup.mjs
# Only what runs goes on: no packages of development, no samples, no other systems' runtimes, no compiler's leftovers.
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
  && rm -rf dist/samples dist/.stamps dist/native/obj \
    node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32 \
    node_modules/better-sqlite3/deps node_modules/better-sqlite3/src \
  && find node_modules/better-sqlite3/build -type f ! -name better_sqlite3.node -delete \
  && find dist -name '*.map' -delete

FROM debian:bookworm-slim
# Debian's ffmpeg gets security updates; the one from npm is from 2018 and is only used where there is no other.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg ca-certificates tzdata fonts-dejavu-core \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --system --uid 10001 --user-group --home-dir /var/lib/tredive --shell /usr/sbin/nologin tredive \
  && install -d -o tredive -g tredive -m 0700 /var/lib/tredive \
  && install -d -m 0755 /recordings
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/config config

ENV NODE_ENV=production
# The gateway sets it too; see src/redaction/detectors/no-telemetry.ts.
ENV ORT_DISABLE_TELEMETRY=1
USER tredive
# Mount your gateway.yaml over /app/config/gateway.yaml, with `data: /var/lib/tredive`, roots below /recordings and
# `api: { host: 0.0.0.0 }`. User 10001 must be allowed to delete in the recordings, or retention cannot do its work.
VOLUME ["/var/lib/tredive", "/recordings"]
EXPOSE 8730
# Also unhealthy while deletion is refused, because then the law's limit is running out and nobody may have noticed.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:8730/api/health').then(async (a) => process.exit(a.ok && (await a.json()).ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1 without an init before it: the gateway handles SIGTERM itself, waits for every child it starts, and
# gets no orphans, because ffmpeg starts no processes of its own.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
