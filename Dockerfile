# The image of Outrigger. Works with the classic builder and with BuildKit:
#   docker build -t outrigger .
#   docker run --rm --read-only --cap-drop ALL -v "$PWD/config:/etc/outrigger:ro" -p 8080:8080 outrigger
# At run time it needs no shell, no write access and no user that exists; docs/deployment.md says more.
FROM node:26-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Optional packages hold the compiler's binary. Those that hold a Node go again: the image has its own.
RUN npm ci
# .dockerignore lets in only what is built from.
COPY . .
RUN npm run build && rm bin/build.js \
 && npm prune --omit=dev --omit=optional \
 && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete
RUN mkdir -p /image/opt/outrigger /image/usr/local/bin \
 && mv package.json bin dist node_modules /image/opt/outrigger/ \
 && ln -s /opt/outrigger/bin/outrigger.js /image/usr/local/bin/outrigger

FROM node:26-bookworm-slim
COPY --from=build /image /
# The base image keeps the notices of development builds on otherwise.
ENV NODE_ENV=production
# A number, so that Kubernetes' runAsNonRoot can see that it is not root. Nothing in the image belongs to it.
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["outrigger", "healthcheck"]
ENTRYPOINT ["outrigger"]
CMD ["run", "-c", "/etc/outrigger"]
